import { defineConfig } from "bilevel";

/**
 * The same search from settings that are ordinary for this budget: the rates and the batch of Karpathy's train.py,
 * scaled down, instead of the under-tuned ones in train.ts. What is left to gain is little.
 */
export default defineConfig({
  extends: "../../bilevel.config.ts",
  task: { folder: "." },
  space: {
    parameters: {
      TOTAL_BATCH_SIZE: { default: 1024 },
      EMBEDDING_LR: { default: 0.6 },
      MATRIX_LR: { default: 0.04 },
    },
  },
});
