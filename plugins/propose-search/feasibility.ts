import { cauchy, cholesky, normalShare, solveLower, solveUpper, type Axis } from "../../kit/index.ts";
import { columnsOf, squaresFrom, type Column } from "./columns.ts";
import type { Tried } from "./knowledge.ts";
import { nearest } from "./model.ts";

/** Believed of a point of which nothing is known, as a place on the normal distribution: crashes are rare around a baseline that runs. */
const prior = -1;
/** Variance of the rise along the whole of an axis, of what is local, of the labels; how far what is local reaches. */
const slope = 8;
const local = 0.5;
const noise = 0.15;
const length = 0.3;
const spread = 0.8;
/** Points of each label at the most, the nearest. */
const most = 20;

/**
 * The chance that a point crashes, for each kind of crash a classifier of its
 * own: regression of the labels by a Gaussian process (Rasmussen and Williams
 * 2006, section 6.5) whose covariance has a linear part around the best point,
 * so that one crash with a larger size makes all larger sizes suspect, and a
 * local one. The product over the kinds is the chance to run through, by which
 * expected improvement is multiplied (Gelbart, Snoek and Adams 2014).
 */
export function crashChance(
  axes: readonly Axis[],
  tried: readonly Tried[],
  center: readonly number[],
): (point: readonly number[]) => number {
  const crashed = tried.filter(({ crash }) => crash !== undefined);
  if (crashed.length === 0) return () => 0;
  const fine = nearest(
    axes,
    tried.filter(({ losses }) => losses.length > 0),
    center,
    most,
  );
  const kinds = [...new Set(crashed.map(({ crash }) => crash))];
  const each = kinds.map((kind) =>
    classifier(
      axes,
      fine,
      nearest(
        axes,
        crashed.filter(({ crash }) => crash === kind),
        center,
        most,
      ),
      center,
    ),
  );
  return (point) => 1 - each.reduce((product, chance) => product * (1 - chance(point)), 1);
}

function classifier(
  axes: readonly Axis[],
  fine: readonly Tried[],
  crashed: readonly Tried[],
  center: readonly number[],
): (point: readonly number[]) => number {
  const points = [...fine, ...crashed].map(({ places }) => places);
  const labels = [...fine.map(() => -1 - prior), ...crashed.map(() => 1 - prior)];
  const columns = columnsOf(axes, points);
  const weights = axes.map(({ isCategory }) => (isCategory ? 1 : 1 / (length * length)));
  const n = points.length;
  /** Along numbers, from the center: how far to the same side both points lie. */
  const alongOn = (axis: number, place: number, into: Float64Array): void => {
    const middle = center[axis] as number;
    const step = place - middle;
    const { places, isCategory } = columns[axis] as Column;
    if (isCategory || Number.isNaN(step) || step === 0) return;
    for (let i = 0; i < n; i++) {
      const other = (places[i] as number) - middle;
      if (other === other) into[i] = (into[i] as number) + step * other;
    }
  };
  const term = new Float64Array(n);
  const squaresOn = (axis: number, place: number, into: Float64Array, sign: 1 | -1): void => {
    squaresFrom(columns[axis] as Column, place, weights[axis] as number, term);
    for (let i = 0; i < n; i++) into[i] = (into[i] as number) + sign * (term[i] as number);
  };
  // the center is where most questions come from: there the line is flat, and on an axis that has not moved nothing changes
  const atCenter = new Float64Array(n);
  for (let j = 0; j < axes.length; j++) squaresOn(j, center[j] as number, atCenter, 1);
  const [squares, along, answer] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  /** Valid until the next call. */
  const covariances = (point: readonly number[]): Float64Array => {
    squares.set(atCenter);
    along.fill(0);
    for (let j = 0; j < axes.length; j++) {
      if (point[j] === center[j]) continue;
      squaresOn(j, center[j] as number, squares, -1);
      squaresOn(j, point[j] as number, squares, 1);
      alongOn(j, point[j] as number, along);
    }
    for (let i = 0; i < n; i++)
      answer[i] = slope * (along[i] as number) + local * cauchy(Math.max(0, squares[i] as number));
    return answer;
  };
  const lower = cholesky(
    points.map((point, i) => [...covariances(point).subarray(0, i + 1)].map((one, k) => (i === k ? one + noise : one))),
  );
  const solved = solveUpper(lower, solveLower(lower, labels));
  return (point) => {
    const k = covariances(point);
    let latent = prior;
    for (let i = 0; i < n; i++) latent += (k[i] as number) * (solved[i] as number);
    return normalShare(latent / spread);
  };
}
