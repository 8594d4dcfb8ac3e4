import { messageOf } from "../../core/index.ts";
import type { Ground } from "./backend.ts";
import { removeJob } from "./submission.ts";

/** At a run's end: ends and forgets every job of the run that is left, also those of earlier processes. */
export async function sweep({ client, run, runKey }: Ground): Promise<void> {
  try {
    const jobs = await client.listJobs({ signal: AbortSignal.timeout(10_000) });
    const ours = jobs.filter(({ metadata }) => metadata.bilevel_run === runKey);
    await Promise.all(ours.map(({ submissionId }) => removeJob(client, submissionId ?? "")));
  } catch (error) {
    run.notice("jobs of this run may be left on the cluster, which does not answer", messageOf(error));
  }
}
