import { randomBytes } from "node:crypto";
import type { Ground } from "./backend.ts";
import { deleteForGood } from "./deletion.ts";
import { runnerText } from "./runner.ts";
import { quoted } from "./shell.ts";

/**
 * Ends jobs that wait inside Ray, which its Jobs API cannot: a stop reaches such a job only once it has started. A small
 * job on the head's node takes their supervisors away, and is forgotten afterwards. Throws a `RayError`.
 */
export async function endWaiting(
  { client, runKey }: Ground,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const script = quoted(await runnerText("call_off.py"));
  const id = await client.submitJob(
    {
      submissionId: `bilevel-call-off-${randomBytes(6).toString("hex")}`,
      entrypoint: `exec "$(command -v python || command -v python3)" -I -c ${script} ${ids.join(" ")}`,
      metadata: { job_name: "bilevel call-off", bilevel_run: runKey },
    },
    { signal },
  );
  await client.waitForJob(id, { pollMs: 200, signal });
  for (const one of ids) await client.waitForJob(one, { pollMs: 200, signal });
  await Promise.all([id, ...ids].map((one) => deleteForGood(client, one, signal)));
}
