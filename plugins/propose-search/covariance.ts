import { cauchy, cholesky, choleskyAppend, rationalQuadratic, type Axis, type Matrix } from "../../kit/index.ts";
import { addTerm, columnsOf, squaresFrom } from "./columns.ts";

/**
 * Logarithms of the covariance's parameters: a length for each axis, then the odds of the additive part, the signal's
 * variance, the noise's, and how much of the distance counts in the joint part.
 */
export type Theta = readonly number[];

export const axesIn = (theta: Theta): number => theta.length - 4;

/** The same in units. */
export interface Scales {
  /** Of the squared distances, axis by axis. */
  readonly weights: Float64Array;
  /** Variance of the signal, and the share of it that is additive. */
  readonly signal: number;
  readonly share: number;
  /** Variance of the additive part for each axis, and of the joint part. */
  readonly each: number;
  readonly whole: number;
  /** Of one measurement. */
  readonly noise: number;
  /** How much of the summed squared distances counts in the joint part. */
  readonly joint: number;
}

/** Variance of the mean of all. */
const constant = 1;
const jitter = 1e-6;

export function scalesOf(theta: Theta): Scales {
  const d = axesIn(theta);
  const share = 1 / (1 + Math.exp(-(theta[d] as number)));
  const signal = Math.exp(theta[d + 1] as number);
  return {
    weights: Float64Array.from({ length: d }, (_, j) => Math.exp(-2 * (theta[j] as number))),
    signal,
    share,
    each: (signal * share) / d,
    whole: signal * (1 - share),
    noise: Math.exp(theta[d + 2] as number),
    joint: Math.exp(theta[d + 3] as number),
  };
}

/** Of two points. `summed`: their squared distances, weighed; `added`: their Cauchy kernels; both over all axes. */
export const covarianceOf = ({ each, whole, joint }: Scales, summed: number, added: number): number =>
  constant + each * added + whole * rationalQuadratic(Math.max(0, summed) * joint);

/** Variance at a point. */
export const varianceOf = ({ signal }: Scales): number => constant + signal;

/** Variance of what was measured there. `noiseShare`: one over the number of measurements. */
export const measuredVarianceOf = (scales: Scales, noiseShare = 1): number =>
  varianceOf(scales) + scales.noise * noiseShare + jitter;

/** Squared distances of all pairs, axis by axis, rows of the lower triangle one after the other. */
export function squaresOf(
  axes: readonly { isCategory: boolean }[],
  points: readonly (readonly number[])[],
): Float64Array[] {
  const n = points.length;
  return columnsOf(axes, points).map((column) => {
    const all = new Float64Array((n * (n - 1)) / 2);
    for (let i = 1, p = 0; i < n; p += i, i++)
      squaresFrom(column, column.places[i] as number, 1, all.subarray(p, p + i));
    return all;
  });
}

/** For all pairs, in the order of the squares: what their covariances are made of. */
export function pairsOf(squares: readonly Float64Array[], { weights }: Scales) {
  const size = squares[0]?.length ?? 0;
  const summed = new Float64Array(size);
  const added = new Float64Array(size);
  for (const [j, square] of squares.entries()) {
    const w = weights[j] as number;
    for (let p = 0; p < size; p++) {
      const q = (square[p] as number) * w;
      summed[p] = (summed[p] as number) + q;
      added[p] = (added[p] as number) + cauchy(q);
    }
  }
  return { summed, added };
}

/** The lower triangle L, where L Lᵀ is the covariance of what was measured. `shares`: of the noise, point by point. */
export function factored(
  scales: Scales,
  shares: readonly number[],
  { summed, added }: ReturnType<typeof pairsOf>,
): number[][] {
  let p = 0;
  const rows = shares.map((noiseShare, i) => {
    const row: number[] = [];
    for (let k = 0; k < i; k++, p++) row.push(covarianceOf(scales, summed[p] as number, added[p] as number));
    row.push(measuredVarianceOf(scales, noiseShare));
    return row;
  });
  return withEnoughNoise((extra) =>
    cholesky(extra === 0 ? rows : rows.map((row, i) => row.with(i, (row[i] as number) + extra))),
  );
}

/** An additive covariance of points on a grid is singular, and gaps can make it worse: then there is more noise than was thought. */
function withEnoughNoise<T>(attempt: (extra: number) => T): T {
  for (let extra = 0; ; extra = Math.max(jitter, 10 * extra))
    try {
      return attempt(extra);
    } catch (error) {
      if (!(error instanceof RangeError) || extra > 1) throw error;
    }
}

/** Points and the triangle of their covariance: the model, but for the outcomes. */
export interface Factor {
  readonly scales: Scales;
  readonly points: readonly (readonly number[])[];
  readonly lower: Matrix;
}

/** With one point more, measured once, in n² operations. */
export function withPoint(axes: readonly Axis[], { scales, points, lower }: Factor, point: readonly number[]): Factor {
  const summed = new Float64Array(points.length);
  const added = new Float64Array(points.length);
  for (const [j, column] of columnsOf(axes, points).entries())
    addTerm(squaresFrom(column, point[j] as number, scales.weights[j] as number), summed, added);
  const row = Array.from(summed, (sum, i) => covarianceOf(scales, sum, added[i] as number));
  const grown = withEnoughNoise((extra) => choleskyAppend(lower, [...row, measuredVarianceOf(scales) + extra]));
  return { scales, points: [...points, point], lower: grown };
}
