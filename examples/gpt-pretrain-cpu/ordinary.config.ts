import { defineConfig, evaluateProcess, innerLoop, outerLoop } from "bilevel";
import { space } from "./space.ts";

/**
 * The same search from settings that are ordinary for this budget: the rates and the batch of Karpathy's train.py,
 * scaled down, instead of the under-tuned ones in train.ts. What is left to gain is little.
 */
export default defineConfig({
  task: {
    folder: ".",
    command: ["node", "train.ts"],
    values: { via: "constants", file: "train.ts" },
    seed: { constant: "SEED" },
    protected: ["*.wasm", "corpus.txt", "data.ts", "model.ts"],
  },
  objective: { metric: "val_bpb", direction: "minimize" },
  space: {
    parameters: {
      ...space.parameters,
      TOTAL_BATCH_SIZE: { type: "int", min: 256, max: 4096, scale: "pow2", default: 1024 },
      EMBEDDING_LR: { type: "float", min: 0.02, max: 2, scale: "log", default: 0.6 },
      MATRIX_LR: { type: "float", min: 0.003, max: 0.3, scale: "log", default: 0.04 },
    },
  },
  evaluator: evaluateProcess(),
  levels: [
    innerLoop({ slots: 2 }),
    outerLoop({ name: "policy", changes: "policy", every: 5 }),
    outerLoop({ name: "research", changes: "mechanisms", every: 2 }),
  ],
  budget: { trials: 30 },
});
