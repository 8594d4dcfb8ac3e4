import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Package } from "ray-node-client";
import { BilevelError } from "../../core/index.ts";
import type { FrozenTask } from "../task/index.ts";

/** The frozen task's copied files as one package, which all trials share. @throws E_TASK_INVALID as `taskContents` */
export async function packTask(frozen: FrozenTask): Promise<Package> {
  const { packFiles } = await import("ray-node-client");
  return packFiles(await taskContents(frozen));
}

/**
 * The frozen task's copied files by their paths. Rights to execute and linked paths are the runner's business.
 * @throws E_TASK_INVALID where they are more than a dashboard takes
 */
export async function taskContents(frozen: FrozenTask): Promise<Record<string, Uint8Array>> {
  const { maxPackageBytes } = await import("ray-node-client");
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
