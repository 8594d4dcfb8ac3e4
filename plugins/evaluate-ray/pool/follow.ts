import { once } from "node:events";
import type { Outcome, Progress } from "../../../core/index.ts";
import type { Harvest } from "../outcome.ts";
import type { TrialSpec } from "../trial-spec.ts";
import { ChannelError, isLast, type PoolEvent } from "./channel.ts";
import type { OpenPool, Pool } from "./pool.ts";

/** A trial to be run in a pool. */
export interface PoolTrial {
  /** Names this attempt at the trial: a pool runs a key once. */
  key: string;
  spec: TrialSpec;
  harvest: Harvest;
  report: (progress: Progress) => Promise<"continue" | "stop">;
  /** Aborted when the run is to stop. */
  signal: AbortSignal;
}

/** Why a trial was asked to end. Unplaced: there was no worker for it in time. */
type Stop = "pruned" | "cancelled" | "diverged" | "unplaced";

/** What a trial has that was asked to end, beyond its grace. */
const endMs = 15_000;
const lookEveryMs = 1000;

/** Sees a trial through to its outcome, over connections that may break. */
export async function follow(
  pool: Pool,
  at: OpenPool,
  { key, spec, harvest, report, signal }: PoolTrial,
): Promise<Outcome> {
  const giveUp = new AbortController();
  const givenUp = once(giveUp.signal, "abort").then(() => false);
  const timers: NodeJS.Timeout[] = [];
  let stop: Stop | undefined;
  let last: PoolEvent | undefined;
  let [seen, queuedSeconds] = [0, 0];

  const askToEnd = (): void => void at.channel.stop(key).catch(() => undefined); // asked again over the next connection
  const end = (why: Stop): void => {
    if (stop !== undefined) return;
    stop = why;
    askToEnd();
    timers.push(setTimeout(() => giveUp.abort(), spec.graceSeconds * 1000 + endMs));
  };
  const take = async (event: PoolEvent): Promise<void> => {
    if (event.event === "queued" && stop !== undefined) askToEnd(); // until now the pool may not have known the trial
    if (event.event === "started") queuedSeconds = event.queuedSeconds;
    if (event.event !== "output") return;
    for (const progress of harvest.take(event.text))
      if (stop === undefined && (await report(progress)) === "stop") end("pruned");
    if (harvest.diverged) end("diverged");
  };

  const cancel = (): void => end("cancelled");
  signal.addEventListener("abort", cancel);
  if (signal.aborted) cancel();
  const giveBack = (): void => {
    if (last?.event === "queued" && pool.hasNoRoom) end("unplaced");
  };
  timers.push(setInterval(giveBack, lookEveryMs));
  try {
    while (!isLast(last) && !giveUp.signal.aborted) {
      try {
        for await (const event of at.channel.trial(key, spec, seen, giveUp.signal)) {
          seen++;
          last = event;
          await take(event);
        }
      } catch (error) {
        if (!(error instanceof ChannelError)) throw error;
      }
      if (isLast(last) || giveUp.signal.aborted) break;
      if (await Promise.race([pool.isGone(at), givenUp]))
        last = { event: "lost", reason: "the pool that ran it is gone" };
      else if (stop !== undefined) askToEnd();
    }
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener("abort", cancel);
    harvest.close();
  }

  const why = stop;
  if (why === "unplaced") return lost(await pool.describeLack(signal));
  const outcome = await harvest.outcome(why === "pruned" || why === "cancelled" ? why : undefined);
  if (outcome) return { ...outcome, ...(outcome.where && { where: { ...outcome.where, queuedSeconds } }) };
  if (why === "cancelled") return { status: "cancelled", reason: "the run was stopped", seconds: 0 };
  if (why === "pruned") return { status: "pruned", reason: "stopped early: it could not win any more", seconds: 0 };
  return lost(last?.event === "lost" ? last.reason : "its runner was killed on the cluster before the trial ended");
}

const lost = (reason: string): Outcome => ({ status: "lost", reason, seconds: 0 });
