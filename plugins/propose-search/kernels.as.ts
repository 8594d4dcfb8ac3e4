// What the surrogate computes of every candidate, two numbers at once. A pointer is a byte; an array has an even count of
// numbers, of which one more than there are points may be there for the second lane alone. The plain form of each is in
// columns.ts and covariance.ts.

const zero = f64x2.splat(0);
const one = f64x2.splat(1);
const gap = f64x2.splat(1.0 / 6.0);

/** What an axis has: kernels.ts. */
const NUMBERS = 0;
const CATEGORIES = 2;

/** Squared distances, times the weight, of a place to two others on its axis. */
// @ts-ignore: decorator
@inline
function squares(place: f64, other: v128, weight: f64, isPlain: bool, isCategory: bool): v128 {
  const at = f64x2.splat(place);
  const step = f64x2.sub(at, other);
  const near = f64x2.mul(step, step);
  if (isPlain) return f64x2.mul(f64x2.splat(weight), near);
  const apart = isCategory ? v128.and(f64x2.ne(at, other), one) : near;
  const isGap = f64x2.ne(other, other);
  const isOpen = place != place;
  return f64x2.mul(f64x2.splat(weight), isOpen ? v128.bitselect(zero, gap, isGap) : v128.bitselect(gap, apart, isGap));
}

// @ts-ignore: decorator
@inline
function cauchy(squared: v128): v128 {
  return f64x2.div(one, f64x2.add(one, squared));
}

/** Sets an axis of the anchor: what it adds goes into the sums, and stays behind the axis' places. */
export function anchor(bytes: usize, axis: usize, place: f64, weight: f64, kind: i32, sums: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) {
    const squared = squares(place, v128.load(axis + at), weight, false, kind == CATEGORIES);
    const kernel = cauchy(squared);
    v128.store(axis + bytes + at, squared);
    v128.store(axis + 2 * bytes + at, kernel);
    v128.store(sums + at, f64x2.add(v128.load(sums + at), squared));
    v128.store(sums + bytes + at, f64x2.add(v128.load(sums + bytes + at), kernel));
  }
}

/** Puts an axis elsewhere than at the anchor. */
export function move(bytes: usize, axis: usize, place: f64, weight: f64, kind: i32, sums: usize): void {
  // the second is twice as fast, and what most axes need
  if (kind != NUMBERS || place != place) moveOn(bytes, axis, place, weight, false, kind == CATEGORIES, sums);
  else moveOn(bytes, axis, place, weight, true, false, sums);
}

// @ts-ignore: decorator
@inline
function moveOn(
  bytes: usize,
  axis: usize,
  place: f64,
  weight: f64,
  isPlain: bool,
  isCategory: bool,
  sums: usize,
): void {
  for (let at: usize = 0; at < bytes; at += 16) {
    const squared = squares(place, v128.load(axis + at), weight, isPlain, isCategory);
    const squaredBy = f64x2.sub(squared, v128.load(axis + bytes + at));
    const kernelBy = f64x2.sub(cauchy(squared), v128.load(axis + 2 * bytes + at));
    v128.store(sums + at, f64x2.add(v128.load(sums + at), squaredBy));
    v128.store(sums + bytes + at, f64x2.add(v128.load(sums + bytes + at), kernelBy));
  }
}

/** Covariances with all points, into `k`, by the sums; gives their product with `alpha`, the mean. */
export function covariances(
  count: usize,
  bytes: usize,
  sums: usize,
  each: f64,
  whole: f64,
  joint: f64,
  alpha: usize,
  k: usize,
): f64 {
  const quarter = f64x2.splat(joint / 4);
  let mean = zero;
  for (let at: usize = 0; at < bytes; at += 16) {
    const squared = f64x2.max(zero, v128.load(sums + at));
    const added = f64x2.mul(f64x2.splat(each), v128.load(sums + bytes + at));
    const base = f64x2.add(one, f64x2.mul(squared, quarter));
    const covariance = f64x2.add(f64x2.add(one, added), f64x2.div(f64x2.splat(whole), f64x2.mul(base, base)));
    v128.store(k + at, covariance);
    mean = f64x2.add(mean, f64x2.mul(covariance, v128.load(alpha + at)));
  }
  if (count & 1) store<f64>(k + (count << 3), 0);
  return f64x2.extract_lane(mean, 0) + f64x2.extract_lane(mean, 1);
}

export function largest(bytes: usize, k: usize): f64 {
  let most = zero;
  for (let at: usize = 0; at < bytes; at += 16) most = f64x2.max(most, v128.load(k + at));
  return max(f64x2.extract_lane(most, 0), f64x2.extract_lane(most, 1));
}

/** Solves rows `from` to `to` of L x = k in place, where those before are solved; gives the sum of their squares. `lower`: row after row. */
export function solve(lower: usize, k: usize, from: usize, to: usize): f64 {
  let at = lower + ((from * (from + 1)) << 2);
  let total: f64 = 0;
  for (let row = from; row < to; row++) {
    const end = k + (row << 3);
    const fours = k + ((row & ~3) << 3);
    let a = zero;
    let b = zero;
    let other = k;
    for (; other < fours; other += 32, at += 32) {
      a = f64x2.add(a, f64x2.mul(v128.load(at), v128.load(other)));
      b = f64x2.add(b, f64x2.mul(v128.load(at, 16), v128.load(other, 16)));
    }
    a = f64x2.add(a, b);
    let rest = load<f64>(end) - (f64x2.extract_lane(a, 0) + f64x2.extract_lane(a, 1));
    for (; other < end; other += 8, at += 8) rest -= load<f64>(at) * load<f64>(other);
    rest /= load<f64>(at);
    at += 8;
    store<f64>(end, rest);
    total += rest * rest;
  }
  return total;
}
