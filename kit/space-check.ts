import type { Parameter, Space } from "../core/contract.ts";
import { canonical } from "./json.ts";
import { defaults, pointCount, violation, type Domain, type Value } from "./space.ts";

/** What is wrong with a space's definition, and where in it. */
export interface SpaceProblem {
  /** Such as `.parameters.LR.max`. */
  path: string;
  message: string;
  received?: string;
  allowed?: string;
}

type Found = SpaceProblem | undefined;

const shown = (value: unknown): string => JSON.stringify(value) ?? String(value);
const isSame = (value: Value) => (other: Value) => canonical(value) === canonical(other);
const unconditional = (parameter: Parameter): Parameter => ({ ...parameter, when: undefined });

/** The first thing that keeps a space from being searched: a domain without room, a condition or default that cannot hold, a baseline against the constraints. */
export function spaceProblem(space: Space): Found {
  const names = Object.keys(space.parameters);
  if (names.length === 0)
    return { path: ".parameters", message: "is empty", received: "no parameter", allowed: "one or more" };
  for (const name of names) {
    const parameter = space.parameters[name] as Parameter;
    const path = `.parameters.${name}`;
    const found =
      domainProblem(parameter, path) ?? conditionProblem(space, name, path) ?? defaultProblem(name, parameter, path);
    if (found) return found;
  }
  for (const check of [circleProblem, contradiction])
    for (const name of names) {
      const found = check(space, name, `.parameters.${name}.when`);
      if (found) return found;
    }
  if (pointCount(space) === 1)
    return {
      path: ".parameters",
      message: "leaves nothing to try",
      received: "one value in all",
      allowed: "two or more",
    };
  const problem = violation(space, defaults(space));
  if (problem === undefined) return undefined;
  return {
    path: "",
    message: `the baseline cannot be run: ${problem}`,
    allowed: "defaults that meet every constraint",
  };
}

function domainProblem(domain: Domain, path: string): Found {
  if (domain.type === "tuple")
    for (const [index, item] of domain.items.entries()) {
      const found = domainProblem(item, `${path}.items[${index}]`);
      if (found) return found;
    }
  if (domain.type === "choice") {
    const twice = domain.values.findIndex((value, index) => domain.values.slice(0, index).some(isSame(value)));
    if (twice < 0) return undefined;
    return {
      path: `${path}.values[${twice}]`,
      message: "stands there twice",
      received: shown(domain.values[twice]),
      allowed: "each value once",
    };
  }
  if (domain.type !== "float" && domain.type !== "int") return undefined;
  const { min, max, scale } = domain;
  if (min >= max)
    return { path: `${path}.max`, message: "leaves no room", received: String(max), allowed: `more than min, ${min}` };
  if (scale === "log" && min <= 0)
    return { path: `${path}.min`, message: "does not fit a log scale", received: String(min), allowed: "more than 0" };
  const isPower = (end: number) => end >= 1 && Number.isInteger(Math.log2(end));
  if (scale === "pow2" && !(isPower(min) && isPower(max)))
    return {
      path,
      message: "does not fit a pow2 scale",
      received: `min ${min}, max ${max}`,
      allowed: "powers of two, such as min 256, max 4096",
    };
  if (!Number.isFinite(scale === "log" ? max / min : max - min))
    return {
      path,
      message: "is too wide to be computed with",
      received: `min ${min}, max ${max}`,
      allowed: "ends of a usual size",
    };
  if (domain.type === "float" || domain.step === undefined) return undefined;
  const step = { path: `${path}.step`, received: String(domain.step) };
  if (scale === "pow2") return { ...step, message: "has no meaning on a pow2 scale", allowed: "nothing: leave it out" };
  return domain.step > max - min
    ? { ...step, message: "leaves no room", allowed: `max - min, ${max - min}, or less` }
    : undefined;
}

function conditionProblem(space: Space, name: string, path: string): Found {
  for (const [other, values] of Object.entries(space.parameters[name]?.when ?? {})) {
    const known = space.parameters[other];
    const where = `${path}.when.${other}`;
    if (!known || other === name)
      return {
        path: where,
        message: "names no other parameter",
        received: shown(other),
        allowed: Object.keys(space.parameters)
          .filter((one) => one !== name)
          .join(", "),
      };
    for (const value of values) {
      const problem = violation({ parameters: { [other]: unconditional(known) } }, { [other]: value });
      if (problem !== undefined) return { path: where, message: `can never hold: ${problem}`, received: shown(value) };
    }
  }
  return undefined;
}

/** The conditions that a parameter hangs on: its own, and those of the parameters in them. */
function chainOf({ parameters }: Space, name: string): { of: string; other: string; values: readonly Value[] }[] {
  const found: ReturnType<typeof chainOf> = [];
  const names = new Set([name]); // grows while it is gone through
  for (const of of names)
    for (const [other, values] of Object.entries(parameters[of]?.when ?? {})) {
      found.push({ of, other, values });
      names.add(other);
    }
  return found;
}

function circleProblem(space: Space, name: string, path: string): Found {
  const back = chainOf(space, name).find(({ other }) => other === name);
  if (!back) return undefined;
  return { path, message: "goes in a circle", received: `${name} hangs on ${back.of}, and ${back.of} on ${name}` };
}

/** All conditions of a chain must hold at once. */
function contradiction(space: Space, name: string, path: string): Found {
  const needed = new Map<string, readonly Value[]>();
  for (const { of, other, values } of chainOf(space, name)) {
    const before = needed.get(other) ?? values;
    const left = before.filter((value) => values.some(isSame(value)));
    if (left.length === 0)
      return {
        path,
        message: `can never hold: ${other} would have to be two things at once`,
        received: `${before.map(shown).join(" or ")}, and ${values.map(shown).join(" or ")} for ${of}`,
      };
    needed.set(other, left);
  }
  return undefined;
}

function defaultProblem(name: string, parameter: Parameter, path: string): Found {
  if (parameter.default === undefined) return undefined;
  const problem = violation({ parameters: { [name]: unconditional(parameter) } }, { [name]: parameter.default });
  return problem === undefined
    ? undefined
    : { path: `${path}.default`, message: problem, received: shown(parameter.default) };
}
