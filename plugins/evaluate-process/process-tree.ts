import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** In the environment of everything that a trial starts; its value is the trial's own. */
export const markerName = "BILEVEL_TRIAL";

/** Numbers of the living processes whose environment carries this marker, and of those in the group, whatever they did to it. */
function livingProcesses(marker: string, group: number | undefined): number[] {
  const wanted = `${markerName}=${marker}`;
  if (process.platform !== "linux") return livingByPs(wanted, group);
  const found: number[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    if (isInGroup(name, group) || (read(`/proc/${name}/environ`) ?? "").split("\0").includes(wanted))
      found.push(Number(name));
  }
  return found;
}

function isInGroup(pid: string, group: number | undefined): boolean {
  const stat = group === undefined ? undefined : read(`/proc/${pid}/stat`);
  const [state, , number] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? []; // the name may hold blanks
  return Number(number) === group && state !== "Z";
}

/** Undefined where the process is gone, or another user's. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return undefined;
  }
}

function livingByPs(wanted: string, group: number | undefined): number[] {
  const columns = ["-axEww", "-o", "pid=,pgid=,stat=,command="];
  const table = execFileSync("ps", columns, { encoding: "utf8", maxBuffer: 1e8 });
  return table.split("\n").flatMap((line) => {
    const [pid, number, state = ""] = line.trim().split(/\s+/);
    const isOurs = line.includes(wanted) || Number(number) === group;
    return isOurs && !state.startsWith("Z") ? [Number(pid)] : [];
  });
}

/**
 * Ends everything that carries the marker or is in the process group, if one is
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
  const first = livingProcesses(marker, group);
  if (first.length === 0) return { ended: 0, left: [] };
  signal("SIGTERM", first);
  const gone = async (withinMs: number): Promise<boolean> => {
    for (const end = performance.now() + withinMs; performance.now() < end; await sleep(20))
      if (livingProcesses(marker, group).length === 0) return true;
    return livingProcesses(marker, group).length === 0;
  };
  if (await gone(graceMs)) return { ended: first.length, left: [] };
  for (let round = 0; round < 20; round++) {
    signal("SIGKILL", livingProcesses(marker, group));
    if (await gone(100)) break;
  }
  return { ended: first.length, left: livingProcesses(marker, group) };
}
