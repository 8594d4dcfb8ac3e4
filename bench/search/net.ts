import { integer, mean, normal, streamOf, type Parameter, type Space, type Values } from "../../kit/index.ts";

/** Multiplications that one training may take: a network that is larger sees less. */
const budget = 8e6;
const inputs = 6;
const classes = 5;
const [trained, held] = [4096, 512];
/** Seeds that no search sees. */
const unseen = [9001, 9002, 9003];

interface Example {
  readonly x: Float64Array;
  readonly label: number;
}

/**
 * A small network that is really trained, to give a teacher's answers: another
 * teacher, a random network, for every game, and some of its answers are wrong.
 * The seed draws the first weights and the order of the data, so that trials
 * share their luck where they share a seed, as in what people train. For
 * tuning the search only; nothing is judged on it. `isPoor`: rates, batch and
 * warmup start where they should not.
 */
export function net(game: number, isPoor: boolean) {
  const random = streamOf("net", game);
  const teacher = layersOf([inputs, 10, 10, classes], random, 1.5);
  const wrong = 0.15 * random();
  const spreads = Array.from({ length: inputs }, () => Math.exp(0.7 * normal(random)));
  const example = (stream: () => number): Example => {
    const x = Float64Array.from({ length: inputs }, () => normal(stream));
    const scores = forward(teacher, x, Math.tanh).at(-1) as Float64Array;
    const label = stream() < wrong ? integer(stream, classes) : scores.indexOf(Math.max(...scores));
    return { x: x.map((one, i) => one * (spreads[i] as number)), label };
  };
  const shown = streamOf("net held", game);
  const test = Array.from({ length: held }, () => example(shown));
  const pool = Array.from({ length: trained }, () => example(random));
  const measure = (values: Values, seed: number): number => train(values, streamOf("net", game, seed), pool, test);
  return {
    space: spaceOf(random, isPoor),
    noiseless: false,
    isDear: true,
    measure,
    truth: (values: Values): number => mean(unseen.map((seed) => measure(values, seed))),
  };
}

function spaceOf(random: () => number, isPoor: boolean): Space {
  const near = (value: number, spread: number): number => value * Math.exp(spread * normal(random));
  const rate = (): Parameter => {
    const start = Math.min(0.9, Math.max(2e-4, near(isPoor ? 0.02 / 12 : 0.02, 0.5)));
    return { type: "float", min: 1e-4, max: 1, scale: "log", default: start };
  };
  const width = Math.min(48, Math.max(6, Math.round(near(16, 0.4))));
  return {
    parameters: {
      width: { type: "int", min: 4, max: 64, scale: "log", default: width },
      depth: { type: "int", min: 1, max: 3, default: 1 + integer(random, 2) },
      activation: { type: "choice", values: ["tanh", "relu", "softplus"], default: "tanh" },
      batch: { type: "int", min: 4, max: 256, scale: "pow2", default: isPoor ? 128 : 32 },
      inputRate: rate(),
      hiddenRate: rate(),
      outputRate: rate(),
      biasRate: rate(),
      beta1: { type: "float", min: 0.5, max: 0.99, default: 0.9 },
      beta2: { type: "float", min: 0.9, max: 0.9999, default: 0.999 },
      decay: { type: "float", min: 1e-5, max: 1, scale: "log", default: near(0.003, 1) },
      warmup: { type: "float", min: 0, max: 0.5, default: isPoor ? 0.3 : 0.05 },
      warmdown: { type: "float", min: 0, max: 1, default: isPoor ? 0 : 0.4 },
      lastShare: { type: "float", min: 0, max: 0.5, default: 0.1 * random() },
      gain: { type: "float", min: 0.1, max: 4, scale: "log", default: near(1, 0.4) },
      clip: { type: "float", min: 0.05, max: 10, scale: "log", default: 1 },
      smoothing: { type: "float", min: 0, max: 0.3, default: 0 },
    },
  };
}

interface Layer {
  readonly rows: number;
  readonly columns: number;
  /** Row by row, the bias last in each. */
  readonly weights: Float64Array;
}

const layersOf = (sizes: readonly number[], random: () => number, gain: number): Layer[] =>
  sizes.slice(1).map((rows, n) => {
    const columns = (sizes[n] as number) + 1;
    const weights = Float64Array.from({ length: rows * columns }, (_, i) =>
      i % columns === columns - 1 ? 0 : (gain * normal(random)) / Math.sqrt(columns - 1),
    );
    return { rows, columns, weights };
  });

/** What each layer gives, the input first and the scores last. */
function forward(layers: readonly Layer[], x: Float64Array, bend: (z: number) => number): Float64Array[] {
  const all = [x];
  for (const [n, { rows, columns, weights }] of layers.entries()) {
    const from = all[n] as Float64Array;
    const to = new Float64Array(rows);
    for (let r = 0, at = 0; r < rows; r++) {
      let sum = 0;
      for (let c = 0; c < columns - 1; c++) sum += (weights[at++] as number) * (from[c] as number);
      sum += weights[at++] as number;
      to[r] = n === layers.length - 1 ? sum : bend(sum);
    }
    all.push(to);
  }
  return all;
}

