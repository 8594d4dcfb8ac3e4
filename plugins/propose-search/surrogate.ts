import { cholesky, choleskyAppend, choleskyInverse, dot, solveLower, solveUpper, type Axis } from "../../kit/index.ts";
import { addTerm, columnsOf, squaresFrom, type Column } from "./columns.ts";

/** What was measured: places, the outcome on the model's scale, and the variance of its noise in shares of one measurement's. */
export interface Data {
  readonly points: readonly (readonly number[])[];
  readonly y: readonly number[];
  /** One over the number of measurements. */
  readonly shares: readonly number[];
}

/** Logarithms of the covariance's parameters: a length for each axis, then the odds of the additive part, the signal's variance, the noise's. */
export type Theta = readonly number[];

/** Independent normal distributions of theta. */
export interface Prior {
  readonly means: readonly number[];
  readonly sds: readonly number[];
}

/**
 * Before anything is seen: an axis matters over some four tenths of its range,
 * categories are more alike than not, and the additive part and the joint one
 * are worth the same. `noiseSd`: of one measurement on the model's scale, where
 * repeats tell it.
 */
export const priorOf = (axes: readonly Axis[], noiseSd?: number): Prior => ({
  means: [
    ...axes.map(({ isCategory }) => Math.log(isCategory ? 2 : 0.42)),
    0,
    0,
    noiseSd === undefined ? Math.log(0.01) : 2 * Math.log(Math.max(noiseSd, 1e-3)),
  ],
  sds: [...axes.map(() => 0.5), 1, 0.7, noiseSd === undefined ? 1.5 : 0.3],
});

/** Variance of the mean of all. */
const constant = 1;

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

/** The covariance of what was measured, split, and what it was made of. */
function factored(squares: readonly Float64Array[], { y, shares }: Data, theta: Theta) {
  const n = y.length;
  const d = theta.length - 3;
  const share = logistic(theta[d] as number);
  const signal = Math.exp(theta[d + 1] as number);
  const noise = Math.exp(theta[d + 2] as number);
  const weights = Array.from({ length: d }, (_, j) => Math.exp(-2 * (theta[j] as number)));
  const size = (n * (n - 1)) / 2;
  const added = new Float64Array(size);
  const summed = new Float64Array(size);
  for (let j = 0; j < d; j++) {
    const w = weights[j] as number;
    const square = squares[j] as Float64Array;
    for (let p = 0; p < size; p++) {
      const q = (square[p] as number) * w;
      summed[p] = (summed[p] as number) + q;
      added[p] = (added[p] as number) + 1 / (1 + q);
    }
  }
  const joint = jointScale(d);
  const rows: number[][] = [];
  for (let i = 0, p = 0; i < n; i++) {
    const row: number[] = [];
    for (let k = 0; k < i; k++, p++)
      row.push(
        constant + signal * (share * ((added[p] as number) / d) + (1 - share) * product((summed[p] as number) * joint)),
      );
    row.push(constant + signal + noise * (shares[i] as number) + 1e-6);
    rows.push(row);
  }
  const lower = cholesky(rows);
  const alpha = solveUpper(lower, solveLower(lower, y));
  return { n, d, share, signal, noise, weights, size, added, summed, joint, lower, alpha };
}

/** The gradient of the log posterior over theta, and its value. */
export function evidence(squares: readonly Float64Array[], data: Data, theta: Theta, prior: Prior) {
  const { y, shares } = data;
  const { n, d, share, signal, noise, weights, size, added, summed, joint, lower, alpha } = factored(
    squares,
    data,
    theta,
  );
  const inverse = choleskyInverse(lower);
  const gradient = new Array<number>(d + 3).fill(0);
  // off the diagonal each pair counts twice, and the half of the formula takes that away
  let [toShare, toSignal, toNoise] = [0, 0, 0];
  const inner = new Float64Array(size);
  const outer = new Float64Array(size);
  for (let i = 0, p = 0; i < n; i++) {
    const a = alpha[i] as number;
    const row = inverse[i] as number[];
    for (let k = 0; k < i; k++, p++) {
      const g = a * (alpha[k] as number) - (row[k] as number);
      const s = (summed[p] as number) * joint;
      const [one, other] = [(added[p] as number) / d, product(s)];
      toShare += g * signal * (one - other);
      toSignal += g * signal * (share * one + (1 - share) * other);
      inner[p] = (g * signal * share * 2) / d;
      outer[p] = -g * signal * (1 - share) * productSlope(s) * 2 * joint;
    }
    const g = 0.5 * (a * a - (row[i] as number));
    toSignal += g * signal;
    toNoise += g * noise * (shares[i] as number);
  }
  for (let j = 0; j < d; j++) {
    const w = weights[j] as number;
    const square = squares[j] as Float64Array;
    let sum = 0;
    for (let p = 0; p < size; p++) {
      const q = (square[p] as number) * w;
      if (q === 0) continue;
      const r = 1 / (1 + q);
      sum += q * ((inner[p] as number) * r * r + (outer[p] as number));
    }
    gradient[j] = sum;
  }
  gradient[d] = toShare * share * (1 - share);
  gradient[d + 1] = toSignal;
  gradient[d + 2] = toNoise;
  let value = -0.5 * dot(y, alpha);
  for (let i = 0; i < n; i++) value -= Math.log((lower[i] as number[])[i] as number);
  for (let j = 0; j < d + 3; j++) {
    const off = ((theta[j] as number) - (prior.means[j] as number)) / (prior.sds[j] as number);
    value -= 0.5 * off * off;
    gradient[j] = (gradient[j] as number) - off / (prior.sds[j] as number);
  }
  return { value, gradient, lower, alpha };
}

