import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * What the run's jobs on a cluster are known by. It is random and kept in the run's folder: the run may go on under
 * another path, or on another machine.
 */
export async function runKeyOf(runFolder: string): Promise<string> {
  const file = join(runFolder, "ray-run");
  const known = await readFile(file, "utf8").catch(() => undefined);
  if (known !== undefined) return known;
  const key = randomBytes(8).toString("hex");
  await writeWhole(file, key);
  return key;
}

/** Writes a file that only its owner may read: wholly, or not at all. */
export async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.tmp`, text, { mode: 0o600, flush: true });
  await rename(`${file}.tmp`, file);
}

/** How the run is called in Ray's dashboard. */
export const shownName = (runFolder: string): string =>
  (runFolder.split("/").at(-1) ?? "").replace(/[^A-Za-z0-9-]/g, "-").slice(0, 60);
