import { defineConfig, evaluateProcess, innerLoop, outerLoop } from "bilevel";
import multiScaleBandit from "bilevel/mechanisms/multi-scale-bandit";
import orthogonalDesign from "bilevel/mechanisms/orthogonal-design";
import tabu from "bilevel/mechanisms/tabu";
import { space } from "./examples/gpt-pretrain-cpu/space.ts";

/** A small GPT on two CPU cores: its training is improved by a search that is itself being improved. */
export default defineConfig({
  task: {
    folder: "examples/gpt-pretrain-cpu",
    command: ["node", "train.ts"],
    values: { via: "constants", file: "train.ts" },
    seed: { constant: "SEED" },
    protected: ["*.wasm", "corpus.txt", "data.ts", "model.ts"],
  },
  objective: { metric: "val_bpb", direction: "minimize" },
  space,
  evaluator: evaluateProcess(),
  levels: [
    innerLoop({ slots: 2 }),
    outerLoop({ name: "policy", changes: "policy", every: 5 }),
    outerLoop({ name: "research", changes: "mechanisms", every: 2 }),
  ],
  plugins: [tabu(), multiScaleBandit(), orthogonalDesign()],
  budget: { trials: 30 },
  seed: "whale",
});
