import { defineConfig, evaluateRay, innerLoop } from "bilevel";
import { space } from "../gpt-pretrain-cpu/space.ts";

/**
 * The GPT example on a Ray head of this machine: `ray start --head`, then `bilevel run` in this folder. Only the
 * evaluator differs from the config at the top of the repository; Node must be on the head's PATH.
 */
export default defineConfig({
  task: {
    folder: "../gpt-pretrain-cpu",
    command: ["node", "train.ts"],
    values: { via: "constants", file: "train.ts" },
    seed: { constant: "SEED" },
    protected: ["*.wasm", "corpus.txt", "data.ts", "model.ts"],
  },
  objective: { metric: "val_bpb", direction: "minimize" },
  space,
  evaluator: evaluateRay({ numCpus: 1 }),
  levels: [innerLoop({ slots: 2 })],
  budget: { trials: 20 },
});
