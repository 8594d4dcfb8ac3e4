import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Package } from "#ray-node-client";
import { BilevelError } from "../../core/index.ts";
import type { FrozenTask } from "../task/index.ts";

/**
 * The frozen task as one package, which all trials share. It lies in a folder of the package: Python on the nodes, Ray's
 * own included, looks for modules at the package's top, where a file of the task called json.py would do harm.
 * @throws E_TASK_INVALID as `taskContents`
 */
export async function packTask(frozen: FrozenTask, folder: string): Promise<Package> {
  const { packFiles } = await import("#ray-node-client");
  const contents = Object.entries(await taskContents(frozen));
  if (contents.length === 0) return packFiles({ [`${folder}/`]: "" }); // a task may be nothing but links
  const files = contents.map(([path, bytes]) => [`${folder}/${path}`, bytes] as const);
  return packFiles(Object.fromEntries(files));
}

/**
 * The frozen task's copied files by their paths. Rights to execute and linked paths are the runner's business.
 * @throws E_TASK_INVALID where they are more than a dashboard takes
 */
export async function taskContents(frozen: FrozenTask): Promise<Record<string, Uint8Array>> {
  const { maxPackageBytes } = await import("#ray-node-client");
  const size = frozen.files.reduce((sum, file) => sum + file.size, 0);
  if (size > maxPackageBytes) {
    const largest = [...frozen.files].sort((a, b) => b.size - a.size).slice(0, 3);
    throw new BilevelError("E_TASK_INVALID", "the task's folder is too large to be sent to the cluster", {
      path: "task.folder",
      received: `${Math.ceil(size / 1e6)} MB, among them ${largest.map((file) => file.path).join(", ")}`,
      allowed: `${Math.floor(maxPackageBytes / 1e6)} MB`,
      hint: 'link large files (task.link), and say where they lie on the cluster: evaluateRay({ links: { "data": "/mnt/data" } })',
    });
  }
  const contents: Record<string, Uint8Array> = {};
  for (const { path, hash } of frozen.files) contents[path] = await readFile(join(frozen.store, hash));
  return contents;
}
