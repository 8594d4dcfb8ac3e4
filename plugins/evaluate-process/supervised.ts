import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Progress } from "../../core/index.ts";
import { startTimeOf } from "../../core/index.ts";
import { endProcesses } from "./process-tree.ts";
import type { Exit, Spec } from "./supervisor.ts";

const supervisorFile = new URL(`./supervisor${extname(import.meta.url)}`, import.meta.url).pathname;
const lookEveryMs = 100;

/** A trial under its supervisor, started by this process or by an earlier one. */
export interface Supervised {
  /**
   * Waits for the end; hands on intermediate values meanwhile, and has the
   * trial ended when one of them is answered with "stop" or the signal aborts.
   * No exit: the supervisor was killed, and nothing of the trial runs any more.
   */
  finish(
    report: (progress: Progress) => Promise<"continue" | "stop">,
    signal: AbortSignal,
  ): Promise<{ exit?: Exit; stop?: "pruned" | "cancelled" }>;
}

/** Starts a supervisor, journals its handle, and only then tells it to go. */
export async function start(given: {
  folder: string;
  env: Record<string, string>;
  spec: Omit<Spec, "marker">;
  handle: (handle: Readonly<Record<string, unknown>>) => Promise<void>;
}): Promise<Supervised> {
  const { folder, env, spec, handle } = given;
  const marker = randomUUID();
  await mkdir(folder, { recursive: true });
  for (const file of ["exit.json", "progress.jsonl"]) await rm(join(folder, file), { force: true });
  await writeFile(join(folder, "spec.json"), JSON.stringify({ ...spec, marker } satisfies Spec));
  const child = spawn(process.execPath, ["--no-warnings", supervisorFile, folder], {
    env,
    cwd: folder,
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.on("error", () => undefined); // seen as an exit without a result
  child.stdin.on("error", () => undefined);
  await handle({ pid: child.pid, startTime: startTimeOf(child.pid ?? 0), marker });
  child.stdin.write("go\n");
  child.unref();
  return watch(folder, { pid: child.pid ?? 0, startTime: startTimeOf(child.pid ?? 0), marker }, child);
}

/**
 * The trial that an earlier process started, running or finished; undefined
 * where it ended without a result: what it left is ended first.
 */
export async function adopt(
  folder: string,
  handed: Readonly<Record<string, unknown>>,
): Promise<Supervised | undefined> {
  const handle = handed as unknown as Handle;
  if ((await readExit(folder, handle.marker)) || isAlive(handle)) return watch(folder, handle);
  await endProcesses(handle.marker, 0);
  return undefined;
}

interface Handle {
  pid: number;
  startTime?: string;
  marker: string;
}

function isAlive({ pid, startTime }: Handle): boolean {
  if (startTime !== undefined) return startTimeOf(pid) === startTime;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function readExit(folder: string, marker: string): Promise<Exit | undefined> {
  const text = await readFile(join(folder, "exit.json"), "utf8").catch(() => undefined);
  const exit = text === undefined ? undefined : (JSON.parse(text) as Exit);
  return exit?.marker === marker ? exit : undefined;
}

function watch(folder: string, handle: Handle, child?: ChildProcess): Supervised {
  return {
    async finish(report, signal) {
      let seen = 0; // bytes of progress.jsonl
      let stop: "pruned" | "cancelled" | undefined;
      const exited = child ? new Promise<void>((resolve) => child.once("exit", () => resolve())) : undefined;
      const ask = (why: "pruned" | "cancelled"): void => {
        stop ??= why;
        if (isAlive(handle)) process.kill(handle.pid, "SIGTERM");
      };
      for (;;) {
        const isOver = child ? child.exitCode !== null || child.signalCode !== null : !isAlive(handle);
        const exit = await readExit(folder, handle.marker);
        const { points, end } = await progressSince(folder, seen);
        seen = end;
        for (const progress of points) if (stop === undefined && (await report(progress)) === "stop") ask("pruned");
        if (exit) return { exit, stop };
        if (isOver) {
          await endProcesses(handle.marker, 0);
          return { exit: await readExit(folder, handle.marker), stop };
        }
        if (signal.aborted && stop === undefined) ask("cancelled");
        await Promise.race([sleep(lookEveryMs), ...(exited ? [exited] : [])]);
      }
    },
  };
}

/** The intermediate values in the whole lines from this byte on, and where those lines end. */
async function progressSince(folder: string, start: number): Promise<{ points: Progress[]; end: number }> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of createReadStream(join(folder, "progress.jsonl"), { start })) pieces.push(piece as Buffer);
  } catch {
    // none yet
  }
  const bytes = Buffer.concat(pieces);
  const length = bytes.lastIndexOf(10) + 1;
  const lines = bytes.subarray(0, length).toString("utf8").split("\n").slice(0, -1);
  return { points: lines.flatMap(pointIn), end: start + length };
}

function pointIn(line: string): Progress[] {
  try {
    return [JSON.parse(line) as Progress];
  } catch {
    return []; // torn by a full disk
  }
}
