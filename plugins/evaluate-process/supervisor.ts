import { spawn } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StringDecoder } from "node:string_decoder";
import type { Progress, Task } from "../../core/contract.ts";
import { longestTimer } from "../../kit/time.ts";
import { createMetricReader } from "../task/metrics.ts";
import { CappedLog, LastLines } from "./log.ts";
import { shownMetrics } from "./outcome.ts";
import { endProcesses, markerName } from "./process-tree.ts";

const reservedBytes = 65_536;

/** What the host asks for, in `spec.json` of the trial's folder. */
export interface Spec {
  marker: string;
  command: readonly string[];
  cwd: string;
  /** Null: no limit. */
  limitMs: number | null;
  graceMs: number;
  logBytes: number;
  metric: string;
  metrics?: Task["metrics"];
  editable?: Task["editable"];
}

/** How it ended, in `exit.json`, written in one atomic step. */
export interface Exit {
  marker: string;
  code: number | null;
  signal: string | null;
  /** Why the supervisor ended it, if it did. */
  ended?: "limit" | "diverged" | "asked";
  /** Why the command could not be started. */
  failed?: string;
  seconds: number;
  /** Processes that the program left behind, ended since; and those that would not go. */
  leftBehind: number;
  stillThere: number[];
  cutBytes: number;
  metrics: Record<string, number | string>;
  problems: string[];
  lastLines: string[];
}

/**
 * One small process per trial: starts nothing until it is told that its handle
 * is journaled, ends if its host goes away first, and outlives the host from
 * then on. supervisor.ts FOLDER
 */
const folder = process.argv[2] ?? ".";
const draft = join(folder, "exit.json.tmp");
const spec = JSON.parse(readFileSync(join(folder, "spec.json"), "utf8")) as Spec;

process.stdin.once("data", () => void supervise());
process.stdin.once("end", () => {
  if (!told) process.exit(0);
});
process.stdin.on("error", () => undefined);
let told = false;

async function supervise(): Promise<void> {
  told = true;
  reserve();
  let isAsked = false;
  const started = performance.now();
  const log = new CappedLog(join(folder, "output.log"), spec.logBytes);
  const reader = createMetricReader(spec, spec.metric);
  const lastLines = new LastLines();
  let ended: Exit["ended"];
  let failed: string | undefined;
  const [program = "", ...args] = spec.command;
  const env = { ...process.env, [markerName]: spec.marker };
  const child = spawn(program, args, { cwd: spec.cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });

  const end = (why: NonNullable<Exit["ended"]>): void => {
    ended ??= why;
    void endProcesses(spec.marker, spec.graceMs, child.pid);
  };
  for (const from of ["stdout", "stderr"] as const) {
    const decoder = new StringDecoder("utf8");
    child[from].on("data", (chunk: Buffer) => {
      log.write(chunk);
      const text = decoder.write(chunk);
      lastLines.take(text);
      for (const progress of reader.read(text, from)) if (!report(progress)) end("diverged");
    });
  }
  process.on("SIGTERM", () => {
    isAsked = true;
    end("asked");
  });
  process.on("SIGINT", () => undefined); // the terminal's ^C reaches the whole group; the host decides
  const limit =
    spec.limitMs === null ? undefined : setTimeout(() => end("limit"), Math.min(spec.limitMs, longestTimer));

  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      failed = error.code === "ENOENT" ? `command not found: ${program}` : error.message;
      resolve({ code: null, signal: null });
    });
    child.once("exit", (exitCode, exitSignal) => resolve({ code: exitCode, signal: exitSignal }));
  });
  clearTimeout(limit);
  const seconds = (performance.now() - started) / 1000;
  const { ended: leftBehind, left } = await endProcesses(spec.marker, spec.graceMs, child.pid);
  await Promise.race([closed, sleep(1000)]); // a pipe may be held by what would not go
  const cutBytes = log.close();
  const { metrics, problems } = await reader.finish(spec.cwd);
  const exit: Exit = {
    marker: spec.marker,
    code,
    signal,
    ...(ended ? { ended } : {}),
    ...(failed ? { failed } : {}),
    seconds,
    leftBehind,
    stillThere: left,
    cutBytes,
    metrics: shownMetrics(metrics),
    problems,
    lastLines: lastLines.lines,
  };
  for (let tries = 0; !tell(exit) && !isAsked && tries < 600; tries++) await sleep(1000); // a full disk
  process.exit(0);
}

/** Keeps room for what the trial comes to, so that a disk that it fills takes that all the same. */
function reserve(): void {
  try {
    writeFileSync(draft, Buffer.alloc(reservedBytes));
  } catch {
    // full already
  }
}

/** Tells what the trial came to, in the room that was kept for it; false where there is none. */
function tell(exit: Exit): boolean {
  try {
    mkdirSync(folder, { recursive: true }); // the program may have removed it
    const bytes = Buffer.from(JSON.stringify(exit));
    const descriptor = openSync(draft, constants.O_RDWR | constants.O_CREAT); // in place: what is reserved stays so
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done, undefined, done);
      ftruncateSync(descriptor, bytes.length);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(draft, join(folder, "exit.json"));
    return true;
  } catch {
    return false;
  }
}

/** False where the value shows that the trial has diverged. */
function report(progress: Progress): boolean {
  if (!Number.isFinite(progress.value)) return false;
  try {
    appendFileSync(join(folder, "progress.jsonl"), `${JSON.stringify(progress)}\n`);
  } catch {
    // its folder is gone: what the program prints is not lost with it
  }
  return true;
}
