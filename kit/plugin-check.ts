import type { Plugin } from "../core/contract.ts";

export interface PluginProblem {
  /** The place in the config. */
  at: string;
  message: string;
  hint: string;
}

/** What is wrong with the plugins of a config together: names that are taken, plugins that nobody would call. */
export function pluginsProblem(plugins: readonly (readonly [at: string, plugin: Plugin])[]): PluginProblem | undefined {
  const taken: { at: string; name: string; list: string }[] = [];
  for (const [at, { name, role, apply }] of plugins) {
    if (/^plugins/.test(at) && apply && role !== "mechanism") {
      const message = `${name} has an apply that is never called: the plugins here are mechanisms, or watch from open`;
      return { at, message, hint: `give it role: "mechanism", or put it into the plugins of the level that it shapes` };
    }
    // state and costs go by the name; only the lists of two levels may share one
    const list = /^levels\[\d+\](\.plugins)?/.exec(at)?.[0] ?? "";
    const other = taken.find((one) => one.name === name && (one.list === list || !one.list || !list));
    if (other) {
      const message = `there is a plugin named ${name} already, at ${other.at}`;
      return { at, message, hint: "leave one out, or ask its author for a name of its own" };
    }
    taken.push({ at, name, list });
  }
  return undefined;
}
