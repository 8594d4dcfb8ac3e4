import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { cosmiconfig } from "cosmiconfig";
import type { ResolvedConfig } from "../core/index.ts";
import { BilevelError, isObject, messageOf, resolveConfig, show } from "../core/index.ts";
import { provideOwnPackage } from "../plugins/own-package/index.ts";
import { importNamed, loadPlugins, syntaxPlace } from "./named-plugins.ts";
import { keepSchema } from "./own-folder.ts";

const places = ["ts", "mts", "js", "mjs", "json", "yaml", "yml"].map((ending) => `bilevel.config.${ending}`);

/**
 * Finds the config of a folder (or reads the named file), puts a preset over it
 * where one is named, and resolves it.
 * @throws E_CONFIG_MISSING, E_CONFIG_UNREADABLE, E_CONFIG_INVALID, E_OPTIONS_INVALID, E_SPACE_INVALID, E_PLUGIN_INVALID, E_PLUGIN_MISSING
 */
export async function loadConfig(folder: string, named?: string, preset?: string): Promise<ResolvedConfig> {
  provideOwnPackage();
  const loaders = Object.fromEntries([".ts", ".mts", ".js", ".mjs"].map((ending) => [ending, importDefault]));
  let found: { config: unknown; filepath: string; isEmpty?: boolean } | null;
  try {
    const explorer = cosmiconfig("bilevel", { searchPlaces: ["package.json", ...places], loaders, cache: false });
    found = named === undefined ? await explorer.search(folder) : null;
    // the search passes over a file that is empty or cannot be read, as if it were not there
    const file = named ?? places.find((place) => existsSync(join(folder, place)));
    if (!found && file !== undefined) found = await explorer.load(resolve(folder, file));
  } catch (error) {
    throw error instanceof BilevelError ? error : unreadable(error as ReadError, resolve(folder, named ?? "."));
  }
  if (!found)
    throw new BilevelError("E_CONFIG_MISSING", "there is no config here", {
      path: folder,
      allowed: `one of ${places.join(", ")}, or "bilevel" in package.json`,
      hint: "without one: bilevel run --command 'python train.py' --metric NAME --minimize (--save writes a config); elsewhere: --config FILE",
    });
  const file = found.filepath;
  const [name, home] = [basename(file), dirname(file)];
  keepSchema(file, home);
  const exported = typeof found.config === "function" ? await (found.config as () => unknown)() : found.config;
  if (!isObject(exported))
    throw new BilevelError("E_CONFIG_INVALID", found.isEmpty ? "the file is empty" : "the config is not an object", {
      path: name,
      received: show(exported),
      allowed: "defineConfig({ … })",
    });
  const origins: Record<string, string> = {};
  const layered = await layer(exported, name, home, origins);
  checkConstraints(layered.space, name);
  const whole = await loadPlugins(layered, name, home);
  return resolveConfig(preset === undefined ? whole : await withPreset(whole, preset, home, origins), file, origins);
}

/** JSON and YAML have no functions. */
function checkConstraints(space: unknown, name: string): void {
  const constraints: unknown = isObject(space) ? space.constraints : undefined;
  const index = Array.isArray(constraints) ? constraints.findIndex((one) => typeof one !== "function") : -1;
  if (index < 0) return;
  throw new BilevelError("E_SPACE_INVALID", "a constraint is a function", {
    path: `${name} › space.constraints[${index}]`,
    received: show((constraints as unknown[])[index]),
    allowed: '({ LR, DEPTH }) => LR * DEPTH < 2 || "the reason why not"',
    hint: "write the config in TypeScript or JavaScript: docs/config.md",
  });
}

/** A preset that takes a config gives back the whole; any other one is laid over it. */
async function withPreset(
  config: Record<string, unknown>,
  preset: string,
  home: string,
  origins: Record<string, string>,
): Promise<Record<string, unknown>> {
  const found = await importNamed(
    preset.startsWith(".") || preset.includes("/") ? preset : `bilevel/presets/${preset}`,
    home,
    "--preset",
  );
  if (typeof found !== "function")
    return merge(config, found as Record<string, unknown>, `preset ${preset}`, "", origins);
  const made = (found as (under: unknown) => Record<string, unknown>)(config);
  return found.length > 0 ? made : merge(config, made, `preset ${preset}`, "", origins);
}

