import { integer, nearestLevel, normal, snapPlace, type Axis } from "../../kit/index.ts";

export interface Reach {
  /** Standard deviation of a step, as a share of the range. */
  step: number;
  /** Axes that may move, where a point has them, and how likely each is drawn. */
  free: readonly number[];
  chances: readonly number[];
}

/** Of these axes, those that a point has: the parameters of the others are inactive there. */
const presentIn = (point: readonly number[], axes: readonly number[]): number[] =>
  axes.filter((axis) => !Number.isNaN(point[axis]));

const factors = [0.25, 0.5, 1, 1, 2] as const;

/** A place near another one on one axis; a place that is not that one. */
export function moveOn({ isCategory, levels }: Axis, from: number, random: () => number, step: number): number {
  if (isCategory) {
    if (levels.length < 2) return from;
    const other = integer(random, levels.length - 1);
    return other < from ? other : other + 1;
  }
  const length = normal(random) * step;
  const to = from + length;
  if (levels.length === 0) return Math.min(1, Math.max(0, to));
  if (levels.length === 1) return from;
  const at = nearestLevel(levels, from);
  const target = nearestLevel(levels, to);
  if (target !== at) return levels[target] as number;
  const next = length > 0 ? at + 1 : at - 1;
  return levels[next < 0 ? 1 : next >= levels.length ? levels.length - 2 : next] as number;
}

/** One of the axes, but those that are taken. */
function draw(random: () => number, { free, chances }: Reach, taken: readonly number[]): number {
  let total = 0;
  for (let i = 0; i < free.length; i++) if (!taken.includes(free[i] as number)) total += chances[i] as number;
  let left = random() * total;
  let last = free[0] as number;
  for (let i = 0; i < free.length; i++) {
    if (taken.includes(free[i] as number)) continue;
    last = free[i] as number;
    left -= chances[i] as number;
    if (left < 0) break;
  }
  return last;
}

/** One to three axes moved (four in ten times one, a quarter three): good changes of a good baseline are sparse. */
export function sparseMove(
  axes: readonly Axis[],
  from: readonly number[],
  random: () => number,
  reach: Reach,
): number[] {
  const to = [...from];
  const share = random();
  const taken = reach.free.filter((axis) => Number.isNaN(from[axis]));
  const count = Math.min(reach.free.length - taken.length, share < 0.4 ? 1 : share < 0.75 ? 2 : 3);
  for (let n = 0; n < count; n++) {
    const axis = draw(random, reach, taken);
    taken.push(axis);
    const step = reach.step * (factors[integer(random, factors.length)] as number);
    to[axis] = moveOn(axes[axis] as Axis, from[axis] as number, random, step);
  }
  return to;
}

/** One to three of the axes on which another point differs, taken over from it, with what it alone has. */
export function crossing(
  from: readonly number[],
  other: readonly number[],
  random: () => number,
  free: readonly number[],
): number[] {
  const to = [...from];
  const shared = presentIn(other, presentIn(from, free));
  const differing = shared.filter((axis) => from[axis] !== other[axis]);
  const count = Math.min(differing.length, 1 + integer(random, 3));
  for (let n = 0; n < count; n++) {
    const axis = differing[integer(random, differing.length)] as number;
    to[axis] = other[axis] as number;
  }
  for (const axis of free) if (Number.isNaN(from[axis])) to[axis] = other[axis] as number;
  return to;
}

/** Every free axis moved a little, as where the best lies across the axes. */
export function denseMove(
  axes: readonly Axis[],
  from: readonly number[],
  random: () => number,
  { free, step }: Reach,
): number[] {
  const to = [...from];
  const present = presentIn(from, free);
  const length = (step * 1.5) / Math.sqrt(Math.max(1, present.length));
  for (const index of present) {
    const axis = axes[index] as Axis;
    if (axis.isCategory) {
      if (random() < 1 / present.length) to[index] = moveOn(axis, from[index] as number, random, step);
    } else to[index] = snapPlace(axis, (from[index] as number) + normal(random) * length);
  }
  return to;
}

/** The difference of two good points added: long where the good points are spread (differential evolution, Storn and Price 1997). */
export function differenceMove(
  axes: readonly Axis[],
  from: readonly number[],
  a: readonly number[],
  b: readonly number[],
  random: () => number,
  free: readonly number[],
): number[] {
  const to = [...from];
  const factor = 0.3 + 0.9 * random();
  for (const index of free) {
    const [one, other] = [a[index] as number, b[index] as number];
    if (one === other || Number.isNaN(one + other)) continue;
    const axis = axes[index] as Axis;
    if (axis.isCategory) {
      if (random() < 0.5) to[index] = one;
    } else to[index] = snapPlace(axis, (from[index] as number) + factor * (one - other));
  }
  return to;
}

/** Anywhere. */
export function anyPlace(
  axes: readonly Axis[],
  from: readonly number[],
  random: () => number,
  free: readonly number[],
): number[] {
  const to = [...from];
  for (const index of free) {
    const { isCategory, levels } = axes[index] as Axis;
    to[index] = isCategory
      ? integer(random, levels.length)
      : levels.length === 0
        ? random()
        : (levels[integer(random, levels.length)] as number);
  }
  return to;
}

/** Each axis from one of these points. */
export function mixture(
  from: readonly number[],
  elite: readonly (readonly number[])[],
  random: () => number,
  free: readonly number[],
): number[] {
  const to = [...from];
  for (const index of free) {
    const place = (elite[integer(random, elite.length)] as readonly number[])[index] as number;
    if (!Number.isNaN(place)) to[index] = place;
  }
  return to;
}
