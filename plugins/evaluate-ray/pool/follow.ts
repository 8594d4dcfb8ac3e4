import type { Outcome, Progress } from "../../../core/index.ts";
import type { Harvest } from "../outcome.ts";
import { ChannelError, type PoolEvent } from "./channel.ts";
import type { OpenPool, Pool } from "./pool.ts";

/** A trial to be run in a pool. */
export interface PoolTrial {
  /** Names this attempt at the trial: a pool runs a key once. */
  key: string;
  spec: object;
  harvest: Harvest;
  report: (progress: Progress) => Promise<"continue" | "stop">;
  /** Aborted when the run is to stop. */
  signal: AbortSignal;
  /** After a request to end, for so long the pool is listened to. */
  stopMs: number;
}

/** Sees a trial through to its outcome, over connections that may break. */
export async function follow(pool: Pool, at: OpenPool, trial: PoolTrial): Promise<Outcome> {
  const { key, spec, harvest, report, signal } = trial;
  const giveUp = new AbortController();
  let stop: "pruned" | "cancelled" | "diverged" | undefined;
  let [seen, queuedSeconds] = [0, 0];
  let last: PoolEvent | undefined;

  const askToStop = (): void => void at.channel.stop(key).catch(() => undefined); // asked again with the next connection
  const end = (why: NonNullable<typeof stop>): void => {
    if (stop !== undefined) return;
    stop = why;
    askToStop();
    setTimeout(() => giveUp.abort(), trial.stopMs).unref();
  };
  const take = async (event: PoolEvent): Promise<void> => {
    if (event.event === "queued" && stop !== undefined) askToStop(); // until now the pool may not have known the trial
    if (event.event === "started") queuedSeconds = event.queuedSeconds;
    if (event.event !== "output") return;
    for (const progress of harvest.take(event.text))
      if (stop === undefined && (await report(progress)) === "stop") end("pruned");
    if (harvest.diverged) end("diverged");
  };

  const cancel = (): void => end("cancelled");
  signal.addEventListener("abort", cancel);
  if (signal.aborted) cancel();
  try {
    while (!isLast(last) && !giveUp.signal.aborted) {
      try {
        for await (const event of at.channel.trial(key, spec, seen, giveUp.signal)) {
          seen++;
          await take((last = event));
        }
      } catch (error) {
        if (!(error instanceof ChannelError)) throw error;
      }
      if (isLast(last) || giveUp.signal.aborted) break;
      if (await pool.isGone(at)) last = { event: "lost", reason: "the pool that ran it is gone" };
      else if (stop !== undefined) askToStop();
    }
  } finally {
    signal.removeEventListener("abort", cancel);
  }

  const outcome = await harvest.finish(stop === "diverged" ? undefined : stop);
  const where = outcome?.where && { ...outcome.where, queuedSeconds };
  if (outcome) return { ...outcome, ...(where ? { where } : {}) };
  if (stop === "cancelled") return { status: "cancelled", reason: "the run was stopped", seconds: 0 };
  if (stop === "pruned") return { status: "pruned", reason: "stopped early: it could not win any more", seconds: 0 };
  const reason = last?.event === "lost" ? last.reason : "its runner was killed on the cluster before the trial ended";
  return { status: "lost", reason, seconds: 0 };
}

const isLast = (event: PoolEvent | undefined): boolean => event?.event === "ended" || event?.event === "lost";
