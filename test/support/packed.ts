import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { inject } from "vitest";

export interface Said {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the packed command, installed elsewhere, in a folder. `node`: another Node than that of the tests. */
export function packed(folder: string, args: readonly string[], node = process.execPath, env = process.env): Said {
  const command = join(inject("global"), "lib/node_modules/bilevel/dist/cli/bilevel.js");
  return spawnSync(node, [command, ...args], { cwd: folder, encoding: "utf8", env, maxBuffer: 1e8 });
}
