import type { Parameter, Space } from "../core/contract.ts";
import { defaults, violation } from "./space.ts";

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
  const problem = violation(space, defaults(space));
  if (problem === undefined) return undefined;
  return {
    path: "",
    message: `the baseline cannot be run: ${problem}`,
    allowed: "defaults that meet every constraint",
  };
}

function domainProblem(domain: Parameter, path: string): Found {
  if (domain.type === "tuple")
    for (const [index, item] of domain.items.entries()) {
      const found = domainProblem(item, `${path}.items[${index}]`);
      if (found) return found;
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
  return undefined;
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

function defaultProblem(name: string, parameter: Parameter, path: string): Found {
  if (parameter.default === undefined) return undefined;
  const problem = violation({ parameters: { [name]: unconditional(parameter) } }, { [name]: parameter.default });
  return problem === undefined
    ? undefined
    : { path: `${path}.default`, message: problem, received: shown(parameter.default) };
}
