import type { JobInfo } from "#ray-node-client";
import type { Evaluation, Outcome, TaskChange } from "../../core/index.ts";
import { longestTimer } from "../../kit/time.ts";
import type { Ground } from "./backend.ts";
import { Harvest } from "./outcome.ts";

/** A trial's job, as it is journaled before it is submitted. */
export interface TrialJob {
  readonly job: string;
  /** The token of its frames. */
  readonly frame: string;
  readonly limitSeconds: number | null;
}

/** Why a job was asked to end. Overdue: its runner ought to have ended it. */
type Stop = "pruned" | "cancelled" | "diverged" | "overdue";

/** What others have beyond a deadline that they keep themselves. */
export const slackMs = 60_000;
/** What a job has that was asked to end, beyond its grace. */
const endMs = 15_000;

/**
 * Reads a trial's job to its end, hands on intermediate values meanwhile, and has it ended when one of them is answered
 * with "stop" or the run stops. Gives back the outcome or, where the runner had no word, the job that ended.
 * Throws `WAIT_TIMEOUT` where it is PENDING for too long, and what the client throws.
 */
export async function follow(
  { client, options, task, metric }: Ground,
  evaluation: Evaluation<TaskChange>,
  { job: id, frame, limitSeconds }: TrialJob,
  { pendingMs, onStart }: { pendingMs: number; onStart: (job: JobInfo) => void },
): Promise<Outcome | JobInfo> {
  const { signal, folder, slot } = evaluation;
  const graceMs = options.graceSeconds * 1000;
  const isStarted = ({ status }: JobInfo): boolean => status !== "PENDING";
  onStart(await client.waitForJob(id, { until: isStarted, timeoutMs: pendingMs, pollMs: 500, signal }));
  const harvest = new Harvest({ folder, frame, metric, task, slot, logMb: options.logMb });
  const giveUp = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  let stop: Stop | undefined;
  const ask = (why: Stop): void => {
    if (stop !== undefined) return;
    stop = why;
    client.stopJob(id).catch(() => undefined); // the end of waiting tells
    timers.push(setTimeout(() => giveUp.abort(), graceMs + endMs));
  };
  const cancel = (): void => ask("cancelled");
  signal.addEventListener("abort", cancel);
  if (signal.aborted) cancel();
  const overdueMs = limitSeconds === null ? Infinity : limitSeconds * 1000 + graceMs + slackMs;
  if (overdueMs <= longestTimer) timers.push(setTimeout(() => ask("overdue"), overdueMs));
  try {
    for await (const piece of client.tailJobLogs(id, { prefer: "stream", signal: giveUp.signal })) {
      for (const point of harvest.take(piece))
        if (stop === undefined && (await evaluation.report(point)) === "stop") ask("pruned");
      if (harvest.diverged) ask("diverged");
      if (harvest.isWhole) break;
    }
  } catch (error) {
    if (!giveUp.signal.aborted) throw error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener("abort", cancel);
    harvest.close();
  }
  const why: Stop | undefined = stop;
  const outcome = await harvest.outcome(why === "pruned" || why === "cancelled" ? why : undefined);
  return outcome ?? (why === undefined ? client.getJobInfo(id) : unspoken(why));
}

/** The outcome of a trial that was asked to end, and whose runner did not say how it did. */
function unspoken(why: Stop): Outcome {
  const seconds = 0;
  switch (why) {
    case "pruned":
      return { seconds, status: "pruned", reason: "stopped early: it could not win any more" };
    case "cancelled":
      return { seconds, status: "cancelled", reason: "the run was stopped" };
    case "diverged":
      return {
        seconds,
        status: "crashed",
        kind: "diverged",
        reason: "an intermediate value was not a finite number",
      };
    case "overdue":
      return { seconds, status: "lost", reason: "its node did not end it at its time limit" };
  }
}
