import {
  cauchy,
  choleskyInverse,
  dot,
  rationalQuadratic,
  rationalQuadraticSlope,
  solveLower,
  solveUpper,
  type Axis,
} from "../../kit/index.ts";
import { axesIn, factored, pairsOf, scalesOf, type Theta } from "./covariance.ts";

/** Independent normal distributions of theta. */
export interface Prior {
  readonly means: readonly number[];
  readonly sds: readonly number[];
}

/** Of one measurement, on the model's scale, with the degrees of freedom behind it. */
export interface Noise {
  readonly sd: number;
  readonly freedom: number;
}

/**
 * Before anything is seen: an axis matters over some four tenths of its range,
 * categories are more alike than not, and the additive part and the joint one
 * are worth the same; both vary twice as much where measurements are noisy.
 * The joint one reaches further; beyond 25 axes it counts the less of the
 * distance the more there are, so that points that differ on all are no further
 * apart. The noise is what repeats tell of it, as surely as they do: the
 * logarithm of a variance with f degrees of freedom is known to sqrt(2 / f).
 */
export const priorOf = (axes: readonly Axis[], noise?: Noise): Prior => ({
  means: [
    ...axes.map(({ isCategory }) => Math.log(isCategory ? 2 : 0.42)),
    0,
    noise ? Math.log(2) : 0,
    noise ? 2 * Math.log(noise.sd) : Math.log(0.01),
    Math.log(Math.min(0.4, 10 / axes.length)),
  ],
  sds: [...axes.map(() => 0.5), 1, 0.7, noise ? Math.max(0.3, Math.sqrt(2 / noise.freedom)) : 1.5, 0.5],
});

/** Outcomes on the model's scale, and what part of a measurement's noise each has: one over the number of measurements. */
export interface Measured {
  readonly y: readonly number[];
  readonly shares: readonly number[];
}

/** The gradient of the log posterior over theta, its value, and the triangle that it took. */
export function evidence(squares: readonly Float64Array[], { y, shares }: Measured, theta: Theta, prior: Prior) {
  const d = axesIn(theta);
  const scales = scalesOf(theta);
  const { weights, share, signal, each, whole, noise, joint } = scales;
  const { summed, added } = pairsOf(squares, scales);
  const lower = factored(scales, shares, { summed, added });
  const alpha = solveUpper(lower, solveLower(lower, y));
  const inverse = choleskyInverse(lower);
  const gradient = new Array<number>(theta.length).fill(0);
  // off the diagonal each pair counts twice, and the half of the formula takes that away
  let [toShare, toSignal, toNoise, toJoint] = [0, 0, 0, 0];
  const inner = new Float64Array(summed.length);
  const outer = new Float64Array(summed.length);
  for (let i = 0, p = 0; i < y.length; i++) {
    const a = alpha[i] as number;
    const row = inverse[i] as number[];
    for (let k = 0; k < i; k++, p++) {
      const g = a * (alpha[k] as number) - (row[k] as number);
      const s = (summed[p] as number) * joint;
      const [one, other] = [(added[p] as number) / d, rationalQuadratic(s)];
      const fall = g * whole * rationalQuadraticSlope(s);
      toShare += g * signal * (one - other);
      toSignal += g * (each * (added[p] as number) + whole * other);
      inner[p] = 2 * g * each;
      outer[p] = -2 * fall * joint;
      toJoint += fall * s;
    }
    const g = 0.5 * (a * a - (row[i] as number));
    toSignal += g * signal;
    toNoise += g * noise * (shares[i] as number);
  }
  for (let j = 0; j < d; j++) {
    const w = weights[j] as number;
    const square = squares[j] as Float64Array;
    let sum = 0;
    for (let p = 0; p < square.length; p++) {
      const q = (square[p] as number) * w;
      if (q === 0) continue;
      const r = cauchy(q);
      sum += q * ((inner[p] as number) * r * r + (outer[p] as number));
    }
    gradient[j] = sum;
  }
  gradient[d] = toShare * share * (1 - share);
  gradient[d + 1] = toSignal;
  gradient[d + 2] = toNoise;
  gradient[d + 3] = toJoint;
  let value = -0.5 * dot(y, alpha);
  for (let i = 0; i < y.length; i++) value -= Math.log((lower[i] as number[])[i] as number);
  for (let j = 0; j < theta.length; j++) {
    const off = ((theta[j] as number) - (prior.means[j] as number)) / (prior.sds[j] as number);
    value -= 0.5 * off * off;
    gradient[j] = (gradient[j] as number) - off / (prior.sds[j] as number);
  }
  return { value, gradient };
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
  measured: Measured,
  prior: Prior,
  rounds: number,
): Ascent {
  const theta = [...ascent.theta];
  const steps = [...ascent.steps];
  const signs = [...ascent.signs];
  for (let round = 0; round < rounds; round++) {
    const { gradient } = evidence(squares, measured, theta, prior);
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
