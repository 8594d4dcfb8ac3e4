import { cauchy, cholesky, dot, normalShare, solveLower, solveUpper, type Axis } from "../../kit/index.ts";
import { columnsOf, squaresFrom } from "./columns.ts";
import type { Tried } from "./knowledge.ts";
import { nearest } from "./model.ts";

/** Believed of a point of which nothing is known, as a place on the normal distribution: crashes are rare around a baseline that runs. */
const prior = -1;
/** Labels: what ran through is below the prior, so that it vouches for what is near it. */
const labels = { fine: -2, crashed: 1 } as const;
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
  const offsets = [...fine.map(() => labels.fine - prior), ...crashed.map(() => labels.crashed - prior)];
  const n = points.length;
  // the center is where most questions come from: there the line is flat, and on an axis that has not moved nothing changes
  const atCenter = new Float64Array(n);
  const parts = columnsOf(axes, points).map((column, j) => {
    const { places, isCategory } = column;
    const [middle, weight] = [center[j] as number, isCategory ? 1 : 1 / (length * length)];
    const squares = squaresFrom(column, middle, weight);
    for (let i = 0; i < n; i++) atCenter[i] = (atCenter[i] as number) + (squares[i] as number);
    const steps = new Float64Array(n);
    for (let i = 0; i < n; i++) steps[i] = stepFrom(middle, places[i] as number, isCategory);
    return { column, middle, weight, squares, steps };
  });
  const [moved, squared, along] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  const covariances = (point: readonly number[]): number[] => {
    squared.set(atCenter);
    along.fill(0);
    for (let j = 0; j < parts.length; j++) {
      const { column, middle, weight, squares, steps } = parts[j] as (typeof parts)[number];
      const place = point[j] as number;
      if (Object.is(place, middle)) continue;
      squaresFrom(column, place, weight, moved);
      const step = stepFrom(middle, place, column.isCategory);
      for (let i = 0; i < n; i++) {
        squared[i] = (squared[i] as number) + (moved[i] as number) - (squares[i] as number);
        along[i] = (along[i] as number) + step * (steps[i] as number);
      }
    }
    const all: number[] = [];
    for (let i = 0; i < n; i++)
      all.push(slope * (along[i] as number) + local * cauchy(Math.max(0, squared[i] as number)));
    return all;
  };
  const lower = cholesky(
    points.map((point, i) => {
      const row = covariances(point).slice(0, i + 1);
      row[i] = (row[i] as number) + noise;
      return row;
    }),
  );
  const solved = solveUpper(lower, solveLower(lower, offsets));
  return (point) => normalShare((prior + dot(covariances(point), solved)) / spread);
}

/** How far a place lies to one side of the center; the line does not rise along categories and gaps. */
const stepFrom = (middle: number, place: number, isCategory: boolean): number =>
  isCategory || Number.isNaN(place - middle) ? 0 : place - middle;
