import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** In the environment of everything that a trial starts; its value is the trial's own. */
export const markerName = "BILEVEL_TRIAL";

/** Numbers of the living processes whose environment carries this marker. */
export function markedProcesses(marker: string): number[] {
  const wanted = `${markerName}=${marker}`;
  if (process.platform !== "linux") return markedByPs(wanted);
  const found: number[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readFileSync(`/proc/${name}/environ`, "latin1").split("\0").includes(wanted)) found.push(Number(name));
    } catch {
      // gone, or another user's
    }
  }
  return found;
}

function markedByPs(wanted: string): number[] {
  const table = execFileSync("ps", ["-axEww", "-o", "pid=,command="], { encoding: "utf8", maxBuffer: 1e8 });
  return table
    .split("\n")
    .filter((line) => line.includes(wanted))
    .map((line) => Number(line.trim().split(/\s/)[0]));
}

/**
 * Ends everything that carries the marker, and the process group if one is
 * given: SIGTERM, then SIGKILL after the grace, then a look whether it is gone.
 * Gives back how many processes there were, and whether any is left.
 */
export async function endProcesses(
  marker: string,
  graceMs: number,
  group?: number,
): Promise<{ ended: number; left: number[] }> {
  const signal = (name: NodeJS.Signals, pids: readonly number[]): void => {
    for (const pid of group === undefined ? pids : [-group, ...pids])
      try {
        process.kill(pid, name);
      } catch {
        // gone already
      }
  };
  const first = markedProcesses(marker);
  if (first.length === 0) return { ended: 0, left: [] };
  signal("SIGTERM", first);
  const gone = async (withinMs: number): Promise<boolean> => {
    for (const end = Date.now() + withinMs; Date.now() < end; await sleep(20))
      if (markedProcesses(marker).length === 0) return true;
    return markedProcesses(marker).length === 0;
  };
  if (await gone(graceMs)) return { ended: first.length, left: [] };
  for (let round = 0; round < 20; round++) {
    signal("SIGKILL", markedProcesses(marker));
    if (await gone(100)) break;
  }
  return { ended: first.length, left: markedProcesses(marker) };
}
