import { cholesky, normalShare, solveLower, solveUpper, dot, type Axis } from "../../kit/index.ts";
import { squareOn } from "./surrogate.ts";
import { tuning } from "./tuning.ts";
import type { Tried } from "./history.ts";

/** Believed of a point far from all that was tried: crashes are rare around a baseline that runs. */
const mostPoints = 48;

/**
 * The chance that a point crashes, for each kind of crash a classifier of its
 * own: regression of the labels by a Gaussian process (Rasmussen and Williams
 * 2006, section 6.5) whose covariance has a linear part around the best point,
 * so that one crash with a larger size makes all larger sizes suspect, and a
 * local one. The product over the kinds is the chance to run through, by which
 * expected improvement is multiplied (Gelbart, Snoek and Adams 2014).
 */
export function crashChance(axes: readonly Axis[], tried: readonly Tried[], center: readonly number[]): (point: readonly number[]) => number {
  const crashed = tried.filter(({ crash }) => crash !== undefined);
  if (crashed.length === 0) return () => 0;
  const far = (one: Tried): number => axes.reduce((sum, { isCategory }, j) => sum + squareOn(isCategory, one.places[j] as number, center[j] as number), 0);
  const near = (list: readonly Tried[], count: number): Tried[] =>
    list.length <= count ? [...list] : list.map((one) => ({ one, at: far(one) })).sort((a, b) => a.at - b.at).slice(0, count).map(({ one }) => one);
  const fine = near(tried.filter(({ losses }) => losses.length > 0), mostPoints / 2);
  const kinds = [...new Set(crashed.map(({ crash }) => crash))];
  const each = kinds.map((kind) => classifier(axes, fine, near(crashed.filter(({ crash }) => crash === kind), mostPoints / 2), center));
  return (point) => 1 - each.reduce((product, chance) => product * (1 - chance(point)), 1);
}

function classifier(axes: readonly Axis[], fine: readonly Tried[], crashed: readonly Tried[], center: readonly number[]): (point: readonly number[]) => number {
  const { prior, slope, local, length, noise } = tuning.crash;
  const points = [...fine, ...crashed].map(({ places }) => places);
  const labels = [...fine.map(() => -1 - prior), ...crashed.map(() => 1 - prior)];
  const scale = 1 / (length * length);
  const covariance = (a: readonly number[], b: readonly number[]): number => {
    let [line, squares] = [0, 0];
    for (let j = 0; j < axes.length; j++) {
      const { isCategory } = axes[j] as Axis;
      const [from, to, middle] = [a[j] as number, b[j] as number, center[j] as number];
      const product = isCategory ? 0 : (from - middle) * (to - middle);
      if (product === product) line += product;
      squares += squareOn(isCategory, from, to) * (isCategory ? 1 : scale);
    }
    return slope * line + local / (1 + squares);
  };
  const lower = cholesky(points.map((point, i) => points.slice(0, i + 1).map((other, k) => covariance(point, other) + (i === k ? noise : 0))));
  const weights = solveUpper(lower, solveLower(lower, labels));
  return (point) => {
    const k = points.map((other) => covariance(point, other));
    const v = solveLower(lower, k);
    const spread = Math.max(0, covariance(point, point) - dot(v, v)) + noise;
    return normalShare((prior + dot(k, weights)) / Math.sqrt(spread));
  };
}
