import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { JobSubmissionClient } from "#ray-node-client";
import type { Fact, Outcome, Trial } from "../../core/index.ts";
import { journalFile, readJournal } from "../../core/index.ts";
import { deleteForGood } from "../../plugins/evaluate-ray/deletion.ts";
import type { EvaluateRayOptions } from "../../plugins/evaluate-ray/index.ts";
import type { RayHead } from "../../ray-node-client/test/ray/head.ts";
import { notesIn, outcomesIn, rayProject } from "./ray-run.ts";
import { emptyFolder, ofType } from "./run.ts";

const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;

/** A run on Ray by the command line, in processes of its own, whose trials note their starts and ends. */
export class RayCommand {
  readonly home = emptyFolder();
  readonly #trials: number;
  #children: ChildProcess[] = [];

  /** `trials`: beside the baseline, which ends at once. */
  constructor(
    address: string,
    { trials, ...size }: { slots?: number; trials: number; seconds?: number; options?: EvaluateRayOptions },
  ) {
    this.#trials = trials;
    rayProject(this.home, address, { trials, ...size });
  }

  /** `bilevel run` or `bilevel resume`. */
  start(verb: "run" | "resume" = "run", ...options: string[]): ChildProcess {
    const args = ["--no-warnings", command, verb, ...options, "--quiet", "-C", this.home];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
    this.#children.push(child);
    return child;
  }

  /** Runs it to its end; throws where that is not a good one. */
  async finish(verb: "run" | "resume" = "run"): Promise<void> {
    expect(await exitOf(this.start(verb))).toBe(0);
  }

  /** Ends what a failed test left. */
  kill(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }

  get facts(): readonly Fact[] {
    const runs = join(this.home, ".bilevel");
    const [name = ""] = readdirSync(runs).filter((one) => one.startsWith("run"));
    return readJournal(journalFile(join(runs, name))).facts;
  }

  /** The values of X that were started, or came to their end, in order; X is the trial's number. */
  noted(what: "start" | "end"): number[] {
    return notesIn(this.home)
      .filter((note) => note.startsWith(what))
      .map((note) => Number(note.split(" ")[1]));
  }

  /** Waits until so many trials beside the baseline run at the same time. */
  async runs(trials: number): Promise<void> {
    const running = (): number => {
      const ended = this.noted("end");
      return new Set(this.noted("start").filter((x) => x > 0 && !ended.includes(x))).size;
    };
    await expect.poll(running, { timeout: 90_000, interval: 50 }).toBe(trials);
  }

  /** Outcomes of this status, in the order of their ends. */
  outcomes(status: Outcome["status"]): (Outcome & { trial: number })[] {
    return outcomesIn(this.facts).filter((outcome) => outcome.status === status);
  }

  /** Every trial was measured once, and whatever else ended was lost. */
  isWhole(): void {
    const all = Array.from({ length: this.#trials + 1 }, (_, id) => id);
    const planned = ofType(this.facts, "turn").flatMap((fact) => fact.trials as Trial[]);
    expect(planned.map(({ id }) => id)).toEqual(all);
    expect(inOrder(this.outcomes("measured").map(({ trial }) => trial))).toEqual(all);
    for (const { status } of outcomesIn(this.facts)) expect(["measured", "lost"]).toContain(status);
  }
}

export const inOrder = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

/** Waits for the end of a process. */
export async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}

/** Kills the run's process for good while a trial runs, and sees its pool end by itself, with all that it held. */
export async function poolEndsWithoutItsRun(
  command: RayCommand,
  head: RayHead,
  client: JobSubmissionClient,
): Promise<void> {
  const child = command.start();
  await command.runs(1);
  child.kill("SIGKILL");
  const [job] = await client.listJobs();
  const ended = await client.waitForJob(job?.submissionId ?? "", { timeoutMs: 60_000 });
  expect(ended.status).toBe("SUCCEEDED");
  expect(await client.getJobLogs(ended.submissionId ?? "")).toMatch(/^bilevel-pool ends: its controller is gone$/m);
  await expect.poll(() => head.processes("train.js"), { timeout: 10_000 }).toEqual([]);
  await deleteForGood(client, ended.submissionId ?? "", AbortSignal.timeout(20_000));
}
