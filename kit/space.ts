import { canonical } from "./json.ts";

export type Value = number | string | boolean | readonly Value[];
export type Values = Readonly<Record<string, Value>>;

export type Domain =
  | { type: "float"; min: number; max: number; scale?: "linear" | "log" }
  | { type: "int"; min: number; max: number; scale?: "linear" | "log" | "pow2"; step?: number }
  | { type: "bool" }
  | { type: "choice"; values: readonly Value[]; ordered?: boolean }
  | { type: "tuple"; items: readonly Domain[] };

/** `when`: the parameter exists only while the other ones have one of the given values. */
export type Parameter = Domain & { default?: Value; when?: Readonly<Record<string, readonly Value[]>> };

export interface Space {
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** Task-wide rules: `true`, or the reason why these values cannot be run. */
  readonly constraints?: readonly ((values: Values) => true | string)[];
}

const same = (a: unknown, b: unknown): boolean => a === b || canonical(a) === canonical(b);

/** True where every condition of the parameter holds, and those of the parameters it hangs on. */
export function isActive(space: Space, name: string, values: Values): boolean {
  return Object.entries(space.parameters[name]?.when ?? {}).every(
    ([other, allowed]) => allowed.some((value) => same(value, values[other])) && isActive(space, other, values),
  );
}

/** The baseline: each active parameter's default, or the middle of its domain where it names none (a command's run names those of the program's file). */
export const defaults = (space: Space): Values => complete(space, {}, {});

/** `base` with `change` on top: without what is inactive, with defaults for what became active, in the space's order. */
export function complete(space: Space, base: Values, change: Values): Values {
  const wanted: Record<string, Value> = {};
  for (const [name, parameter] of Object.entries(space.parameters))
    wanted[name] = change[name] ?? base[name] ?? parameter.default ?? middle(parameter);
  const active = Object.entries(wanted).filter(([name]) => isActive(space, name, wanted));
  const unknown = Object.entries(change).filter(([name]) => !(name in space.parameters));
  return Object.fromEntries([...active, ...unknown]);
}

/** The value in the middle of its range. */
export const middle = (domain: Domain): Value =>
  decode(
    domain,
    Array.from({ length: dimensions(domain) }, () => 0.5),
  );

