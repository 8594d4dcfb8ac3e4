import type { Space } from "bilevel";

/** The optimiser, its schedule, and what of the model is no shape. Defaults are the constants of train.ts. */
export const space: Space = {
  parameters: {
    TOTAL_BATCH_SIZE: { type: "int", min: 256, max: 4096, scale: "pow2", default: 2048 },
    EMBEDDING_LR: { type: "float", min: 0.02, max: 2, scale: "log", default: 0.2 },
    UNEMBEDDING_LR: { type: "float", min: 0.0005, max: 0.05, scale: "log", default: 0.004 },
    MATRIX_LR: { type: "float", min: 0.003, max: 0.3, scale: "log", default: 0.02 },
    SCALAR_LR: { type: "float", min: 0.01, max: 1, scale: "log", default: 0.5 },
    WEIGHT_DECAY: { type: "float", min: 0, max: 0.4, default: 0.2 },
    ADAM_BETAS: {
      type: "tuple",
      items: [
        { type: "float", min: 0.6, max: 0.95 },
        { type: "float", min: 0.9, max: 0.99 },
      ],
      default: [0.8, 0.95],
    },
    WARMUP_RATIO: { type: "float", min: 0, max: 0.2, default: 0 },
    WARMDOWN_RATIO: { type: "float", min: 0.1, max: 0.9, default: 0.5 },
    FINAL_LR_FRAC: { type: "float", min: 0, max: 0.2, default: 0 },
    GRAD_CLIP: { type: "float", min: 0, max: 2, default: 0 },
    MUON_MOMENTUM: { type: "float", min: 0.8, max: 0.98, default: 0.95 },
    ROPE_BASE: { type: "float", min: 100, max: 100_000, scale: "log", default: 10_000 },
    QK_SCALE: { type: "float", min: 0.5, max: 4, scale: "log", default: 1 },
  },
};

/** The shape is free as well. Most of the gain then comes from a smaller model at once. */
export const wideSpace: Space = {
  parameters: {
    ...space.parameters,
    DEPTH: { type: "int", min: 1, max: 4, default: 2 },
    ASPECT_RATIO: { type: "choice", values: [8, 16, 24, 32, 48], ordered: true, default: 32 },
    HEAD_DIM: { type: "choice", values: [16, 32], ordered: true, default: 32 },
  },
};