function softmax(scores: Float64Array): Float64Array {
  const most = Math.max(...scores);
  const all = scores.map((one) => Math.exp(one - most));
  const sum = all.reduce((a, b) => a + b, 0);
  return all.map((one) => one / sum);
}

/** What neurons do, and its slope at what they give. */
const bends: Readonly<Record<string, { of(z: number): number; slope(a: number): number }>> = {
  tanh: { of: Math.tanh, slope: (a) => 1 - a * a },
  relu: { of: (z) => (z > 0 ? z : 0), slope: (a) => (a > 0 ? 1 : 0) },
  softplus: { of: (z) => (z > 30 ? z : Math.log1p(Math.exp(z))), slope: (a) => 1 - Math.exp(-a) },
};
type Bend = NonNullable<(typeof bends)[string]>;

/** Adds the gradient of the cross entropy at one example. `share`: one over the batch. */
function backward(
  layers: readonly Layer[],
  gradients: readonly Float64Array[],
  { x, label }: Example,
  { bend, smoothing, share }: { bend: Bend; smoothing: number; share: number },
): void {
  const given = forward(layers, x, bend.of);
  let delta = softmax(given.at(-1) as Float64Array);
  for (let c = 0; c < classes; c++)
    delta[c] = (delta[c] as number) - smoothing / classes - (c === label ? 1 - smoothing : 0);
  for (let n = layers.length - 1; n >= 0; n--) {
    const { rows, columns, weights } = layers[n] as Layer;
    const [gradient, from] = [gradients[n] as Float64Array, given[n] as Float64Array];
    const back = new Float64Array(columns - 1);
    for (let r = 0, at = 0; r < rows; r++) {
      const own = delta[r] as number;
      for (let c = 0; c < columns - 1; c++, at++) {
        gradient[at] = (gradient[at] as number) + own * share * (from[c] as number);
        back[c] = (back[c] as number) + own * (weights[at] as number);
      }
      gradient[at] = (gradient[at] as number) + own * share;
      at++;
    }
    delta = back.map((one, i) => one * bend.slope(from[i] as number));
  }
}

/** Cross entropy on the test data after a training by Adam with decoupled decay; throws where it diverges. */
function train(values: Values, random: () => number, pool: readonly Example[], test: readonly Example[]): number {
  const number = (key: string): number => values[key] as number;
  const bend = bends[values.activation as string] as Bend;
  const layers = layersOf(
    [inputs, ...Array.from({ length: number("depth") }, () => number("width")), classes],
    random,
    number("gain"),
  );
  const zeros = (): Float64Array[] => layers.map(({ weights }) => new Float64Array(weights.length));
  const [gradients, firsts, seconds] = [zeros(), zeros(), zeros()];
  const size = layers.reduce((sum, { weights }) => sum + weights.length, 0);
  const batch = number("batch");
  const steps = Math.max(4, Math.floor(budget / (3 * size * batch)));
  const [one, two, last] = [number("beta1"), number("beta2"), number("lastShare")];
  for (let step = 0; step < steps; step++) {
    for (const gradient of gradients) gradient.fill(0);
    for (let b = 0; b < batch; b++) {
      const example = pool[integer(random, trained)] as Example;
      backward(layers, gradients, example, { bend, smoothing: number("smoothing"), share: 1 / batch });
    }
    let norm = 0;
    for (const gradient of gradients) for (let i = 0; i < gradient.length; i++) norm += (gradient[i] as number) ** 2;
    if (!Number.isFinite(norm)) throw new Error("diverged");
    const shrink = Math.min(1, number("clip") / Math.sqrt(norm + 1e-12));
    const [done, up, down] = [step / steps, number("warmup"), number("warmdown")];
    const share =
      (up === 0 ? 1 : Math.min(1, (done + 1 / steps) / up)) *
      (down === 0 ? 1 : Math.min(1, last + ((1 - last) * (1 - done)) / down));
    const [wholeFirst, wholeSecond] = [1 / (1 - one ** (step + 1)), 1 / (1 - two ** (step + 1))];
    for (const [n, { columns, weights }] of layers.entries()) {
      const rate = share * number(n === 0 ? "inputRate" : n === layers.length - 1 ? "outputRate" : "hiddenRate");
      const [g, m, v] = [gradients[n] as Float64Array, firsts[n] as Float64Array, seconds[n] as Float64Array];
      for (let i = 0; i < weights.length; i++) {
        const slope = (g[i] as number) * shrink;
        const first = (m[i] = one * (m[i] as number) + (1 - one) * slope);
        const second = (v[i] = two * (v[i] as number) + (1 - two) * slope * slope);
        const isBias = i % columns === columns - 1;
        const own = isBias ? share * number("biasRate") : rate;
        const kept = isBias ? 1 : 1 - own * number("decay");
        weights[i] =
          (weights[i] as number) * kept - (own * first * wholeFirst) / (Math.sqrt(second * wholeSecond) + 1e-8);
      }
    }
  }
  const losses = test.map(({ x, label }) => {
    const shares = softmax(forward(layers, x, bend.of).at(-1) as Float64Array);
    return -Math.log((shares[label] as number) + 1e-6);
  });
  const loss = mean(losses);
  if (!(loss < 20)) throw new Error("diverged");
  return loss;
}