/** So that points that differ on every axis are as far from each other in the joint part as on one axis, on average. */
const jointScale = (d: number): number => Math.min(1, 10 / d);

/** Rational quadratic with two degrees of freedom, of a squared distance. */
const product = (s: number): number => {
  const r = 1 / (1 + s / 4);
  return r * r;
};
const productSlope = (s: number): number => {
  const r = 1 / (1 + s / 4);
  return -0.5 * r * r * r;
};

/** Squared distances of all pairs, axis by axis, rows of the lower triangle one after the other. */
export function squaresOf(axes: readonly { isCategory: boolean }[], points: Data["points"]): Float64Array[] {
  const n = points.length;
  return columnsOf(axes, points).map((column) => {
    const all = new Float64Array((n * (n - 1)) / 2);
    for (let i = 1, p = 0; i < n; p += i, i++)
      squaresFrom(column, column.places[i] as number, 1, all.subarray(p, p + i));
    return all;
  });
}

/** What a rise by sign-adapted steps (Riedmiller and Braun 1993) needs to go on. */
export interface Ascent {
  theta: number[];
  steps: number[];
  signs: number[];
}

export const startOf = (prior: Prior): Ascent => ({
  theta: [...prior.means],
  steps: prior.means.map(() => 0.2),
  signs: prior.means.map(() => 0),
});

export function ascend(
  ascent: Ascent,
  squares: readonly Float64Array[],
  data: Data,
  prior: Prior,
  rounds: number,
): Ascent {
  const theta = [...ascent.theta];
  const steps = [...ascent.steps];
  const signs = [...ascent.signs];
  for (let round = 0; round < rounds; round++) {
    const { gradient } = evidence(squares, data, theta, prior);
    for (let j = 0; j < theta.length; j++) {
      const sign = Math.sign(gradient[j] as number);
      const turn = sign * (signs[j] as number);
      steps[j] = Math.min(0.5, Math.max(0.01, (steps[j] as number) * (turn > 0 ? 1.3 : turn < 0 ? 0.5 : 1)));
      signs[j] = turn < 0 ? 0 : sign;
      if (turn >= 0) theta[j] = (theta[j] as number) + sign * (steps[j] as number);
    }
  }
  return { theta, steps, signs };
}

/** The posterior on the model's scale. */
export class Surrogate {
  readonly #axes: readonly Axis[];
  readonly #weights: Float64Array;
  readonly #share: number;
  readonly #signal: number;
  readonly #joint: number;
  #points: Data["points"] = [];
  #columns: readonly Column[] = [];
  /** Rows of the triangle one after the other. */
  readonly #lower: Float64Array;
  readonly #alpha: readonly number[];
  /** Where most predictions are asked for, and what its covariances are made of. */
  #anchor: readonly number[] = [];
  #terms: readonly Float64Array[] = [];
  #sums = new Float64Array(0);
  #adds = new Float64Array(0);
  /** Of the point that was asked for last. */
  #k = new Float64Array(0);
  #sum = new Float64Array(0);
  #added = new Float64Array(0);
  #scratch = new Float64Array(0);
  readonly noise: number;