/** Why these values cannot be run, or undefined. */
export function violation(space: Space, values: Values): string | undefined {
  for (const name of Object.keys(values)) {
    if (!space.parameters[name]) return `${name} is not a parameter`;
    if (!isActive(space, name, values)) return `${name} has no meaning with these values of the others`;
  }
  for (const [name, parameter] of Object.entries(space.parameters)) {
    if (!isActive(space, name, values)) continue;
    const value = values[name];
    if (value === undefined) return `${name} has no value`;
    const problem = misfit(parameter, value);
    if (problem !== undefined) return `${name} is ${canonical(value)}: ${problem}`;
  }
  for (const constraint of space.constraints ?? []) {
    try {
      const answer = constraint(values);
      if (answer !== true) return answer;
    } catch (error) {
      return `a constraint failed: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return undefined;
}

function misfit(domain: Domain, value: Value): string | undefined {
  switch (domain.type) {
    case "bool":
      return typeof value === "boolean" ? undefined : "true or false is allowed";
    case "choice":
      return domain.values.some((one) => same(one, value))
        ? undefined
        : `one of ${domain.values.map((one) => canonical(one)).join(", ")} is allowed`;
    case "tuple": {
      if (!Array.isArray(value) || value.length !== domain.items.length)
        return `${domain.items.length} items are allowed`;
      const problems = domain.items.map((item, index) => misfit(item, (value as readonly Value[])[index] as Value));
      const at = problems.findIndex((problem) => problem !== undefined);
      return at < 0 ? undefined : `item ${at}: ${problems[at]}`;
    }
    default: {
      if (typeof value !== "number" || !Number.isFinite(value)) return "a number is allowed";
      if (value < domain.min || value > domain.max) return `${domain.min} to ${domain.max} is allowed`;
      if (domain.type === "float") return undefined;
      if (!Number.isInteger(value)) return "a whole number is allowed";
      if (domain.scale === "pow2") return Number.isInteger(Math.log2(value)) ? undefined : "a power of two is allowed";
      const step = domain.step ?? 1;
      return (value - domain.min) % step === 0 ? undefined : `steps of ${step} from ${domain.min} are allowed`;
    }
  }
}

/** Numbers that `encode` gives for a value of this domain. */
export const dimensions = (domain: Domain): number =>
  domain.type === "tuple" ? domain.items.reduce((sum, item) => sum + dimensions(item), 0) : 1;

/** A value as numbers in [0, 1]: on its log where the scale is log or pow2; choices by the middle of their cell; a tuple's items one after the other. */
export function encode(domain: Domain, value: Value): number[] {
  if (domain.type === "tuple")
    return domain.items.flatMap((item, index) => encode(item, (value as readonly Value[])[index] as Value));
  if (domain.type === "bool") return [value === true ? 0.75 : 0.25];
  if (domain.type === "choice")
    return [
      (Math.max(
        0,
        domain.values.findIndex((one) => same(one, value)),
      ) +
        0.5) /
        domain.values.length,
    ];
  const { min, max, scale } = domain;
  const share =
    scale === "log" || scale === "pow2"
      ? Math.log((value as number) / min) / Math.log(max / min)
      : ((value as number) - min) / (max - min);
  return [Math.min(1, Math.max(0, share))];
}

/** The legal value nearest to these numbers in [0, 1]. Floats keep 6 significant digits, so that the last bits of logarithms, which differ between engines, do not show. */
export function decode(domain: Domain, unit: readonly number[]): Value {
  if (domain.type === "tuple") {
    let from = 0;
    return domain.items.map((item) => decode(item, unit.slice(from, (from += dimensions(item)))));
  }
  const share = Math.min(1, Math.max(0, unit[0] ?? 0));
  if (domain.type === "bool") return share >= 0.5;
  if (domain.type === "choice")
    return domain.values[Math.min(domain.values.length - 1, Math.floor(share * domain.values.length))] as Value;
  const { min, max, scale } = domain;
  const raw =
    scale === "log" || scale === "pow2" ? min * Math.exp(share * Math.log(max / min)) : min + share * (max - min);
  return snap(domain, raw);
}

/** The legal value nearest to a number. */
export function snap(domain: Domain & { type: "float" | "int" }, raw: number): number {
  const { min, max } = domain;
  const inside = Math.min(max, Math.max(min, raw));
  if (domain.type === "float") return Math.min(max, Math.max(min, Number(inside.toPrecision(6))));
  if (domain.scale === "pow2") {
    const low = 2 ** Math.floor(Math.log2(inside) + 1e-9);
    return Math.min(max, inside - low <= 2 * low - inside ? low : 2 * low);
  }
  const step = domain.step ?? 1;
  const last = min + Math.floor((max - min) / step) * step;
  return Math.min(last, min + Math.round((inside - min) / step) * step);
}

/** A point drawn uniformly from the encoded space; constraints are met by drawing again, up to a hundred times. */
export function sample(space: Space, random: () => number): Values {
  let values: Values = {};
  for (let round = 0; round < 100; round++) {
    const drawn = Object.entries(space.parameters).map(([name, parameter]) => [
      name,
      decode(parameter, Array.from({ length: dimensions(parameter) }, random)),
    ]);
    values = complete(space, {}, Object.fromEntries(drawn) as Values);
    if (violation(space, values) === undefined) break;
  }
  return values;
}

/** How much a category that differs, or a parameter that only one point has, counts. */
const categoryStep = 0.25;

/** Sum over the parameters of the change as a share of the range, on the log scale where it is one; 0.25 for another category. */
export function distance(space: Space, a: Values, b: Values): number {
  let sum = 0;
  for (const [name, parameter] of Object.entries(space.parameters)) {
    const [from, to] = [a[name], b[name]];
    if (from === undefined && to === undefined) continue;
    sum += from === undefined || to === undefined ? categoryStep : stepOf(parameter, from, to);
  }
  return sum;
}

function stepOf(domain: Domain, from: Value, to: Value): number {
  if (same(from, to)) return 0;
  if (domain.type === "tuple") {
    const steps = domain.items.map((item, index) =>
      stepOf(item, (from as readonly Value[])[index] as Value, (to as readonly Value[])[index] as Value),
    );
    return steps.reduce((sum, step) => sum + step, 0) / steps.length;
  }
  if (domain.type === "bool" || (domain.type === "choice" && !domain.ordered)) return categoryStep;
  return Math.abs((encode(domain, to)[0] ?? 0) - (encode(domain, from)[0] ?? 0));
}

/** A point as numbers in [0, 1], the same count for every point of the space: numbers by `encode`, other choices a cell each, what is inactive in the middle. */
export function coordinates(space: Space, values: Values): number[] {
  return Object.entries(space.parameters).flatMap(([name, parameter]) => {
    const value = values[name];
    if (parameter.type === "choice" && !parameter.ordered)
      return parameter.values.map((one) => (value !== undefined && same(one, value) ? 1 : 0));
    return value === undefined ? Array.from({ length: dimensions(parameter) }, () => 0.5) : encode(parameter, value);
  });
}

/** Names of the parameters that two points have otherwise. */
export const changed = (from: Values, to: Values): string[] =>
  [...new Set([...Object.keys(from), ...Object.keys(to)])].filter((name) => !same(from[name], to[name]));

/** Equal for equal points, whatever the order of their values. */
export const valuesKey = (values: Values): string => canonical(values);

/** Equal for equal candidates: values, and edits of the code. */
export const candidateKey = ({ values = {}, edits = [] }: { values?: Values; edits?: readonly unknown[] }): string =>
  valuesKey(values) + (edits.length > 0 ? canonical(edits) : "");

/** How many points the space holds, inactive ones merged; Infinity with a float. An upper bound where there are conditions or constraints. */
export const pointCount = (space: Space): number =>
  Object.values(space.parameters).reduce((product, parameter) => product * domainSize(parameter), 1);

function domainSize(domain: Domain): number {
  switch (domain.type) {
    case "float":
      return Infinity;
    case "bool":
      return 2;
    case "choice":
      return domain.values.length;
    case "tuple":
      return domain.items.reduce((product, item) => product * domainSize(item), 1);
    default:
      return domain.scale === "pow2"
        ? Math.log2(domain.max) - Math.log2(domain.min) + 1
        : Math.floor((domain.max - domain.min) / (domain.step ?? 1)) + 1;
  }
}

/** The values of a domain without floats, in order. */
export function* valuesOf(domain: Domain): Iterable<Value> {
  if (domain.type === "float") return;
  if (domain.type === "bool") yield* [false, true];
  else if (domain.type === "choice") yield* domain.values;
  else if (domain.type === "tuple") yield* combinations(domain.items.map((item) => [...valuesOf(item)]));
  else {
    const after = (value: number): number => (domain.scale === "pow2" ? value * 2 : value + (domain.step ?? 1));
    for (let value = domain.min; value <= domain.max; value = after(value)) yield value;
  }
}

function* combinations(lists: readonly (readonly Value[])[]): Iterable<Value[]> {
  const [first, ...rest] = lists;
  if (!first) yield [];
  else for (const value of first) for (const tail of combinations(rest)) yield [value, ...tail];
}

/** Every legal point of a space without floats, each once. */
export function* enumerate(space: Space): Iterable<Values> {
  const names = Object.keys(space.parameters);
  const seen = new Set<string>();
  for (const values of combinations(Object.values(space.parameters).map((parameter) => [...valuesOf(parameter)]))) {
    const point = complete(space, {}, Object.fromEntries(names.map((name, index) => [name, values[index] as Value])));
    const key = valuesKey(point);
    if (seen.has(key) || violation(space, point) !== undefined) continue;
    seen.add(key);
    yield point;
  }
}
