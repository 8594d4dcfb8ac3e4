import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import { describe, isObject } from "../core/index.ts";
import { loadConfig } from "./config-file.ts";
import { withPresentValues } from "./present-values.ts";
import type { CommonArguments } from "./run.ts";

export const configVerb: CommandModule<object, CommonArguments> = {
  command: "config",
  describe: "the resolved config, and where each value came from",
  async handler({ cwd, config: named, json }) {
    const { config, origins, file } = withPresentValues(await loadConfig(resolve(cwd), named));
    const described = describe(config);
    if (json) return console.log(JSON.stringify({ file, config: described, origins }, null, 2));
    console.log(`# ${file}`);
    for (const [path, value] of leaves(described))
      console.log(`${`${path} = ${JSON.stringify(value)}`.padEnd(70)}  # ${originOf(path, origins)}`);
  },
};

function leaves(value: unknown, path = ""): [string, unknown][] {
  if (Array.isArray(value) && value.some(isObject))
    return value.flatMap((item, index) => leaves(item, `${path}[${index}]`));
  if (isObject(value) && Object.keys(value).length > 0)
    return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key));
  return [[path, value]];
}

/** The layer that set the value at this path, or the nearest path above it. */
function originOf(path: string, origins: Readonly<Record<string, string>>): string {
  for (let at = path; at !== ""; at = at.replace(/(\.[^.[]+|\[\d+\])$/, "")) {
    const origin = origins[at];
    if (origin !== undefined) return origin;
    if (!/[.[]/.test(at)) break;
  }
  return "default";
}
