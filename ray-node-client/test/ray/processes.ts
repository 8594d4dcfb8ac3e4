import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** The variable that marks the processes of a head. */
export const markName = "RAY_HEAD_OF_TESTS";

/** What tells the processes of one head, or one node of it, from all others on the machine. */
export interface Marks {
  /** In the environment of all that was started, jobs included. A node's begins with its head's. */
  mark: string;
  /** The sessions that `ray start` was run in: processes that rename themselves overwrite their environment. */
  sessions: Set<number>;
}

/** The marked processes that are alive and whose command line has the text. */
export function processesOf({ mark, sessions }: Marks, text = ""): number[] {
  const names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return names.map(Number).filter((pid) => {
    const status = read(pid, "stat");
    const [state, , , session] = status.slice(status.lastIndexOf(")") + 2).split(" ");
    if (state === undefined || state === "" || state === "Z") return false;
    const isOurs = sessions.has(Number(session)) || read(pid, "environ").includes(`${markName}=${mark}`);
    return isOurs && (text === "" || read(pid, "cmdline").replaceAll("\0", " ").includes(text));
  });
}

/** The addresses that processes listen on, without ports: `127.0.0.1`, or the kernel's digits for any other. */
export function listeningOf(pids: readonly number[]): string[] {
  const inodes = new Set(pids.flatMap((pid) => socketsOf(pid)));
  const sockets = ["tcp", "tcp6"].flatMap((kind) =>
    readFileSync(`/proc/net/${kind}`, "latin1").trim().split("\n").slice(1),
  );
  return sockets.flatMap((line) => {
    const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
    const address = local.replace(/:.*/, "");
    const isListening = state === "0A" && inodes.has(`socket:[${inode ?? ""}]`);
    return isListening ? [/^(0{16}FFFF0000)?0100007F$/.test(address) ? "127.0.0.1" : address] : [];
  });
}

/** What the descriptors of a process lead to; one may be closed while it is looked at. */
function socketsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return attempt(() => readdirSync(folder), []).map((fd) => attempt(() => readlinkSync(`${folder}/${fd}`), ""));
}

/** Kills all marked processes, until there is none. */
export async function endAll(marks: Marks): Promise<void> {
  for (let pids = processesOf(marks); pids.length > 0; pids = processesOf(marks)) {
    for (const pid of pids) kill(pid);
    await delay(50);
  }
  marks.sessions.clear(); // from now on others may get their numbers
}

/** Kills one process, if it is still there. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone by itself
  }
}

/** A file of a process; empty where that is gone, or another user's. */
const read = (pid: number, what: string): string => attempt(() => readFileSync(`/proc/${pid}/${what}`, "latin1"), "");

function attempt<Value>(look: () => Value, otherwise: Value): Value {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
