import { registerHooks } from "node:module";
import { extname } from "node:path";

/** Where a public name of this very package lies, as it runs now: sources or compiled files. */
export function ownUrl(specifier: string): string | undefined {
  const ending = extname(import.meta.url);
  const [name, place, ...rest] = specifier.split("/");
  // in a clone the client of Ray may not be compiled
  if (specifier === "#ray-node-client" && ending === ".ts")
    return new URL("../../ray-node-client/src/index.ts", import.meta.url).href;
  if (name !== "bilevel") return undefined;
  const file =
    place === undefined
      ? "index"
      : place === "kit"
        ? "kit/index"
        : place === "mechanisms"
          ? `plugins/mechanisms/${rest.join("/")}`
          : `${place}/${rest.join("/")}`;
  return new URL(`../../${file}${ending}`, import.meta.url).href;
}

/** What was compiled in a clone, maybe long ago. */
const compiled = ["dist/", "ray-node-client/dist/"].map((place) => new URL(`../../${place}`, import.meta.url).href);

const scheme = "bilevel-from:";

/** The file that a package's name stands for in a module at `parent`, by the rules of import. */
export const resolveFrom = (specifier: string, parent: string): string =>
  import.meta.resolve(scheme + encodeURIComponent(JSON.stringify([specifier, parent])));

let provided = false;

/**
 * Lets a user's file (a config, a mechanism, an objective) import "bilevel" where none is installed: it gets the
 * package that runs. Holds for the thread that calls it.
 */
export function provideOwnPackage(): void {
  if (provided) return;
  provided = true;
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier.startsWith(scheme)) {
        const [name, parentURL] = JSON.parse(decodeURIComponent(specifier.slice(scheme.length))) as [string, string];
        return next(name, { ...context, parentURL });
      }
      const own = ownUrl(specifier);
      try {
        const found = next(specifier, context);
        if (own !== undefined && compiled.some((place) => found.url.startsWith(place)))
          return { url: own, shortCircuit: true };
        // a .ts file of a folder whose package.json says "commonjs" is a module all the same: it imports bilevel
        return found.format === "commonjs-typescript" ? { ...found, format: "module-typescript" } : found;
      } catch (error) {
        if (own === undefined) throw error;
        return { url: own, shortCircuit: true };
      }
    },
  });
}
