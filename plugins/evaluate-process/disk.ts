import { statfs } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Run } from "../../core/index.ts";

const leastShare = 0.05;
const lookEveryMs = 5000;

/** Waits while the disk is nearly full, telling once; false where the run was stopped meanwhile. */
export async function waitForRoom(folder: string, minFreeGb: number, signal: AbortSignal, run: Run): Promise<boolean> {
  for (let told = false; !signal.aborted; told = true) {
    const { bavail, blocks, bsize } = await statfs(folder);
    const freeGb = (bavail * bsize) / 1e9;
    if (freeGb >= minFreeGb && bavail >= leastShare * blocks) {
      if (told) run.notice("there is room on the disk again: the run goes on");
      return true;
    }
    if (!told)
      run.notice(
        `paused: only ${freeGb.toFixed(1)} GB of the disk are free; no trial starts until there are ${minFreeGb} GB and 5 %`,
      );
    await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
  return false;
}
