import { spawn } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Outcome, TaskChange, Trial } from "../../core/index.ts";
import { Harvest } from "../../plugins/evaluate-ray/outcome.ts";
import { runnerPath } from "../../plugins/evaluate-ray/runner.ts";
import { trialSpec, type SpecOptions, type TrialSpec } from "../../plugins/evaluate-ray/trial-spec.ts";
import { freezeTask } from "../../plugins/task/index.ts";
import { programConfig, type Program } from "./process-run.ts";
import { localPython } from "./python.ts";

/** A program's trial in the form that its runner takes, with a folder that stands for the node's copy of the task. */
export async function specOf(
  program: Program,
  { candidate = { values: { X: 1 } }, ...options }: Partial<SpecOptions> & { candidate?: TaskChange } = {},
): Promise<{ spec: TrialSpec; home: string; base: string }> {
  const { home, config } = programConfig(program);
  if (!config.task) throw new Error("a program has a task");
  const frozen = await freezeTask(config.task, home, join(home, "run"));
  const base = join(home, "node");
  mkdirSync(base);
  for (const { path, hash } of frozen.files) cpSync(join(frozen.store, hash), join(base, path));
  const trial: Trial<TaskChange> = { id: 1, turn: 1, parent: 0, candidate, by: "test", arm: [], seed: 42, touches: [] };
  const all = { slot: 0, limitSeconds: null, graceSeconds: 0.3, links: {}, passEnv: [], ...options };
  const spec = await trialSpec(frozen, config.task, trial, all);
  if ("refused" in spec) throw new Error(spec.refused);
  return { spec: { ...spec, base }, home, base };
}

/** A runner under way. */
export interface Runner {
  pid: number;
  /** What it has printed so far. */
  log(): string;
  /** Resolves at its end, with its exit code. */
  ended: Promise<number | null>;
}

/** Starts the runner on this machine, with the specification on its standard input. */
export function startRunner(spec: TrialSpec, env: NodeJS.ProcessEnv = process.env): Runner {
  const child = spawn(localPython ?? "", [runnerPath("trial.py"), "-"], { env, stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify(spec));
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  const ended = new Promise<number | null>((resolve, reject) => child.on("close", resolve).on("error", reject));
  return { pid: child.pid ?? 0, log: () => text, ended };
}

/** What a log comes to, read in pieces of a size that tears every frame. */
export async function harvest(
  log: string,
  spec: TrialSpec,
  { folder, task, stop }: { folder: string; task?: Program["task"]; stop?: "pruned" | "cancelled" },
): Promise<Outcome | undefined> {
  const options = { folder, frame: spec.frame, metric: "loss", task: task ?? {}, slot: 0, logMb: 8 };
  const harvesting = new Harvest(options);
  for (let at = 0; at < log.length; at += 999) harvesting.take(log.slice(at, at + 999));
  harvesting.close();
  return harvesting.outcome(stop);
}
