import { integer, nearestLevel, normalShare, truncatedDensity, truncatedQuantile, type Axis } from "../../kit/index.ts";

/** Points that count in full; older ones count less. */
const fresh = 25;

/**
 * A density over the whole space: a kernel at each point, joint over the parameters (Falkner, Klein and Hutter 2018), and
 * the whole space as one more (Watanabe 2023).
 */
export interface Mixture {
  readonly lines: readonly Line[];
  readonly centers: readonly (readonly number[])[];
  /** Of the centers, and at the end of the whole space. */
  readonly weights: readonly number[];
  /** Of each center on each line: standard deviations. */
  readonly widths: readonly (readonly number[])[];
}

/** An axis, with room for the outermost of few values: each has a cell of its own, so that none is rarer than the others. */
interface Line {
  readonly axis: Axis;
  readonly low: number;
  readonly high: number;
  /** Where the cells begin, and the last one ends; none where every place is a value. */
  readonly bounds: readonly number[];
}

function lineOf(axis: Axis): Line {
  const { isCategory, levels } = axis;
  const [first, second] = levels;
  if (isCategory || first === undefined || second === undefined) return { axis, low: 0, high: 1, bounds: [] };
  const low = first - (second - first) / 2;
  const [beforeLast, last] = levels.slice(-2) as [number, number];
  const high = last + (last - beforeLast) / 2;
  const between = levels.slice(1).map((level, i) => (level + (levels[i] as number)) / 2);
  return { axis, low, high, bounds: [low, ...between, high] };
}

/** `points`: oldest first; NaN where a parameter is inactive. */
export function mixtureOf(axes: readonly Axis[], points: readonly (readonly number[])[]): Mixture {
  const n = points.length;
  const raw = points.map((_, index) =>
    n <= fresh || index >= n - fresh ? 1 : 1 / n + ((1 - 1 / n) * index) / (n - fresh),
  );
  const total = raw.reduce((sum, weight) => sum + weight, 0) + 1;
  const lines = axes.map(lineOf);
  const columns = lines.map((line, j) =>
    widthsOf(
      line,
      points.map((point) => point[j] as number),
    ),
  );
  return {
    lines,
    centers: points,
    weights: [...raw, 1].map((weight) => weight / total),
    widths: points.map((_, i) => columns.map((column) => column[i] as number)),
  };
}

/**
 * The greater of the distances to the two neighbours (Bergstra et al. 2011, section 4.2; the outermost points have one, a
 * single one the farther end), and at least the line's length over the number of kernels.
 */
function widthsOf({ low, high }: Line, places: readonly number[]): number[] {
  const length = high - low;
  const least = length / Math.min(100, places.length + 2);
  const known = [...places.entries()].filter(([, place]) => !Number.isNaN(place)).sort(([, a], [, b]) => a - b);
  const widths = places.map(() => length);
  for (const [rank, [i, place]] of known.entries()) {
    const beside = [known[rank - 1], known[rank + 1]].flatMap((other) => (other ? [other[1]] : []));
    const gaps = (beside.length === 0 ? [low, high] : beside).map((other) => Math.abs(place - other));
    widths[i] = Math.min(length, Math.max(least, ...gaps));
  }
  return widths;
}

/** A point of the density. */
export function pointOf({ lines, centers, weights, widths }: Mixture, random: () => number): number[] {
  let left = random();
  let index = 0;
  while (index < weights.length - 1 && left >= (weights[index] as number)) left -= weights[index++] as number;
  return lines.map(({ axis: { isCategory, levels }, low, high }, j) => {
    const mean = centers[index]?.[j] ?? NaN;
    const isOpen = Number.isNaN(mean);
    if (isCategory)
      return !isOpen && random() < staying(weights.length, levels.length) ? mean : integer(random, levels.length);
    const share = random();
    const sd = widths[index]?.[j] ?? NaN;
    const place = isOpen ? low + share * (high - low) : truncatedQuantile({ mean, sd, low, high }, share);
    return levels.length === 0 ? place : (levels[nearestLevel(levels, place)] as number);
  });
}

/** How likely a kernel keeps its category instead of drawing one: each has a count of one over the kernels, its own one more. */
const staying = (kernels: number, categories: number): number => kernels / (kernels + categories);

/** The logarithm of the density; where a line has few values, of the chance. */
export function logDensity({ lines, centers, weights, widths }: Mixture, point: readonly number[]): number {
  let sum = 0;
  for (const [index, weight] of weights.entries()) {
    let density = weight;
    for (let j = 0; j < lines.length && density > 0; j++) {
      const [line, place, mean] = [lines[j] as Line, point[j] as number, centers[index]?.[j] ?? NaN];
      density *= line.axis.isCategory
        ? chanceOf(line, place, mean, weights.length)
        : densityOn(line, place, mean, widths[index]?.[j] ?? NaN);
    }
    sum += density;
  }
  return Math.log(Math.max(sum, Number.MIN_VALUE));
}

function chanceOf({ axis: { levels } }: Line, place: number, mean: number, kernels: number): number {
  const stays = Number.isNaN(place) || Number.isNaN(mean) ? 0 : staying(kernels, levels.length);
  return (place === mean ? stays : 0) + (1 - stays) / levels.length;
}

function densityOn({ axis, low, high, bounds }: Line, place: number, mean: number, sd: number): number {
  const isOpen = Number.isNaN(mean);
  if (Number.isNaN(place)) return 1;
  if (bounds.length === 0) return isOpen ? 1 : truncatedDensity({ mean, sd, low, high }, place);
  const cell = nearestLevel(axis.levels, place);
  const [from, to] = [bounds[cell] as number, bounds[cell + 1] as number];
  if (isOpen) return (to - from) / (high - low);
  const below = (end: number): number => normalShare((end - mean) / sd);
  return (below(to) - below(from)) / (below(high) - below(low));
}
