import {
  bordersOf,
  integer,
  nearestLevel,
  normalShare,
  snapPlace,
  truncatedDensity,
  truncatedQuantile,
  type Axis,
} from "../../kit/index.ts";

/** Points that count in full; older ones count less. */
const fresh = 25;

/**
 * A density over the whole space: a kernel at each point, joint over the parameters (Falkner, Klein and Hutter 2018), and
 * the whole space as one more (Watanabe 2023).
 */
export interface Mixture {
  readonly supports: readonly Support[];
  readonly centers: readonly (readonly number[])[];
  /** Of the centers, and at the end of the whole space. */
  readonly weights: readonly number[];
  /** Standard deviations: for each axis, of all centers. */
  readonly bandwidths: readonly (readonly number[])[];
}

/** Where a density is on an axis. Each of few values has a cell of its own; the outermost reach out, so as to be no rarer than others. */
export interface Support {
  readonly axis: Axis;
  readonly low: number;
  readonly high: number;
  /** Where the cells begin, and the last one ends; none where every place is a value. */
  readonly bounds: readonly number[];
}

export function supportOf(axis: Axis): Support {
  const { isCategory, levels } = axis;
  const borders = isCategory ? [] : bordersOf(levels);
  const [first, last] = [borders[0], borders.at(-1)];
  if (first === undefined || last === undefined) return { axis, low: 0, high: 1, bounds: [] };
  const low = 2 * (levels[0] as number) - first;
  const high = 2 * (levels.at(-1) as number) - last;
  return { axis, low, high, bounds: [low, ...borders, high] };
}

/** `points`: oldest first; NaN where a parameter is inactive. */
export function mixtureOf(supports: readonly Support[], points: readonly (readonly number[])[]): Mixture {
  const n = points.length;
  const raw = points.map((_, index) =>
    n <= fresh || index >= n - fresh ? 1 : 1 / n + ((1 - 1 / n) * index) / (n - fresh),
  );
  const total = raw.reduce((sum, weight) => sum + weight, 0) + 1;
  return {
    supports,
    centers: points,
    weights: [...raw, 1].map((weight) => weight / total),
    bandwidths: supports.map((support, j) => {
      const places = points.map((point) => point[j] as number);
      return bandwidthsOf(support, places);
    }),
  };
}

/**
 * The greater of the distances to the two neighbours (Bergstra et al. 2011, section 4.2; the outermost points have one, a
 * single one the farther end), and at least the length of the support over the number of kernels.
 */
function bandwidthsOf({ low, high }: Support, places: readonly number[]): number[] {
  const length = high - low;
  const least = length / Math.min(100, places.length + 2);
  const known = [...places.entries()].filter(([, place]) => !Number.isNaN(place)).sort(([, a], [, b]) => a - b);
  const bandwidths = places.map(() => length);
  for (const [rank, [i, place]] of known.entries()) {
    const beside = [known[rank - 1], known[rank + 1]].flatMap((other) => (other ? [other[1]] : []));
    const gaps = (beside.length === 0 ? [low, high] : beside).map((other) => Math.abs(place - other));
    bandwidths[i] = Math.min(length, Math.max(least, ...gaps));
  }
  return bandwidths;
}

/** A point of the density. */
export function pointOf({ supports, centers, weights, bandwidths }: Mixture, random: () => number): number[] {
  let left = random();
  let index = 0;
  while (index < weights.length - 1 && left >= (weights[index] as number)) left -= weights[index++] as number;
  return supports.map(({ axis, low, high }, j) => {
    const mean = centers[index]?.[j] ?? NaN;
    const isOpen = Number.isNaN(mean);
    if (axis.isCategory) {
      const categories = axis.levels.length;
      return !isOpen && random() < staying(weights.length, categories) ? mean : integer(random, categories);
    }
    const share = random();
    const sd = bandwidths[j]?.[index] ?? NaN;
    return snapPlace(axis, isOpen ? low + share * (high - low) : truncatedQuantile({ mean, sd, low, high }, share));
  });
}

/** How likely a kernel keeps its category instead of drawing one: each has a count of one over the kernels, its own one more. */
const staying = (kernels: number, categories: number): number => kernels / (kernels + categories);

/** The logarithm of the density; where an axis has few values, of the chance. */
export function logDensity({ supports, centers, weights, bandwidths }: Mixture, point: readonly number[]): number {
  let sum = 0;
  for (const [index, weight] of weights.entries()) {
    let density = weight;
    for (let j = 0; j < supports.length && density > 0; j++) {
      const [support, place, mean] = [supports[j] as Support, point[j] as number, centers[index]?.[j] ?? NaN];
      density *= support.axis.isCategory
        ? chanceOf(support, place, mean, weights.length)
        : densityOn(support, place, mean, bandwidths[j]?.[index] ?? NaN);
    }
    sum += density;
  }
  return Math.log(Math.max(sum, Number.MIN_VALUE));
}

function chanceOf({ axis: { levels } }: Support, place: number, mean: number, kernels: number): number {
  const stays = Number.isNaN(place) || Number.isNaN(mean) ? 0 : staying(kernels, levels.length);
  return (place === mean ? stays : 0) + (1 - stays) / levels.length;
}

function densityOn({ axis, low, high, bounds }: Support, place: number, mean: number, sd: number): number {
  const isOpen = Number.isNaN(mean);
  if (Number.isNaN(place)) return 1;
  if (bounds.length === 0) return isOpen ? 1 : truncatedDensity({ mean, sd, low, high }, place);
  const cell = nearestLevel(axis.levels, place);
  const [from, to] = [bounds[cell] as number, bounds[cell + 1] as number];
  if (isOpen) return (to - from) / (high - low);
  const below = (end: number): number => normalShare((end - mean) / sd);
  return (below(to) - below(from)) / (below(high) - below(low));
}
