import { statfs } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Run } from "../../core/index.ts";

const leastShare = 0.05;
const mostTimes = 5; // 5 % of a large disk that many share are hundreds of GB
const lookEveryMs = 5000;

/** Waits while the disk is nearly full, telling once; false where the run was stopped meanwhile. */
export async function waitForRoom(folder: string, minFreeGb: number, signal: AbortSignal, run: Run): Promise<boolean> {
  for (let told = false; !signal.aborted; told = true) {
    const { bavail, blocks, bsize } = await statfs(folder);
    const [freeGb, wholeGb] = [(bavail * bsize) / 1e9, (blocks * bsize) / 1e9];
    const leastGb = Math.max(minFreeGb, Math.min(leastShare * wholeGb, mostTimes * minFreeGb));
    if (freeGb >= leastGb) {
      if (told) run.notice("there is room on the disk again: the run goes on");
      return true;
    }
    if (!told)
      run.notice(
        `paused: only ${freeGb.toFixed(1)} GB of the disk are free; no trial starts until there are ${leastGb.toFixed(1)} GB (minFreeGb)`,
      );
    await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
  return false;
}
