import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BilevelError, messageOf } from "../core/index.ts";
import schema from "../schema.json" with { type: "json" };

/** What a config names in its first line, so that an editor completes it. */
export const schemaPath = "./.bilevel/schema.json";

/** The folder that runs lie in, beside the config. */
export const runsFolder = (home: string): string => join(home, ".bilevel");

/** Makes that folder, which Git ignores. @throws E_FOLDER */
export function makeRunsFolder(home: string): void {
  const folder = runsFolder(home);
  usable(folder, () => {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    const ignore = join(folder, ".gitignore");
    if (!existsSync(ignore)) writeFileSync(ignore, "*\n");
  });
}

/** Names of what lies in it. @throws E_FOLDER */
export function runsFolderNames(home: string): string[] {
  const folder = runsFolder(home);
  return existsSync(folder) ? usable(folder, () => readdirSync(folder)) : [];
}

/** A run that is to go on writes into its folder: asked before it starts. @throws E_FOLDER */
export const checkWritable = (folder: string): void => usable(folder, () => accessSync(folder, constants.W_OK));

function usable<T>(folder: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw new BilevelError("E_FOLDER", "cannot be used as a folder of runs", {
      path: folder,
      received: messageOf(error),
      allowed: "a folder that can be read and written",
      hint: "mend that, or work in a copy elsewhere: -C FOLDER",
      cause: error,
    });
  }
}

/**
 * Keeps the schema of this very version where a config that names it there finds it, wherever the command itself is
 * installed. A help for editors alone: a folder that cannot be written goes without.
 */
export function keepSchema(file: string, home: string): void {
  if (!readFileSync(file, "utf8").includes(schemaPath)) return;
  const [kept, text] = [join(home, schemaPath), `${JSON.stringify(schema, null, 2)}\n`];
  try {
    if (existsSync(kept) && readFileSync(kept, "utf8") === text) return;
    makeRunsFolder(home);
    writeFileSync(kept, text);
  } catch {
    // read-only
  }
}
