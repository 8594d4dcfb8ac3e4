import { readFileSync } from "node:fs";
import { normal, streamOf, type Values } from "../../kit/index.ts";

/** A dense network: W by rows, inputs by outputs; tanh between layers, linear at the end. */
interface Network {
  sizes: number[];
  W: number[][];
  b: number[][];
}

interface SurrogateModel {
  params: { name: string; choices?: string[] }[];
  tokens: { net: Network; mean: number; scale: number };
  bpb: {
    nets: Network[];
    speedClip: number;
    speedScale: number;
    zMin: number;
    zMax: number;
    floor: number;
    scale: number;
  };
  memory: { coef: number[]; slopePerGiB: number; capGiB: number };
  noise: { sdFloor: number; sdSlope: number; sdOrigin: number; outlierProb: number; outlierFactor: number };
}

const model = JSON.parse(readFileSync(new URL("./model.json", import.meta.url), "utf8")) as SurrogateModel;
const patterns = model.params[13]?.choices ?? [];

/** What the surrogate says of one configuration, without noise. */
export interface Prediction {
  bpb: number;
  crashProbability: number;
  memoryGib: number;
  noiseSd: number;
}

function run(network: Network, input: readonly number[]): number {
  let hidden = [...input];
  for (const [layer, weights] of network.W.entries()) {
    const [inputs = 0, outputs = 0] = [network.sizes[layer], network.sizes[layer + 1]];
    const out = [...(network.b[layer] ?? [])];
    for (let i = 0; i < inputs; i++) {
      const x = hidden[i] ?? 0;
      if (x !== 0) for (let j = 0; j < outputs; j++) out[j] = (out[j] ?? 0) + x * (weights[i * outputs + j] ?? 0);
    }
    hidden = layer < network.W.length - 1 ? out.map(Math.tanh) : out;
  }
  return hidden[0] ?? NaN;
}

const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

/** The model of README.md, step by step. `speed`: log of the machine's speed over the median one. */
export function predict(values: Values, speed = 0): Prediction {
  const number = (name: string): number => values[name] as number;
  const [depth, head, batch, total] = [
    number("DEPTH"),
    number("HEAD_DIM"),
    number("DEVICE_BATCH_SIZE"),
    number("TOTAL_BATCH_SIZE"),
  ];
  const pattern = values.WINDOW_PATTERN as string;
  const width = Math.ceil((depth * number("ASPECT_RATIO")) / head) * head;
  const valueLayers = Math.ceil(depth / 2);
  const size = 12 * depth * width * width + 8192 * width * (2 + valueLayers);
  let long = 1;
  for (let layer = 0; layer < depth - 1; layer++) if (pattern[layer % 4] === "L") long++;
  const longShare = long / depth;
  const flops = 12 * depth * width * width + 8192 * width + depth * width * 1024 * (1 + longShare);
  const shape = [
    (depth - 10) / 5,
    Math.log(width / 640),
    Math.log2(head / 128),
    Math.log2(batch / 128),
    longShare - 0.5,
    Math.log(size / 6e7),
    Math.log(flops / 5e7),
  ];
  const tokens = run(model.tokens.net, shape);
  const logTokens = model.tokens.mean + model.tokens.scale * tokens;
  const { bpb: net, memory, noise } = model;
  const features = [
    ...shape.slice(0, 4),
    Math.log2(total / 262144),
    Math.log(number("EMBEDDING_LR") / 0.4),
    Math.log(number("UNEMBEDDING_LR") / 0.005),
    Math.log(number("MATRIX_LR") / 0.035),
    Math.log(number("SCALAR_LR") / 0.4),
    (number("WEIGHT_DECAY") - 0.2) / 0.12,
    (number("WARMUP_RATIO") - 0.1) / 0.1,
    (number("WARMDOWN_RATIO") - 0.45) / 0.17,
    (number("FINAL_LR_FRAC") - 0.07) / 0.06,
    (shape[4] ?? 0) / 0.25,
    ...patterns.map((known) => (known === pattern ? 1 : 0)),
    shape[5] ?? 0,
    tokens,
    logTokens + Math.log(1e6) - Math.log(total) - 7,
    clamp(speed, -net.speedClip, net.speedClip) / net.speedScale,
  ];
  const z = net.nets.reduce((sum, one) => sum + run(one, features) / net.nets.length, 0);
  const bpb = net.floor + net.scale * Math.exp(clamp(z, net.zMin, net.zMax));
  const terms = [
    1,
    (12 * depth * width * width) / 1e9,
    (8192 * width * (2 + valueLayers)) / 1e9,
    (batch * depth * width) / 1e6,
    (batch * width) / 1e5,
    batch / 100,
    (batch * depth * (width / head)) / 1e4,
    (batch * valueLayers * width) / 1e6,
    (width * width) / 1e7,
    ((total > 2048 * batch ? 1 : 0) * size) / 1e9,
  ];
  const memoryGib = terms.reduce((sum, term, index) => sum + term * (memory.coef[index] ?? 0), 0);
  const crashProbability = 1 / (1 + Math.exp(-clamp(memory.slopePerGiB * (memoryGib - memory.capGiB), -60, 60)));
  return { bpb, crashProbability, memoryGib, noiseSd: Math.max(noise.sdFloor, noise.sdSlope * (bpb - noise.sdOrigin)) };
}

/** The values as the benchmark runs them: a batch is at least one step of the device's. */
export const runnable = (values: Values): Values => ({
  ...values,
  TOTAL_BATCH_SIZE: Math.max(values.TOTAL_BATCH_SIZE as number, 2048 * (values.DEVICE_BATCH_SIZE as number)),
});

/** One surrogate measurement: noise with heavy tails, keyed by the seed and the values; out of memory is a crash. */
export default function measure(values: Values, { seed }: { seed: number }): { val_bpb: number; peak_vram_mb: number } {
  const { bpb, crashProbability, memoryGib, noiseSd } = predict(runnable(values));
  const random = streamOf("surrogate", seed, JSON.stringify(values));
  if (random() < crashProbability) throw new Error(`out of memory: ${memoryGib.toFixed(1)} GiB`);
  const factor = random() < model.noise.outlierProb ? model.noise.outlierFactor : 1;
  return { val_bpb: bpb + normal(random) * noiseSd * factor, peak_vram_mb: memoryGib * 1024 };
}
