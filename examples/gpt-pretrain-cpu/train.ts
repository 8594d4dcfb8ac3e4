/**
 * Pretrains a small GPT on one CPU core and prints how well it predicts text it
 * has not seen. This is the file that a search rewrites: the constants below.
 * Run it: node train.ts (Node 22.18 or newer; nothing to install).
 */
import { train, TrainingFailure } from "./training.ts";

// ---- the optimiser and its schedule ----
const TOTAL_BATCH_SIZE = 2 ** 11; // tokens per step
const EMBEDDING_LR = 0.2; // AdamW, token embeddings
const UNEMBEDDING_LR = 0.004; // AdamW, output layer
const MATRIX_LR = 0.02; // Muon, all matrices between
const SCALAR_LR = 0.5; // Adam, the per-layer scalars
const WEIGHT_DECAY = 0.2; // of the matrices, falling to 0
const ADAM_BETAS = [0.8, 0.95];
const WARMUP_RATIO = 0.0; // share of the training with a rising rate
const WARMDOWN_RATIO = 0.5; // share of the training with a falling rate
const FINAL_LR_FRAC = 0.0; // rate at the end, as a share
const GRAD_CLIP = 0.0; // largest norm of the gradient; 0: no limit
const MUON_MOMENTUM = 0.95;

// ---- the model ----
const DEPTH = 2;
const ASPECT_RATIO = 32; // width = DEPTH * ASPECT_RATIO, rounded up to a multiple of HEAD_DIM
const HEAD_DIM = 32;
const ROPE_BASE = 10000;
const QK_SCALE = 1.0; // factor on the attention logits

// ---- the budget: floating-point operations, so that equal runs give equal results; or seconds, if above 0 ----
const FLOP_BUDGET = 240e9;
const TIME_BUDGET = 0;
const SEED = 42;

const started = performance.now();
try {
  const result = train({
    totalBatchSize: TOTAL_BATCH_SIZE,
    embeddingRate: EMBEDDING_LR,
    unembeddingRate: UNEMBEDDING_LR,
    matrixRate: MATRIX_LR,
    scalarRate: SCALAR_LR,
    weightDecay: WEIGHT_DECAY,
    adamBetas: ADAM_BETAS as [number, number],
    warmupRatio: WARMUP_RATIO,
    warmdownRatio: WARMDOWN_RATIO,
    finalRateShare: FINAL_LR_FRAC,
    gradientClip: GRAD_CLIP,
    muonMomentum: MUON_MOMENTUM,
    shape: { depth: DEPTH, aspectRatio: ASPECT_RATIO, headDim: HEAD_DIM, ropeBase: ROPE_BASE, qkScale: QK_SCALE },
    flopBudget: FLOP_BUDGET,
    timeBudgetSeconds: TIME_BUDGET,
    seed: SEED,
    onProgress: (step, loss) => console.log(`progress ${step} ${loss.toFixed(4)}`),
  });
  console.log("---");
  const lines: Record<string, string | number> = {
    val_bpb: result.bitsPerByte.toFixed(6),
    training_seconds: result.trainingSeconds.toFixed(2),
    total_seconds: ((performance.now() - started) / 1000).toFixed(2),
    memory_mb: result.memoryMb.toFixed(0),
    total_gflop: result.gigaflop.toFixed(2),
    total_tokens_M: (result.tokens / 1e6).toFixed(3),
    num_steps: result.steps,
    num_params_M: (result.parameters / 1e6).toFixed(3),
    depth: DEPTH,
    train_loss: result.trainLoss.toFixed(5),
  };
  for (const [name, value] of Object.entries(lines)) console.log(`${name}:`.padEnd(18) + String(value));
} catch (error) {
  if (!(error instanceof TrainingFailure)) throw error;
  console.log(`FAIL: ${error.message}`);
  process.exitCode = 1;
}
