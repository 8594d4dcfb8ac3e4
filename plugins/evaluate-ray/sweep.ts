import type { JobInfo } from "#ray-node-client";
import { messageOf } from "../../core/index.ts";
import type { Ground } from "./backend.ts";
import { removeJob } from "./submission.ts";
import { endWaiting } from "./waiting.ts";

const endMs = 45_000;

/** At a run's end: ends and forgets every job of the run that is left, also those of earlier processes, but for what is kept. */
export async function sweep(ground: Ground, kept: readonly string[]): Promise<void> {
  const { client, run, runKey } = ground;
  try {
    const jobs = await client.listJobs({ signal: AbortSignal.timeout(10_000) });
    const ours = jobs.filter(({ metadata }) => metadata.bilevel_run === runKey);
    const waiting = idsOf(ours.filter(({ status }) => status === "PENDING"));
    const others = idsOf(ours.filter(({ status }) => status !== "PENDING")).filter((id) => !kept.includes(id));
    const ending = waiting.length > 0 ? endWaiting(ground, waiting, AbortSignal.timeout(endMs)) : undefined;
    await Promise.all([ending, ...others.map((id) => removeJob(client, id))]);
  } catch (error) {
    run.notice("jobs of this run may be left on the cluster", messageOf(error));
  }
}

const idsOf = (jobs: readonly JobInfo[]): string[] => jobs.map(({ submissionId }) => submissionId ?? "");
