import { basename, dirname } from "node:path";
import { Ajv, type ValidateFunction } from "ajv";
import { explainSchemaError, nearest, show } from "../kit/explain.ts";
import { isObject } from "../kit/json.ts";
import { pluginsProblem } from "../kit/plugin-check.ts";
import { spaceProblem } from "../kit/space-check.ts";
import type { Config, Level, Plugin } from "./contract.ts";
import { BilevelError, messageOf, type ErrorCode } from "./errors.ts";
import { digest } from "./journal.ts";
import configSchema from "../schema.json" with { type: "json" };

type Part<T> = T extends Plugin | readonly unknown[] ? T : { [K in keyof T]?: Part<T[K]> };
type Extending = Part<Config> & { extends: string | Config };
/** Gives a config its type, for completion and checks in an editor; one that extends another says only what differs. */
export const defineConfig: { (config: Extending): Extending; (config: Config): Config } = <T>(config: T): T => config;

/** A config that was read, checked and completed. `origins` tells for each path of it where its value came from. */
export interface ResolvedConfig {
  readonly config: Config;
  readonly file: string;
  /** Folder of the file: relative paths of the config start here. */
  readonly home: string;
  readonly origins: Readonly<Record<string, string>>;
}

/** Checks a config and completes its plugins' options in place. `file` names it in messages. */
export function resolveConfig(
  value: unknown,
  file: string,
  origins: Readonly<Record<string, string>> = {},
): ResolvedConfig {
  const name = basename(file);
  validate(value, configSchema, name, "", "E_CONFIG_INVALID");
  const given = value as Config;
  const inner = given.levels[0] as Level | undefined;
  const objective = given.task?.seed === "none" ? { ...given.objective, noise: "none" as const } : given.objective;
  const usual = given.llm ? (inner?.defaults?.withModel ?? inner?.defaults?.proposer) : inner?.defaults?.proposer;
  const { proposer = usual, selector = inner?.defaults?.selector } = given;
  const config: Config = { ...given, proposer, selector, objective };
  const plugins = pluginsOf(config);
  for (const [path, plugin] of plugins) checkPlugin(plugin, name, path);
  checkLevels(config.levels, name);
  const unfit = pluginsProblem(plugins);
  if (unfit) throw new BilevelError("E_PLUGIN_INVALID", unfit.message, { ...unfit, path: `${name} › ${unfit.at}` });
  const problem = config.space && spaceProblem(config.space);
  if (problem)
    throw new BilevelError("E_SPACE_INVALID", problem.message, { ...problem, path: `${name} › space${problem.path}` });
  return { config, file, home: dirname(file), origins };
}

const ajv = new Ajv({ allErrors: false, verbose: true, useDefaults: true, discriminator: true, strictTypes: false });
const compiled = new WeakMap<object, ValidateFunction>();

function validate(value: unknown, schema: object, file: string, path: string, code: ErrorCode): void {
  const check = compiled.get(schema) ?? compile(schema, `${file} › ${path}`);
  compiled.set(schema, check);
  if (check(value)) return;
  const error = check.errors?.find(({ keyword }) => keyword === "anyOf") ?? check.errors?.[0];
  if (!error) return;
  const { message, at, ...told } = explainSchemaError(error);
  throw new BilevelError(code, message, {
    ...told,
    path: `${file} › ${`${path}${at}`.replace(/^\./, "") || "config"}`,
  });
}

function compile(schema: object, path: string): ValidateFunction {
  try {
    return ajv.compile(schema);
  } catch (error) {
    const hint = "that is the plugin's own fault: tell its author";
    throw new BilevelError("E_PLUGIN_INVALID", `the schema of its options is none: ${messageOf(error)}`, {
      path,
      hint,
    });
  }
}

/** Every plugin of a config with its path. */
export function pluginsOf(config: Config): [string, Plugin][] {
  const found: [string, Plugin][] = [];
  for (const key of ["llm", "evaluator", "proposer", "selector"] as const)
    if (config[key]) found.push([key, config[key]]);
  for (const [index, level] of (config.levels ?? []).entries()) {
    found.push([`levels[${index}]`, level]);
    const inner = Array.isArray(level.plugins) ? (level.plugins as Plugin[]) : [];
    for (const [place, plugin] of inner.entries()) found.push([`levels[${index}].plugins[${place}]`, plugin]);
  }
  for (const [index, plugin] of (config.plugins ?? []).entries()) found.push([`plugins[${index}]`, plugin]);
  return found;
}

function checkPlugin(plugin: unknown, file: string, path: string): void {
  const where = `${file} › ${path}`;
  if (typeof plugin === "function")
    throw new BilevelError("E_PLUGIN_INVALID", "is a function, not yet a plugin", {
      path: where,
      received: show(plugin),
      allowed: "a plugin",
      hint: "call it: add ()",
    });
  if (!isObject(plugin) || typeof plugin.name !== "string" || plugin.name === "")
    throw new BilevelError("E_PLUGIN_INVALID", "is not a plugin", {
      path: where,
      received: show(plugin),
      allowed: "what a plugin's function returns, such as innerLoop()",
    });
  if (plugin.contract !== 1)
    throw new BilevelError("E_PLUGIN_INVALID", `${plugin.name} was written for another version of bilevel`, {
      path: where,
      received: `contract ${show(plugin.contract)}`,
      allowed: "contract 1",
      hint: `install a version of ${plugin.name} for this bilevel`,
    });
  if (plugin.schema && plugin.options !== undefined)
    validate(plugin.options, plugin.schema, file, path, "E_OPTIONS_INVALID");
}

function checkLevels(levels: readonly Level[], file: string): void {
  const names = new Map<string, number>();
  for (const [index, level] of levels.entries()) {
    const path = `${file} › levels[${index}]`;
    if (typeof level.admit !== "function")
      throw new BilevelError("E_PLUGIN_INVALID", `${level.name} is not a level`, {
        path,
        allowed: "innerLoop() or outerLoop()",
      });
    if (names.has(level.name))
      throw new BilevelError(
        "E_CONFIG_INVALID",
        `the name ${level.name} is taken by levels[${names.get(level.name)}]`,
        { path, hint: 'give it another: outerLoop({ name: "…" })' },
      );
    if ((level.kind === "task") !== (index === 0))
      throw new BilevelError("E_CONFIG_INVALID", "levels stand innermost first, with one inner loop", {
        path,
        received: level.name,
        allowed: index === 0 ? "innerLoop()" : "outerLoop()",
      });
    const below = [...names.keys()];
    if (level.of !== undefined && !names.has(level.of))
      throw new BilevelError("E_CONFIG_INVALID", "names no level below this one", {
        path: `${path}.of`,
        received: show(level.of),
        allowed: below.join(", "),
        hint: ((near) => near && `did you mean ${near}?`)(nearest(level.of, below)),
      });
    names.set(level.name, index);
  }
}

/** The config as JSON: plugins by name and options, functions by a digest of their source. */
export function describe(value: unknown): unknown {
  if (typeof value === "function") return `function ${digest(String(value)).slice(0, 12)}`;
  if (Array.isArray(value)) return value.map(describe);
  if (!isObject(value)) return value;
  if (value.contract === 1)
    return { plugin: value.name, ...(value.options === undefined ? {} : { options: describe(value.options) }) };
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, describe(inner)]));
}
