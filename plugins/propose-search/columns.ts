import { cauchy } from "../../kit/index.ts";

/** The places of many points on one axis. */
export interface Column {
  readonly places: Float64Array;
  readonly isCategory: boolean;
  /** Some are NaN: the parameter is inactive there. */
  readonly hasGaps: boolean;
}

export const columnsOf = (axes: readonly { isCategory: boolean }[], points: readonly (readonly number[])[]): Column[] =>
  axes.map(({ isCategory }, j) => {
    const places = new Float64Array(points.length);
    let hasGaps = false;
    for (let i = 0; i < places.length; i++) {
      const place = (points[i] as readonly number[])[j] as number;
      places[i] = place;
      hasGaps ||= Number.isNaN(place);
    }
    return { places, isCategory, hasGaps };
  });

/** The squared distance of what only one of two points has: that of two places anywhere, in the mean. */
const gap = 1 / 6;

/** The squared distance of two places on one axis. Another category counts as the whole range. */
export function squareOf(isCategory: boolean, a: number, b: number): number {
  if (a === b) return 0;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b) ? 0 : gap;
  return isCategory ? 1 : (a - b) * (a - b);
}

/** Squared distances, times the weight, of a place to the first of the column's. */
export function squaresFrom(
  { places, isCategory, hasGaps }: Column,
  at: number,
  weight: number,
  into = new Float64Array(places.length),
): Float64Array {
  if (isCategory || hasGaps || Number.isNaN(at))
    for (let i = 0; i < into.length; i++) into[i] = weight * squareOf(isCategory, at, places[i] as number);
  else
    for (let i = 0; i < into.length; i++) {
      const step = at - (places[i] as number);
      into[i] = weight * step * step;
    }
  return into;
}

/** Adds one axis: its part of the squared distances, and of the additive covariance. */
export function addTerm(squares: Float64Array, sums: Float64Array, adds: Float64Array): void {
  for (let i = 0; i < squares.length; i++) {
    const q = squares[i] as number;
    sums[i] = (sums[i] as number) + q;
    adds[i] = (adds[i] as number) + cauchy(q);
  }
}
