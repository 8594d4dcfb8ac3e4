import { integer, normal, pick, shuffle } from "./random.ts";
import type { TaskChange } from "../core/contract.ts";
import { canonical } from "./json.ts";
import { changed, complete, decode, encode, snap, type Domain, type Space, type Value, type Values } from "./space.ts";

/** How far and where a local move goes. `step`: standard deviation as a share of a parameter's range. */
export interface MoveOptions {
  step: number;
  frozen?: readonly string[];
  /** Preferred with a probability of 0.7 each time a parameter is drawn. */
  focus?: readonly string[];
}

const focusShare = 0.7;

/**
 * A point near another one: 1, 2 or 3 of its parameters moved (in 40, 35 and
 * 25 % of the moves). Numbers move by a normal step on their own scale, whole
 * ones by at least one; powers of two and ordered choices by one notch; other
 * choices to another value; of a tuple one item moves. These are the moves of
 * the local search that the surrogate of Karpathy's benchmark was studied with.
 */
export function localMove(
  space: Space,
  from: Values,
  random: () => number,
  { step, frozen = [], focus = [] }: MoveOptions,
): Values {
  const free = Object.keys(from).filter((name) => space.parameters[name] && !frozen.includes(name));
  const draw = random();
  const count = Math.min(free.length, draw < 0.4 ? 1 : draw < 0.75 ? 2 : 3);
  let left = shuffle(random, free);
  const moved: Record<string, Value> = {};
  for (let n = 0; n < count; n++) {
    const preferred = left.filter((name) => focus.includes(name));
    const isFocused = random() < focusShare && preferred.length > 0;
    const name = pick(random, isFocused ? preferred : left);
    left = left.filter((one) => one !== name);
    moved[name] = moveValue(space.parameters[name] as Domain, from[name] as Value, random, step);
  }
  return complete(space, from, moved);
}

function moveValue(domain: Domain, from: Value, random: () => number, step: number): Value {
  const length = normal(random) * step;
  const up = length > 0 ? 1 : -1;
  switch (domain.type) {
    case "bool":
      return !from;
    case "tuple": {
      const at = integer(random, domain.items.length);
      return (from as readonly Value[]).map((value, index) =>
        index === at ? moveValue(domain.items[at] as Domain, value, random, step) : value,
      );
    }
    case "choice": {
      const at = domain.values.findIndex((value) => canonical(value) === canonical(from));
      if (domain.ordered) return domain.values[bounce(at, up, domain.values.length)] as Value;
      const others = domain.values.filter((_, index) => index !== at);
      return others.length > 0 ? pick(random, others) : from;
    }
    case "int": {
      const value = from as number;
      if (domain.scale === "pow2") {
        const next = up > 0 ? value * 2 : value / 2;
        return next > domain.max ? value / 2 : next < domain.min ? value * 2 : next;
      }
      const [unit = 0] = encode(domain, from);
      const target = decode(domain, [unit + length]) as number;
      const notch = domain.step ?? 1;
      return target === value
        ? snap(domain, value + (value + up * notch > domain.max || value + up * notch < domain.min ? -up : up) * notch)
        : target;
    }
    default:
      return decode(domain, [within((encode(domain, from)[0] ?? 0) + length)]);
  }
}

const bounce = (at: number, by: number, count: number): number =>
  at + by < 0 || at + by >= count ? Math.max(0, at - by) : at + by;
/** Steps beyond an end of the range end there: many optima lie on it. */
const within = (unit: number): number => Math.min(1, Math.max(0, unit));

/** What differs between two points, as one line. */
export function describeMove(from: Values, to: Values): string {
  const text = (value: Value | undefined): string => (value === undefined ? "none" : canonical(value));
  return changed(from, to)
    .map((name) => `${name} ${text(from[name])} → ${text(to[name])}`)
    .join(", ");
}

/** What differs between two candidates, as one line: values, and the files that were edited. */
export function describeChange(from: TaskChange, to: TaskChange): string {
  const only = (of: TaskChange, other: TaskChange, verb: string): string => {
    const made = (of.edits ?? []).filter((edit) => !other.edits?.some((one) => canonical(one) === canonical(edit)));
    const files = [...new Set(made.map(({ file }) => file))];
    return files.length > 0 ? `${verb} ${files.join(", ")}` : "";
  };
  const edits = [only(to, from, "edits"), only(from, to, "takes back edits of")];
  return [describeMove(from.values ?? {}, to.values ?? {}), ...edits].filter((part) => part !== "").join(", ");
}
