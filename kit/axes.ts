import { canonical } from "./json.ts";
import { complete, decode, encode, valuesOf, type Domain, type Space, type Value, type Values } from "./space.ts";

/** One number of a point: a place in [0, 1], or the number of a category. */
export interface Axis {
  readonly name: string;
  /** Which item, of a tuple (of a tuple within one). */
  readonly path: readonly number[];
  readonly domain: Exclude<Domain, { type: "tuple" }>;
  readonly isCategory: boolean;
  /** Places that it can take, in order; empty: all. */
  readonly levels: readonly number[];
}

/** Whole numbers with more values than this move like floats, and are rounded. */
const mostLevels = 1024;

/** The axes of a space, in its order; a tuple has one for each item. */
export const axesOf = (space: Space): Axis[] =>
  Object.entries(space.parameters).flatMap(([name, parameter]) => axesOfDomain(name, [], parameter));

function axesOfDomain(name: string, path: readonly number[], domain: Domain): Axis[] {
  if (domain.type === "tuple") return domain.items.flatMap((item, index) => axesOfDomain(name, [...path, index], item));
  const isCategory = domain.type === "bool" || (domain.type === "choice" && !domain.ordered);
  const isFine =
    domain.type === "float" ||
    (domain.type === "int" && domain.max - domain.min > mostLevels * (domain.step ?? 1) && domain.scale !== "pow2");
  const values = isFine ? [] : [...valuesOf(domain)];
  const levels = isCategory ? values.map((_, index) => index) : values.map((value) => placeOf(domain, value));
  return [{ name, path, domain, isCategory, levels }];
}

function placeOf(domain: Axis["domain"], value: Value): number {
  if (domain.type === "bool") return value === true ? 1 : 0;
  if (domain.type !== "choice") return encode(domain, value)[0] ?? NaN;
  const key = canonical(value);
  const index = Math.max(
    0,
    domain.values.findIndex((one) => canonical(one) === key),
  );
  return domain.ordered ? index / Math.max(1, domain.values.length - 1) : index;
}

/** A point's numbers; NaN where a parameter is inactive. */
export const placesOf = (axes: readonly Axis[], values: Values): number[] =>
  axes.map((axis) => {
    const value = valueOn(axis, values);
    return value === undefined ? NaN : placeOf(axis.domain, value);
  });

function valueOn({ name, path }: Axis, values: Values): Value | undefined {
  let value: Value | undefined = values[name];
  for (const item of path) value = (value as readonly Value[] | undefined)?.[item];
  return value;
}

/**
 * The values at these places: what is inactive there is left out, what became
 * active has its default, and what lies where `base` does is as it is there, to
 * the last digit.
 */
export function valuesAt(space: Space, axes: readonly Axis[], places: readonly number[], base: Values): Values {
  const wanted: Record<string, Value> = {};
  for (const [index, axis] of axes.entries()) {
    const { name, path, domain } = axis;
    const place = places[index] as number;
    if (Number.isNaN(place)) continue;
    const old = valueOn(axis, base);
    const value = old !== undefined && placeOf(domain, old) === place ? old : valueAt(domain, place);
    if (path.length === 0) wanted[name] = value;
    else wanted[name] = withItem(wanted[name] ?? base[name] ?? [], path, value);
  }
  return complete(space, {}, wanted);
}

/** The place that an axis can take nearest to this one; a category stays. */
export function snapPlace({ isCategory, levels }: Axis, place: number): number {
  if (isCategory) return place;
  if (levels.length === 0) return Math.min(1, Math.max(0, place));
  return levels[nearestLevel(levels, place)] as number;
}

/** Which of the places in rising order is nearest; of two, the lower one. */
export function nearestLevel(levels: readonly number[], place: number): number {
  let [low, high] = [0, levels.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((levels[middle] as number) <= place) low = middle;
    else high = middle;
  }
  return place - (levels[low] as number) <= (levels[high] as number) - place ? low : high;
}

/** Where the nearest place changes: halfway between each two in rising order. */
export const bordersOf = (levels: readonly number[]): number[] =>
  levels.slice(1).map((level, i) => (level + (levels[i] as number)) / 2);

function withItem(tuple: Value, [first = 0, ...rest]: readonly number[], value: Value): Value {
  const items = [...(tuple as readonly Value[])];
  items[first] = rest.length === 0 ? value : withItem(items[first] ?? [], rest, value);
  return items;
}

function valueAt(domain: Axis["domain"], place: number): Value {
  if (domain.type === "bool") return place >= 0.5;
  if (domain.type !== "choice") return decode(domain, [place]);
  const index = domain.ordered ? Math.round(place * (domain.values.length - 1)) : place;
  return domain.values[index] as Value;
}
