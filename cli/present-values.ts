import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config, ResolvedConfig, Space } from "../core/index.ts";
import { BilevelError, resolveConfig } from "../core/index.ts";
import { violation } from "../kit/index.ts";
import { findConstants, languageOf } from "../plugins/task/index.ts";

type Parameter = Space["parameters"][string];

/**
 * The config with a default for each parameter that names none: the value that its constant has in the program, so that
 * the baseline is the program as it stands. `recorded`: the space of a run that has started, whose baseline stays what
 * it was, whatever the file says by now.
 * @throws E_SPACE_INVALID where the program's value lies outside the parameter's range
 */
export function withPresentValues(resolved: ResolvedConfig, recorded?: Space): ResolvedConfig {
  const { config, file, home } = resolved;
  const values = config.task?.values;
  if (!config.space || values?.via !== "constants" || !values.file) return resolved;
  const path = join(home, config.task?.folder ?? ".", values.file);
  const known = recorded ? defaultsOf(recorded) : presentIn(path);
  const origins: Record<string, string> = {};
  const parameters = Object.entries(config.space.parameters).map(([name, parameter]): [string, Parameter] => {
    const present = known.get(name);
    if (parameter.default !== undefined || present === undefined) return [name, parameter];
    const filled = { ...parameter, default: present };
    const problem = violation({ parameters: { [name]: { ...filled, when: undefined } } }, { [name]: present });
    if (problem !== undefined)
      throw new BilevelError("E_SPACE_INVALID", `the program's own value lies outside the range: ${problem}`, {
        path: `space.parameters.${name}`,
        received: `${name} = ${JSON.stringify(present)} in ${values.file}`,
        hint: "the baseline is the program as it stands: widen the range, or name the default that it is to start from",
      });
    origins[`space.parameters.${name}.default`] = values.file;
    return [name, filled];
  });
  const filled: Config = { ...config, space: { ...config.space, parameters: Object.fromEntries(parameters) } };
  return resolveConfig(filled, file, { ...resolved.origins, ...origins });
}

const defaultsOf = ({ parameters }: Space): Map<string, Parameter["default"]> =>
  new Map(Object.entries(parameters).map(([name, parameter]) => [name, parameter.default]));

function presentIn(path: string): Map<string, Parameter["default"]> {
  if (!existsSync(path)) return new Map(); // said where the task is read
  return new Map(
    findConstants(readFileSync(path, "utf8"), languageOf(path)).map(({ name, value }) => [name, value] as const),
  );
}
