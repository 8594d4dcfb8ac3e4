import { randomBytes } from "node:crypto";
import type { JobSubmission, JobSubmissionClient, Package } from "#ray-node-client";
import type { Ground } from "./backend.ts";
import { deleteForGood } from "./deletion.ts";
import { needsOf } from "./gate.ts";
import { shownName } from "./run-files.ts";
import { runnerText } from "./runner.ts";
import type { TrialSpec } from "./trial-spec.ts";

/** The module that the runner is on the cluster: a package of its own for each trial, with its specification. */
const moduleName = "bilevel_trial";
/** Beyond the grace of the runner, before Ray kills it. */
const cleanUpSeconds = 5;
/** Isolated (-I), so that no file of the task takes the place of a module of Python; found without Python for that. */
const entrypoint = [
  `IFS=:; for place in $PYTHONPATH; do runner="$place/${moduleName}/__main__.py"; [ -f "$runner" ] &&`,
  `exec "$(command -v python || command -v python3)" -I "$runner"; done; echo "its package is missing" >&2; exit 1`,
].join(" ");

/** An id that no job had before. */
export function newJobId(ground: Ground, trial: number): string {
  return `bilevel-${shownName(ground.run.folder)}-${trial}-${randomBytes(6).toString("hex")}`;
}

/** Sends the packages and the job; a job that exists already is this one, whose answer was lost. */
export async function submitTrial(
  ground: Ground,
  id: string,
  trial: number,
  spec: TrialSpec,
  base: Package,
  signal: AbortSignal,
): Promise<void> {
  const { client, options, run, runKey } = ground;
  const own = await trialPackage(id, spec);
  await client.uploadPackage(own, { replace: true, signal });
  const { env_vars: variables, config, py_modules: modules, ...runtimeEnv } = options.runtimeEnv ?? {};
  const stopWait = String(Math.ceil(options.graceSeconds + cleanUpSeconds));
  const needs = needsOf(options);
  const submission: JobSubmission = {
    submissionId: id,
    ifExists: "accept",
    entrypoint,
    runtimeEnv: {
      ...runtimeEnv,
      working_dir: await client.uploadPackage(base, { signal }),
      py_modules: [...((modules ?? []) as string[]), own.uri],
      env_vars: { ...(variables as object), RAY_JOB_STOP_WAIT_TIME_S: stopWait },
      config: { setup_timeout_seconds: options.setupSeconds, ...(config as object) },
    },
    metadata: {
      job_name: `${shownName(run.folder)} trial ${trial}`,
      bilevel_run: runKey,
      bilevel_trial: String(trial),
    },
    entrypointNumCpus: needs.CPU,
    entrypointNumGpus: needs.GPU,
    entrypointMemory: needs.memory,
    entrypointResources: options.resources && { ...options.resources },
    entrypointLabelSelector: options.labelSelector && { ...options.labelSelector },
  };
  await client.submitJob(submission, { signal });
}

/**
 * Makes sure that a job does no work any more, also one that waits: a stop reaches a waiting job only once it has
 * started, so its package is replaced by one that says so. A node fetches it when the job's turn has come.
 */
export async function callOff(client: JobSubmissionClient, id: string, frame: string): Promise<void> {
  const signal = AbortSignal.timeout(20_000);
  await client.uploadPackage(await trialPackage(id, { frame, cancelled: true }), { replace: true, signal });
  await client.stopJob(id, { signal });
}

/**
 * Ends a job if it is not over, and forgets it. What does not come to its end in time stays, without work to do: a job
 * that waits in Ray is ended with its run (`sweep`).
 */
export async function removeJob(client: JobSubmissionClient, id: string, frame = "none"): Promise<void> {
  const { isTerminal } = await import("#ray-node-client");
  const signal = AbortSignal.timeout(30_000);
  try {
    const { status } = await client.getJobInfo(id, { signal });
    if (!isTerminal(status)) {
      // the runner has said its last word, and leaves within a moment; else it is asked to
      const isOver = await client.waitForJob(id, { timeoutMs: 2000, pollMs: 200, signal }).then(
        () => true,
        () => false,
      );
      if (!isOver) await callOff(client, id, frame);
      const timeoutMs = status === "PENDING" ? 2000 : 15_000;
      await client.waitForJob(id, { timeoutMs, pollMs: 500, signal });
    }
    await deleteForGood(client, id, signal);
  } catch {
    // gone, or its cluster is: nothing is left to do
  }
}

/** Named after the job and not after its bytes, so that `callOff` can replace it. */
async function trialPackage(id: string, spec: TrialSpec | { frame: string; cancelled: true }): Promise<Package> {
  const { packFiles } = await import("#ray-node-client");
  const files = {
    [`${moduleName}/__main__.py`]: await runnerText("trial.py"),
    [`${moduleName}/spec.json`]: JSON.stringify(spec),
  };
  return { ...(await packFiles(files)), uri: `gcs://${id}.zip` };
}
