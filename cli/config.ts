import { isDeepStrictEqual } from "node:util";
import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import { describe, isObject } from "../core/index.ts";
import { say } from "../plugins/progress/index.ts";
import { loadConfig } from "./config-file.ts";
import { withPresentValues } from "./present-values.ts";
import type { CommonArguments } from "./run.ts";

export const configVerb: CommandModule<object, CommonArguments> = {
  command: "config",
  describe: "the resolved config, and where each value came from",
  async handler({ cwd, config: named, json }) {
    const { config, origins: written, file } = withPresentValues(await loadConfig(resolve(cwd), named));
    const origins = { ...written, ...optionDefaults(config) };
    const described = describe(config);
    if (json) return console.log(JSON.stringify({ file, config: described, origins }, null, 2));
    say(`# ${file}`);
    const lines = leaves(described).map(([path, value]) => ({
      setting: `${path} = ${JSON.stringify(value)}`,
      origin: `  # ${originOf(path, origins)}`,
    }));
    const room = (process.stdout.columns || 100) - 3 - Math.max(...lines.map(({ origin }) => origin.length));
    for (const { setting, origin } of lines) say(setting.padEnd(Math.min(70, room)) + origin);
  },
};

/** The options of plugins that are what their schemas say where nothing is given. */
function optionDefaults(value: unknown, path = ""): Record<string, string> {
  if (!isObject(value) && !Array.isArray(value)) return {};
  const { contract, schema, options } = value as Record<string, unknown>;
  if (contract === 1) return usual(schema, options, `${path}.options`);
  const placeOf = (key: string): string => (Array.isArray(value) ? `${path}[${key}]` : path ? `${path}.${key}` : key);
  return Object.assign({}, ...Object.entries(value).map(([key, one]) => optionDefaults(one, placeOf(key)))) as Record<
    string,
    string
  >;
}

function usual(schema: unknown, options: unknown, path: string): Record<string, string> {
  if (!isObject(schema) || !isObject(schema.properties) || !isObject(options)) return {};
  const places = Object.entries(schema.properties).map(([name, rule]): Record<string, string> => {
    const place = `${path}.${name}`;
    const isUsual = isObject(rule) && isDeepStrictEqual(rule.default, options[name]);
    return isUsual ? { [place]: "default" } : usual(rule, options[name], place);
  });
  return Object.assign({}, ...places) as Record<string, string>;
}

function leaves(value: unknown, path = ""): [string, unknown][] {
  if (Array.isArray(value) && value.some(isObject))
    return value.flatMap((item, index) => leaves(item, `${path}[${index}]`));
  if (isObject(value) && Object.keys(value).length > 0)
    return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key));
  return [[path, value]];
}

/** The layer that set the value at this path, or the nearest path above it. */
function originOf(path: string, origins: Readonly<Record<string, string>>): string {
  const isAt = (place: string): boolean => path === place || [".", "["].some((next) => path.startsWith(place + next));
  const [nearest = ""] = Object.keys(origins)
    .filter(isAt)
    .sort((a, b) => b.length - a.length);
  return origins[nearest] ?? "default";
}
