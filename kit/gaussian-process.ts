import { matern } from "./covariances.ts";
import { cholesky, dot, solveLower, solveUpper, type Matrix } from "./linear.ts";
import { mean, variance } from "./stats.ts";

/** What a fitted process says of a point: mean and standard deviation, in the unit of what was observed. */
export type Prediction = { mean: number; sd: number };

export interface GaussianProcess {
  predict(point: readonly number[]): Prediction;
  /** What the fit chose: length scale of the kernel, share of the variance that is noise, log marginal likelihood. */
  readonly length: number;
  readonly noise: number;
  readonly logLikelihood: number;
}

/** Points beyond this are refused: the fit costs their number to the third power. */
const mostPoints = 128;

/**
 * Regression by a Gaussian process with a Matérn 5/2 kernel on points in
 * [0, 1]^d (`coordinates` makes them of values): the observations are
 * standardised, length scale and noise are those of the given ones with the
 * highest marginal likelihood (Rasmussen and Williams, Gaussian Processes for
 * Machine Learning, 2006, sections 2.2, 4.2.1 and 5.4.1).
 * @throws RangeError with fewer than two or more than 128 points
 */
export function gaussianProcess(
  points: Matrix,
  observed: readonly number[],
  {
    lengths = [0.15, 0.3, 0.6, 1.2],
    noises = [1e-3, 0.05],
  }: { lengths?: readonly number[]; noises?: readonly number[] } = {},
): GaussianProcess {
  if (points.length !== observed.length || points.length < 2 || points.length > mostPoints)
    throw new RangeError(
      `2 to ${mostPoints} points with a value each are allowed, not ${points.length} with ${observed.length}`,
    );
  const middle = mean(observed);
  const scale = Math.sqrt(variance(observed)) || 1;
  const y = observed.map((value) => (value - middle) / scale);
  const distances = points.map((a, i) => points.slice(0, i + 1).map((b) => distanceBetween(a, b)));
  const fits = lengths.flatMap((length) => {
    const correlations = distances.map((row) => row.map((r) => matern(r / length)));
    return noises.map((noise) => ({ length, ...fit(correlations, y, noise) }));
  });
  const best = fits.reduce((a, b) => (b.logLikelihood > a.logLikelihood ? b : a));
  return {
    ...best,
    predict(point) {
      const k = points.map((other) => (1 - best.noise) * matern(distanceBetween(point, other) / best.length));
      const v = solveLower(best.lower, k);
      return {
        mean: middle + scale * dot(k, best.weights),
        sd: scale * Math.sqrt(Math.max(0, 1 - best.noise - dot(v, v))),
      };
    },
  };
}

function distanceBetween(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return Math.sqrt(sum);
}

function fit(correlations: Matrix, y: readonly number[], noise: number) {
  const signal = 1 - noise;
  const covariance = correlations.map((row, i) => row.map((share, j) => (i === j ? 1 + 1e-9 : signal * share)));
  const lower = cholesky(covariance);
  const weights = solveUpper(lower, solveLower(lower, y));
  const logDeterminant = lower.reduce((sum, row, i) => sum + Math.log(row[i] as number), 0);
  const logLikelihood = -0.5 * dot(y, weights) - logDeterminant - 0.5 * y.length * Math.log(2 * Math.PI);
  return { lower, weights, noise, logLikelihood };
}

/** How much the expected minimum below `best` is worth at this prediction (Jones, Schonlau and Welch 1998, section 4). */
export function expectedImprovement({ mean: middle, sd }: Prediction, best: number): number {
  if (sd <= 0) return Math.max(0, best - middle);
  const z = (best - middle) / sd;
  return (best - middle) * normalShare(z) + sd * Math.exp(-0.5 * z * z) * 0.3989422804014327;
}

/** Share of the standard normal distribution below z (Abramowitz and Stegun 26.2.17; error below 7.5e-8). */
export function normalShare(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const tail =
    0.3989422804014327 *
    Math.exp(-0.5 * z * z) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z > 0 ? 1 - tail : tail;
}
