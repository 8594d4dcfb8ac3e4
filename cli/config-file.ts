import { createRequire, registerHooks } from "node:module";
import { basename, dirname, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { cosmiconfig } from "cosmiconfig";
import type { ResolvedConfig } from "../core/index.ts";
import { BilevelError, isObject, messageOf, resolveConfig, show } from "../core/index.ts";

const places = ["ts", "mts", "js", "mjs", "json", "yaml", "yml"].map((ending) => `bilevel.config.${ending}`);

/**
 * Finds the config of a folder (or reads the named file), puts a preset over it
 * where one is named, and resolves it.
 * @throws E_CONFIG_MISSING, E_CONFIG_UNREADABLE, E_CONFIG_INVALID, E_OPTIONS_INVALID, E_SPACE_INVALID, E_PLUGIN_INVALID, E_PLUGIN_MISSING
 */
export async function loadConfig(folder: string, named?: string, preset?: string): Promise<ResolvedConfig> {
  provideOwnPackage();
  const loaders = Object.fromEntries([".ts", ".mts", ".js", ".mjs"].map((ending) => [ending, importDefault]));
  const explorer = cosmiconfig("bilevel", { searchPlaces: ["package.json", ...places], loaders, cache: false });
  let found: { config: unknown; filepath: string } | null;
  try {
    found = named === undefined ? await explorer.search(folder) : await explorer.load(resolve(folder, named));
  } catch (error) {
    if (error instanceof BilevelError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT" && named !== undefined;
    throw new BilevelError(
      missing ? "E_CONFIG_MISSING" : "E_CONFIG_UNREADABLE",
      messageOf(error).split("\n")[0] ?? "",
      {
        path: named ?? folder,
        hint: missing
          ? "give the path of a config file after --config"
          : "the config file must load by itself: run it with node to see the whole error",
        cause: error,
      },
    );
  }
  if (!found)
    throw new BilevelError("E_CONFIG_MISSING", "there is no config here", {
      path: folder,
      allowed: `one of ${places.join(", ")}, or "bilevel" in package.json`,
      hint: "create bilevel.config.ts (see the README), or name a file with --config",
    });
  const file = found.filepath;
  const [name, home] = [basename(file), dirname(file)];
  const exported = typeof found.config === "function" ? await (found.config as () => unknown)() : found.config;
  if (!isObject(exported))
    throw new BilevelError("E_CONFIG_INVALID", "the config is not an object", {
      path: name,
      received: show(exported),
      allowed: "defineConfig({ … })",
    });
  const origins: Record<string, string> = {};
  const layered = await layer(exported, name, home, origins);
  const whole = await loadPlugins(layered, home);
  return resolveConfig(preset === undefined ? whole : await withPreset(whole, preset, home, origins), file, origins);
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

const importDefault = async (file: string): Promise<unknown> => {
  const module = (await import(pathToFileURL(file).href)) as { default?: unknown };
  if (module.default === undefined)
    throw new BilevelError("E_CONFIG_INVALID", "the file has no default export", {
      path: basename(file),
      hint: "export default defineConfig({ … })",
    });
  return module.default;
};

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
    if (typeof below === "function") below = (below as () => unknown)();
  }
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

/** Puts plugins in the place of `{ use, options }`, as JSON and YAML name them. `package#name` is a named export. */
async function loadPlugins(config: Record<string, unknown>, home: string): Promise<Record<string, unknown>> {
  const load = async (value: unknown, path: string): Promise<unknown> => {
    if (Array.isArray(value)) return Promise.all(value.map((item, index) => load(item, `${path}[${index}]`)));
    if (!isObject(value) || typeof value.use !== "string") return value;
    const factory = await importNamed(value.use, home, path);
    const options = isObject(value.options)
      ? {
          ...value.options,
          ...(value.options.plugins ? { plugins: await load(value.options.plugins, `${path}.plugins`) } : {}),
        }
      : value.options;
    if (typeof factory === "function") return (factory as (options: unknown) => unknown)(options);
    throw new BilevelError("E_PLUGIN_INVALID", `${value.use} does not export a plugin`, {
      path,
      received: show(factory),
      allowed: "a function that returns a plugin",
    });
  };
  const loaded = { ...config };
  for (const key of ["llm", "evaluator", "proposer", "selector", "levels", "plugins"])
    if (key in loaded) loaded[key] = await load(loaded[key], key);
  return loaded;
}

async function importNamed(target: string, home: string, path: string): Promise<unknown> {
  const [specifier = "", exported = "default"] = target.split("#");
  const from = resolve(home, "package.json");
  try {
    const url = specifier.startsWith(".")
      ? pathToFileURL(resolve(home, specifier)).href
      : (ownUrl(specifier) ?? pathToFileURL(createRequire(from).resolve(specifier)).href);
    return ((await import(url)) as Record<string, unknown>)[exported];
  } catch (error) {
    throw new BilevelError("E_PLUGIN_MISSING", `${specifier} cannot be loaded: ${messageOf(error).split("\n")[0]}`, {
      path,
      hint: specifier.startsWith(".") ? "the path is relative to the config file" : `npm install ${specifier}`,
      cause: error,
    });
  }
}

/** Where a public name of this very package lies, as it runs now: sources or compiled files. */
function ownUrl(specifier: string): string | undefined {
  const ending = extname(import.meta.url);
  const [name, place, ...rest] = specifier.split("/");
  // in a clone the client of Ray is not compiled
  if (specifier === "#ray-node-client" && ending === ".ts")
    return new URL("../ray-node-client/src/index.ts", import.meta.url).href;
  if (name !== "bilevel") return undefined;
  const file =
    place === undefined
      ? "index"
      : place === "kit"
        ? "kit/index"
        : place === "testing"
          ? "kit/testing/index"
          : place === "mechanisms"
            ? `plugins/mechanisms/${rest.join("/")}`
            : `${place}/${rest.join("/")}`;
  return new URL(`../${file}${ending}`, import.meta.url).href;
}

let provided = false;

/** Lets a config import "bilevel" where it is not installed: it gets the package that runs. */
function provideOwnPackage(): void {
  if (provided) return;
  provided = true;
  registerHooks({
    resolve(specifier, context, next) {
      const own = ownUrl(specifier);
      try {
        const found = next(specifier, context);
        // a .ts file of a folder whose package.json says "commonjs" is a module all the same: it imports bilevel
        return found.format === "commonjs-typescript" ? { ...found, format: "module-typescript" } : found;
      } catch (error) {
        if (own === undefined) throw error;
        return { url: own, shortCircuit: true };
      }
    },
  });
}
