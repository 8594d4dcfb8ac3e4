import { defineConfig, evaluateRay, innerLoop, outerLoop } from "bilevel";
import tabu from "bilevel/mechanisms/tabu";
import { space } from "../karpathy-surrogate/space.ts";

/**
 * Karpathy's train.py (github.com/karpathy/autoresearch) on a cluster with GPUs, eight trials at a time, one GPU each:
 * clone it beside this file, run its prepare.py once where `~/.cache/autoresearch` is shared by all nodes, then
 * `bilevel run --config karpathy.config.ts`. Its training stops after five minutes by the clock, so that only GPUs of
 * one kind give comparable results: hence the label.
 */
export default defineConfig({
  task: {
    folder: "autoresearch",
    command: ["python", "train.py"],
    values: { via: "constants", file: "train.py" },
    protected: ["prepare.py"],
    ignore: ["*.ipynb", "*.png", "uv.lock"],
    secondsBudget: 300,
  },
  objective: { metric: "val_bpb", direction: "minimize", limits: { peak_vram_mb: { max: 75_000 } } },
  space,
  evaluator: evaluateRay({
    mode: "jobs",
    numGpus: 1,
    numCpus: 4,
    labelSelector: { "ray.io/accelerator-type": "H100" },
    runtimeEnv: { uv: ["torch==2.9.1", "kernels", "numpy", "pyarrow", "requests", "rustbpe", "tiktoken"] },
    limitSeconds: 900,
    links: { ".venv": false },
  }),
  levels: [innerLoop({ slots: 8 }), outerLoop({ changes: "mechanisms", every: 4 })],
  plugins: [tabu()],
  budget: { trials: 100 },
});
