import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import schema from "../schema.json" with { type: "json" };

/** What a config names in its first line, so that an editor completes it. */
export const schemaPath = "./.bilevel/schema.json";

/** The folder that runs lie in, beside the config. */
export const runsFolder = (home: string): string => join(home, ".bilevel");

/** Makes that folder, which Git ignores. */
export function makeRunsFolder(home: string): void {
  mkdirSync(runsFolder(home), { recursive: true });
  const ignore = join(runsFolder(home), ".gitignore");
  if (!existsSync(ignore)) writeFileSync(ignore, "*\n");
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
