import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { BilevelError, isObject, messageOf, nearest, show } from "../core/index.ts";
import { ownUrl, resolveFrom } from "../plugins/own-package/index.ts";

/**
 * Puts plugins in the place of `{ use, options }`, as JSON and YAML name them. `package#name` is a named export.
 * `file` names the config in messages, `home` is its folder.
 * @throws E_PLUGIN_MISSING, E_PLUGIN_INVALID, E_CONFIG_INVALID
 */
export async function loadPlugins(
  config: Record<string, unknown>,
  file: string,
  home: string,
): Promise<Record<string, unknown>> {
  const load = async (value: unknown, path: string): Promise<unknown> => {
    if (Array.isArray(value)) return Promise.all(value.map((item, index) => load(item, `${path}[${index}]`)));
    if (!isObject(value) || typeof value.use !== "string") return value;
    const unknown = Object.keys(value).find((key) => key !== "use" && key !== "options");
    if (unknown !== undefined)
      throw new BilevelError("E_CONFIG_INVALID", "is not known here", {
        path: `${path}.${unknown}`,
        received: "an unknown key",
        allowed: "use, options",
        hint: nearest(unknown, ["use", "options"]) && `did you mean ${nearest(unknown, ["use", "options"])}?`,
      });
    const plugins: unknown = isObject(value.options) ? value.options.plugins : undefined;
    const options = plugins
      ? { ...(value.options as object), plugins: await load(plugins, `${path}.plugins`) }
      : value.options;
    return make(value.use, await importNamed(value.use, home, path), options, path);
  };
  const loaded = { ...config };
  for (const key of ["llm", "evaluator", "proposer", "selector", "levels", "plugins"])
    if (key in loaded) loaded[key] = await load(loaded[key], `${file} › ${key}`);
  return loaded;
}

/** Calls a plugin's function with its options. */
function make(name: string, factory: unknown, options: unknown, path: string): unknown {
  const invalid = (message: string, details: object = {}): BilevelError =>
    new BilevelError("E_PLUGIN_INVALID", `${name} ${message}`, {
      path,
      allowed: "a function that returns a plugin",
      ...details,
    });
  if (typeof factory !== "function") {
    const isDefinition = isObject(factory) && typeof factory.init === "function";
    const hint = isDefinition
      ? "export default mechanism({ … }), with mechanism from bilevel/kit"
      : isObject(factory) && "contract" in factory
        ? "export a function that returns it: export default (options) => ({ … })"
        : undefined;
    throw invalid("does not export a plugin", { received: show(factory), hint });
  }
  if (/^class\b/.test(Function.prototype.toString.call(factory)))
    throw invalid("exports a class", {
      received: show(factory),
      hint: `export default (options) => new ${factory.name || "Plugin"}(options)`,
    });
  let made: unknown;
  try {
    made = (factory as (options: unknown) => unknown)(options);
  } catch (error) {
    if (error instanceof BilevelError) throw error;
    throw invalid(`failed when its plugin was made: ${messageOf(error)}`, {
      allowed: undefined,
      received: options === undefined ? "no options" : `options ${show(options)}`,
      hint: `see which options ${name} takes, or tell its author`,
      cause: error,
    });
  }
  if (!isObject(made) || made instanceof Promise)
    throw invalid("made no plugin", {
      received: made instanceof Promise ? "a promise" : show(made),
      allowed: 'an object such as { name: "…", contract: 1, apply(taps) { … } }, at once',
      hint: "what takes time belongs into its open()",
    });
  const isDeaf = factory.length === 0 && made.options === undefined && made.schema === undefined;
  if (isDeaf && isObject(options) && Object.keys(options).length > 0)
    throw new BilevelError("E_OPTIONS_INVALID", `${name} takes no options`, {
      path: `${path}.options`,
      received: show(options),
      allowed: "none",
      hint: "leave options out",
    });
  return made;
}

/**
 * What a name of the config stands for: a path from `home`, a package found from there, or this very package.
 * @throws E_PLUGIN_MISSING, E_PLUGIN_INVALID
 */
