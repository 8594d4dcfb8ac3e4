import { fillBatch, loadCorpus, type Corpus } from "./data.ts";
import { Kernels } from "./kernels.ts";
import { Model, sequenceLength, type Shape } from "./model.ts";
import { muonFlops, Optimizer, rateAt, type OptimizerOptions } from "./optimizer.ts";
import { generator } from "./random.ts";

export interface TrainingOptions extends OptimizerOptions {
  /** Tokens per step. */
  totalBatchSize: number;
  warmupRatio: number;
  warmdownRatio: number;
  finalRateShare: number;
  gradientClip: number;
  shape: Shape;
  /** Floating-point operations of the training: matrix products forward and backward, attention over the whole square, Muon. */
  flopBudget: number;
  /** Above 0: seconds instead; then the result depends on the machine. */
  timeBudgetSeconds: number;
  seed: number;
  onProgress?: (step: number, loss: number) => void;
}

export interface TrainingResult {
  bitsPerByte: number;
  trainLoss: number;
  steps: number;
  tokens: number;
  gigaflop: number;
  parameters: number;
  trainingSeconds: number;
  memoryMb: number;
}

/** The configuration cannot be trained, or its training diverged; the message is for the user. */
export class TrainingFailure extends Error {}

/** Tokens of the validation part that are scored, whatever the batch. */
const scoredTokens = 49_152;
const largestLoss = 50;
const reports = 20;

/** Trains one model and scores it. Equal options with a budget of operations give equal results, to the last bit. */
export function train(options: TrainingOptions): TrainingResult {
  const { totalBatchSize, shape, seed } = options;
  check(options);
  const corpus = loadCorpus(new URL("./corpus.txt", import.meta.url));
  const batchSequences = totalBatchSize / sequenceLength;
  const kernels = new Kernels();
  const model = new Model(kernels, shape, corpus.vocabulary, batchSequences, generator(seed * 2 + 1));
  const optimizer = new Optimizer(model, options);
  const stepFlops = flopsPerStep(model, totalBatchSize);
  const isTimed = options.timeBudgetSeconds > 0;
  const steps = isTimed ? Infinity : Math.floor(options.flopBudget / stepFlops);
  if (steps < 1)
    throw new TrainingFailure(
      `one step takes ${(stepFlops / 1e9).toFixed(1)} GFLOP, more than the whole budget of ${options.flopBudget / 1e9}`,
    );
  const random = generator(seed * 2 + 2); // apart from the model's, so that the order of the data does not depend on its size
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  let loss = NaN;
  let step = 0;
  let reported = 0;
  for (; step < steps; step++) {
    const progress = isTimed ? elapsed() / options.timeBudgetSeconds : step / steps;
    if (progress >= 1) break;
    loss = accumulateGradients(model, corpus, totalBatchSize, random);
    if (!(loss < largestLoss)) throw new TrainingFailure(`loss diverged at step ${step}`);
    if (options.gradientClip > 0) optimizer.clip(options.gradientClip);
    optimizer.update(
      step,
      progress,
      rateAt(progress, options.warmupRatio, options.warmdownRatio, options.finalRateShare),
    );
    if (progress * reports >= reported + 1) {
      reported = Math.floor(progress * reports);
      options.onProgress?.(step, loss);
    }
  }
  const trainingSeconds = elapsed();
  const bitsPerByte = score(model, corpus);
  if (!(bitsPerByte < 20)) throw new TrainingFailure(`loss on unseen text is ${bitsPerByte} bits per byte`);
  return {
    bitsPerByte,
    trainLoss: loss,
    steps: step,
    tokens: step * totalBatchSize,
    gigaflop: (step * stepFlops) / 1e9,
    parameters: model.parameterCount,
    trainingSeconds,
    memoryMb: kernels.bytes / 2 ** 20,
  };
}

function check({ totalBatchSize, shape }: TrainingOptions): void {
  if (totalBatchSize % sequenceLength !== 0 || totalBatchSize <= 0)
    throw new TrainingFailure(`TOTAL_BATCH_SIZE must be a multiple of ${sequenceLength}, and is ${totalBatchSize}`);
  if (shape.headDim % 8 !== 0) throw new TrainingFailure(`HEAD_DIM must be a multiple of 8, and is ${shape.headDim}`);
  if (!Number.isInteger(shape.depth) || shape.depth < 1)
    throw new TrainingFailure(`DEPTH must be 1 or more, and is ${shape.depth}`);
}

/** Operations of one step. */
export function flopsPerStep(model: Model, totalBatchSize: number): number {
  const { width: d, shape, paddedVocabulary } = model;
  const forwardPerToken = 2 * (12 * d * d * shape.depth + d * paddedVocabulary) + 4 * sequenceLength * d * shape.depth;
  const muon = model.tensors
    .filter(({ kind }) => kind === "matrix")
    .reduce((sum, tensor) => sum + muonFlops(tensor), 0);
  return 3 * forwardPerToken * totalBatchSize + muon;
}

/** Mean loss of one batch of random sequences, in nats per token; its gradients are left in the model. */
export function accumulateGradients(
  model: Model,
  corpus: Corpus,
  totalBatchSize: number,
  random: () => number,
): number {
  const { kernels, tokens, sequences } = model;
  model.clearGradients();
  let nats = 0;
  for (let done = 0; done < totalBatchSize; done += tokens) {
    const starts = Array.from({ length: sequences }, () =>
      Math.floor(random() * (corpus.train.length - sequenceLength - 1)),
    );
    fillBatch(
      corpus.train,
      starts,
      sequenceLength,
      kernels.integers(model.ids, tokens),
      kernels.integers(model.targets, tokens),
    );
    model.forward(tokens);
    nats += model.loss(tokens, 1 / totalBatchSize);
    model.backward();
  }
  return nats / totalBatchSize;
}

/** Bits per byte over the first windows of the validation part; a token is a byte. */
function score(model: Model, corpus: Corpus): number {
  const { kernels, sequences, tokens } = model;
  let nats = 0;
  for (let done = 0; done < scoredTokens; done += tokens) {
    const count = Math.min(sequences, (scoredTokens - done) / sequenceLength);
    const starts = Array.from({ length: count }, (_, sequence) => done + sequence * sequenceLength);
    fillBatch(
      corpus.validation,
      starts,
      sequenceLength,
      kernels.integers(model.ids, tokens),
      kernels.integers(model.targets, tokens),
    );
    model.forward(count * sequenceLength);
    nats += model.loss(count * sequenceLength);
  }
  return nats / Math.LN2 / scoredTokens;
}
