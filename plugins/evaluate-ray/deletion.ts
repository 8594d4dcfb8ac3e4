import { setTimeout as sleep } from "node:timers/promises";
import type { JobSubmissionClient } from "#ray-node-client";

const settleMs = 2000;
const watchMs = 3000;
const lookEveryMs = 500;

/**
 * Deletes a job that has ended, so that it stays deleted: Ray goes on to look after the job's supervisor for a few
 * seconds, and where it finds that gone and no job that it belongs to, it writes a failed one in its place.
 */
export async function deleteForGood(client: JobSubmissionClient, id: string, signal: AbortSignal): Promise<void> {
  await sleep(settleMs, undefined, { signal });
  await client.deleteJob(id, { signal });
  for (const started = performance.now(); performance.now() - started < watchMs;) {
    await sleep(lookEveryMs, undefined, { signal });
    if (await isThere(client, id, signal)) return client.deleteJob(id, { signal });
  }
}

const isThere = (client: JobSubmissionClient, id: string, signal: AbortSignal): Promise<boolean> =>
  client.getJobInfo(id, { signal }).then(
    () => true,
    () => false,
  );