/** What reading and parsing a file throws; `filepath`: that file, where it was found. */
type ReadError = NodeJS.ErrnoException & { filepath?: string };

function unreadable(error: ReadError, path: string): BilevelError {
  if (error.code === "ENOENT")
    return new BilevelError("E_CONFIG_MISSING", error.message, {
      path,
      hint: "give the path of a config file after --config",
      cause: error,
    });
  const [, form, told] = /^(JSON|YAML) Error in .*:\n([^]*?)(\n\n|$)/.exec(error.message) ?? []; // then YAML's lines
  return new BilevelError("E_CONFIG_UNREADABLE", told?.replace(/\s+/g, " ") ?? error.message, {
    path: error.filepath ?? path,
    ...(form === undefined ? { allowed: `one of ${places.join(", ")}` } : { hint: `mend the file: it is no ${form}` }),
    cause: error,
  });
}

const importDefault = async (file: string): Promise<unknown> => {
  const module = await importFile(file);
  if (module.default === undefined)
    throw new BilevelError("E_CONFIG_INVALID", "the file has no default export", {
      path: basename(file),
      hint: "export default defineConfig({ … })",
    });
  return module.default;
};

async function importFile(file: string): Promise<{ default?: unknown }> {
  try {
    return (await import(pathToFileURL(file).href)) as { default?: unknown };
  } catch (error) {
    if (error instanceof BilevelError) throw error;
    const isSyntax = error instanceof SyntaxError;
    throw new BilevelError("E_CONFIG_UNREADABLE", messageOf(error).split("\n")[0] ?? "", {
      path: isSyntax ? syntaxPlace(error, file) : file,
      hint: isSyntax ? "mend the file" : "the config file must load by itself: run it with node to see the whole error",
      cause: error,
    });
  }
}

/** The config with everything that it extends underneath: objects merged, arrays and plugins replaced. */
async function layer(
  config: Record<string, unknown>,
  source: string,
  home: string,
  origins: Record<string, string>,
): Promise<Record<string, unknown>> {
  const { extends: base, ...own } = config;
  let below: unknown = base;
  if (typeof base === "string") {
    const target = base.startsWith(".")
      ? base
      : base.includes("/") || base.startsWith("bilevel-")
        ? base
        : `bilevel/presets/${base}`;
    below = await importNamed(target, home, `${source} › extends`);
    if (typeof below === "function" && below.length > 0)
      throw new BilevelError("E_CONFIG_INVALID", "is made over a whole config, and cannot go under one", {
        path: `${source} › extends`,
        received: base,
        allowed: 'a preset that stands by itself, such as "bilevel"',
        hint: `leave it out here, and give it to the command: bilevel run --preset ${base}`,
      });
    if (typeof below === "function") below = (below as () => unknown)();
  }
  if (base !== undefined && !isObject(below))
    throw new BilevelError("E_CONFIG_INVALID", "is no config to go under this one", {
      path: `${source} › extends`,
      received: show(below),
      allowed: 'the name of a preset, such as "bilevel", of a package, a path, or a config',
      hint: typeof base === "function" ? "call it: add ()" : undefined,
    });
  const under = isObject(below)
    ? await layer(below, typeof base === "string" ? `preset ${base}` : "extends", home, origins)
    : {};
  return merge(under, own, source, "", origins);
}

function merge(
  under: Record<string, unknown>,
  over: Record<string, unknown>,
  source: string,
  path: string,
  origins: Record<string, string>,
): Record<string, unknown> {
  const merged = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const place = path ? `${path}.${key}` : key;
    const below = merged[key];
    if (value === undefined) continue;
    if (isPlain(value) && (below === undefined || isPlain(below))) {
      merged[key] = merge((below as Record<string, unknown>) ?? {}, value, source, place, origins);
    } else {
      merged[key] = value;
      origins[place] = source;
    }
  }
  return merged;
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  isObject(value) && value.contract !== 1 && value.use === undefined;
