import { basename, dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { cosmiconfig } from "cosmiconfig";
import type { ResolvedConfig } from "../core/index.ts";
import { BilevelError, isObject, messageOf, resolveConfig, show } from "../core/index.ts";
import { provideOwnPackage } from "../plugins/own-package/index.ts";
import { importNamed, loadPlugins } from "./named-plugins.ts";
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
      hint: "without one: bilevel run --command 'python train.py' --metric NAME --minimize (--save writes a config); elsewhere: --config FILE",
    });
  const file = found.filepath;
  const [name, home] = [basename(file), dirname(file)];
  keepSchema(file, home);
  const exported = typeof found.config === "function" ? await (found.config as () => unknown)() : found.config;
  if (!isObject(exported))
    throw new BilevelError("E_CONFIG_INVALID", "the config is not an object", {
      path: name,
      received: show(exported),
      allowed: "defineConfig({ … })",
    });
  const origins: Record<string, string> = {};
  const layered = await layer(exported, name, home, origins);
  const whole = await loadPlugins(layered, name, home);
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
