import type { Space } from "../../index.ts";

/** The 14 parameters of the benchmark, with its own defaults. */
export const space: Space = {
  parameters: {
    DEPTH: { type: "int", min: 4, max: 24, default: 8 },
    ASPECT_RATIO: { type: "int", min: 32, max: 128, default: 64 },
    HEAD_DIM: { type: "int", min: 64, max: 256, scale: "pow2", default: 128 },
    DEVICE_BATCH_SIZE: { type: "int", min: 32, max: 256, scale: "pow2", default: 128 },
    TOTAL_BATCH_SIZE: { type: "int", min: 65_536, max: 2_097_152, scale: "pow2", default: 524_288 },
    EMBEDDING_LR: { type: "float", min: 0.01, max: 2, scale: "log", default: 0.6 },
    UNEMBEDDING_LR: { type: "float", min: 0.0005, max: 0.05, scale: "log", default: 0.004 },
    MATRIX_LR: { type: "float", min: 0.005, max: 0.2, scale: "log", default: 0.04 },
    SCALAR_LR: { type: "float", min: 0.05, max: 2, scale: "log", default: 0.5 },
    WEIGHT_DECAY: { type: "float", min: 0, max: 0.5, default: 0.2 },
    WARMUP_RATIO: { type: "float", min: 0, max: 0.3, default: 0 },
    WARMDOWN_RATIO: { type: "float", min: 0.1, max: 0.8, default: 0.5 },
    FINAL_LR_FRAC: { type: "float", min: 0, max: 0.2, default: 0 },
    WINDOW_PATTERN: { type: "choice", values: ["SSSL", "SSLL", "SLSL", "LLLL", "SSSS", "LSSL"], default: "SSSL" },
  },
};