export async function importNamed(target: string, home: string, path: string): Promise<unknown> {
  const [specifier = "", exported = "default"] = target.split("#");
  const isPath = specifier.startsWith(".");
  let url: string;
  try {
    url = isPath ? pathToFileURL(resolve(home, specifier)).href : (ownUrl(specifier) ?? find(specifier, home));
    if (url.startsWith("file:") && !existsSync(fileURLToPath(url))) throw new Error("there is no such file");
  } catch (error) {
    const [line = ""] = messageOf(error).split("\n");
    throw new BilevelError("E_PLUGIN_MISSING", `${specifier} cannot be found: ${line}`, {
      path,
      ...(isPath ? { received: resolve(home, specifier) } : {}),
      hint: isPath
        ? "the path is relative to the config file"
        : ownUrl(specifier)
          ? "the names of bilevel are in its docs/config.md"
          : `npm install ${specifier}`,
      cause: error,
    });
  }
  const module = await load(specifier, url, path);
  const value = module[exported];
  // a CommonJS file made from an ES module has its default export one step further in
  const inner = exported === "default" && isObject(value) && value.__esModule === true ? value.default : undefined;
  if (inner !== undefined) return inner;
  if (value !== undefined) return value;
  const names = Object.keys(module).filter((name) => name !== "default" && name !== "module.exports");
  const problem = `${specifier} has no export ${exported}`;
  if (exported !== "default") {
    const near = nearest(exported, names);
    throw new BilevelError("E_PLUGIN_INVALID", problem, {
      path,
      allowed: names.join(", ") || "none: it has no exports",
      hint: near && `did you mean ${specifier}#${near}?`,
    });
  }
  throw new BilevelError("E_PLUGIN_INVALID", problem, {
    path,
    received: names.length > 0 ? `exports ${names.join(", ")}` : "no exports",
    allowed: "a default export, or package#name for another one",
    hint: names[0] === undefined ? "export default mechanism({ … })" : `use: "${specifier}#${names[0]}"`,
  });
}

/** A package is found as an import of a file beside the config would be, whatever kinds of module it offers. */
function find(specifier: string, home: string): string {
  try {
    return pathToFileURL(createRequire(join(home, "config.js")).resolve(specifier)).href;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error;
    return resolveFrom(specifier, pathToFileURL(join(home, "config.js")).href);
  }
}

async function load(specifier: string, url: string, path: string): Promise<Record<string, unknown>> {
  try {
    return (await import(url)) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof BilevelError) throw error;
    const [line = ""] = messageOf(error).split("\n");
    const lacking = /Cannot find package '([^']+)'/.exec(line)?.[1];
    const isSyntax = error instanceof SyntaxError;
    const file = decodeURI(url.replace("file://", ""));
    const isModuleTwice = /module is not defined|exports is not defined|require is not defined/.test(line);
    throw new BilevelError("E_PLUGIN_INVALID", `${specifier} cannot be loaded: ${line}`, {
      path,
      received: isSyntax ? syntaxPlace(error, file) : file,
      hint: lacking
        ? `it needs ${lacking}, which is not installed: npm install ${lacking}`
        : isModuleTwice
          ? "it is CommonJS in a package of ES modules: use import and export, or name the file .cjs"
          : line.startsWith("Stripping types")
            ? "compile it: a package holds JavaScript (docs/plugins.md)"
            : isSyntax
              ? "mend the file"
              : `what it does when it is loaded fails: run it with node to see the whole error`,
      cause: error,
    });
  }
}

/** Where the syntax is wrong of a file that was imported: in itself or, where Node tells, in one that it imports. */
export function syntaxPlace({ stack = "" }: SyntaxError, file: string): string {
  const line = /^\S.*:\d+$/m;
  const [place] =
    line.exec(stack) ?? line.exec(spawnSync(process.execPath, ["--check", file], { encoding: "utf8" }).stderr) ?? [];
  return place?.replace("file://", "") ?? file;
}