  /** `pending`: points whose outcome is not known yet; they take away uncertainty and nothing else (kriging believer: Ginsbourger, Le Riche and Carraro 2010). */
  constructor(
    axes: readonly Axis[],
    data: Data,
    theta: Theta,
    pending: Data["points"] = [],
    squares: readonly Float64Array[] = squaresOf(axes, data.points),
  ) {
    const d = axes.length;
    this.#axes = axes;
    this.#weights = Float64Array.from(axes, (_, j) => Math.exp(-2 * (theta[j] as number)));
    this.#share = logistic(theta[d] as number);
    this.#signal = Math.exp(theta[d + 1] as number);
    this.noise = Math.exp(theta[d + 2] as number);
    this.#joint = jointScale(d);
    const points = [...data.points];
    const known = factored(squares, data, theta);
    let { lower } = known;
    this.#alpha = known.alpha;
    for (const point of pending) {
      this.#lookAt(points);
      this.#fill(point);
      lower = choleskyAppend(lower, [...this.#k, this.#variance + this.noise + 1e-6]);
      points.push(point);
    }
    this.#lookAt(points);
    this.#lower = new Float64Array((points.length * (points.length + 1)) / 2);
    for (let i = 0, at = 0; i < lower.length; i++)
      for (const number of lower[i] as number[]) this.#lower[at++] = number;
  }

  #lookAt(points: Data["points"]): void {
    this.#points = points;
    this.#columns = columnsOf(this.#axes, points);
    [this.#k, this.#sum, this.#added, this.#scratch] = [0, 0, 0, 0].map(() => new Float64Array(points.length)) as [
      Float64Array<ArrayBuffer>,
      Float64Array<ArrayBuffer>,
      Float64Array<ArrayBuffer>,
      Float64Array<ArrayBuffer>,
    ];
  }

  get #variance(): number {
    return constant + this.#signal;
  }

  /** Predictions at points that differ from this one on few axes become cheap. */
  anchorAt(point: readonly number[]): void {
    this.#anchor = point;
    this.#terms = point.map((place, j) => squaresFrom(this.#columns[j] as Column, place, this.#weights[j] as number));
    this.#sums = new Float64Array(this.#points.length);
    this.#adds = new Float64Array(this.#points.length);
    for (const term of this.#terms) addTerm(term, this.#sums, this.#adds, 1);
  }

  /** Covariances of the point with all that is known, into `k`. */
  #fill(point: readonly number[]): void {
    const [anchor, sums, adds] = [this.#anchor, this.#sum, this.#added];
    let moved = 0;
    for (let j = 0; j < anchor.length; j++) if (anchor[j] !== point[j]) moved++;
    const isNear = anchor.length > 0 && moved * 2 < anchor.length;
    if (isNear) {
      sums.set(this.#sums);
      adds.set(this.#adds);
    } else {
      sums.fill(0);
      adds.fill(0);
    }
    for (let j = 0; j < point.length; j++) {
      if (isNear && anchor[j] === point[j]) continue;
      if (isNear) addTerm(this.#terms[j] as Float64Array, sums, adds, -1);
      addTerm(
        squaresFrom(this.#columns[j] as Column, point[j] as number, this.#weights[j] as number, this.#scratch),
        sums,
        adds,
        1,
      );
    }
    const [k, part, rest, joint] = [
      this.#k,
      (this.#signal * this.#share) / point.length,
      this.#signal * (1 - this.#share),
      this.#joint,
    ];
    for (let i = 0; i < k.length; i++)
      k[i] = constant + part * (adds[i] as number) + rest * product(Math.max(0, sums[i] as number) * joint);
  }

  /** The mean, and a bound on the deviation at little cost: what the one nearest point leaves. */
  outlook(point: readonly number[]): { mean: number; sd: number } {
    this.#fill(point);
    let most = 0;
    for (const k of this.#k) if (k > most) most = k;
    const variance = this.#variance - (most * most) / (this.#variance + this.noise + 1e-6);
    return { mean: this.#mean(), sd: Math.sqrt(Math.max(1e-12, variance)) };
  }

  #mean(): number {
    let mean = 0;
    for (let i = 0; i < this.#alpha.length; i++) mean += (this.#k[i] as number) * (this.#alpha[i] as number);
    return mean;
  }

  /** The prediction at the point of the last outlook. */
  settle(): { mean: number; sd: number } {
    const [k, lower] = [this.#k, this.#lower];
    const mean = this.#mean();
    let known = 0;
    for (let i = 0, at = 0; i < k.length; i++) {
      let rest = k[i] as number;
      for (let j = 0; j < i; j++) rest -= (lower[at++] as number) * (k[j] as number);
      rest /= lower[at++] as number;
      k[i] = rest;
      known += rest * rest;
    }
    return { mean, sd: Math.sqrt(Math.max(1e-12, this.#variance - known)) };
  }

  predict(point: readonly number[]): { mean: number; sd: number } {
    this.#fill(point);
    return this.settle();
  }
}
