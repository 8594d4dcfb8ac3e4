import { createHash, randomBytes } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { JobInfo, JobSubmissionClient, Package } from "#ray-node-client";
import type { Ground } from "../backend.ts";
import { deleteForGood } from "../deletion.ts";
import { needsOf } from "../gate.ts";
import { shownName, writeWhole } from "../run-files.ts";
import { runnerText } from "../runner.ts";
import { quoted } from "../shell.ts";
import { taskContents } from "../task-package.ts";
import { endWaiting } from "../waiting.ts";

/** A pool's job, and what is needed to reach its driver. */
export interface PoolJob {
  id: string;
  token: string;
  host: string;
  port: number;
}

/** What a later process needs to find the pool; in the run's folder. */
interface Known {
  id: string;
  token: string;
}

const fileOf = (runFolder: string): string => join(runFolder, "ray-pool.json");

/**
 * The run's pool: the one that an earlier process started, where it still runs, else a new one. Resolves once its
 * driver listens. Throws a `RayError` where the cluster cannot be reached or the job fails.
 */
export async function openPool(ground: Ground, signal: AbortSignal): Promise<PoolJob> {
  const { client, run } = ground;
  const known = await knownPool(run.folder);
  const isRunning = known !== undefined && (await stateOf(client, known.id, signal)) === "running";
  const { id, token } = isRunning ? known : await submitPool(ground, signal);
  return { id, token, ...(await whereItListens(client, id, signal)) };
}

/** Whether the cluster still has the job, by its dashboard. */
export async function stateOf(
  client: JobSubmissionClient,
  id: string,
  signal: AbortSignal,
): Promise<"running" | "gone"> {
  try {
    const { status } = await client.getJobInfo(id, { signal });
    return status === "PENDING" || status === "RUNNING" ? "running" : "gone";
  } catch (error) {
    if (isUnknown(error)) return "gone"; // its head was started anew
    throw error;
  }
}

/** Ends the run's pool, wherever it stands; nothing of it stays on a cluster that answers. */
export async function endPool(ground: Ground): Promise<void> {
  const { client, run } = ground;
  const known = await knownPool(run.folder);
  if (known === undefined) return;
  const signal = AbortSignal.timeout(endMs);
  try {
    const { status } = await client.getJobInfo(known.id, { signal });
    if (status === "PENDING") await endWaiting(ground, [known.id], signal);
    else {
      await client.stopJob(known.id, { signal });
      await client.waitForJob(known.id, { pollMs: 200, signal });
      await deleteForGood(client, known.id, signal);
    }
  } catch (error) {
    if (!isUnknown(error)) return; // a later process may still find it
  }
  await rm(fileOf(run.folder), { force: true });
}

const isUnknown = (error: unknown): boolean => {
  const { code } = error as { code?: string };
  return code === "NOT_FOUND" || code === "JOB_LOST";
};

const endMs = 45_000;
/** Beyond the grace of a trial's runner, before its worker is killed. */
const cleanUpSeconds = 5;

/** Undefined where no process started one, or what it wrote down is damaged: a pool that nobody knows ends itself. */
async function knownPool(runFolder: string): Promise<Known | undefined> {
  try {
    return JSON.parse(await readFile(fileOf(runFolder), "utf8")) as Known;
  } catch {
    return undefined;
  }
}

async function submitPool(ground: Ground, signal: AbortSignal): Promise<Known> {
  const { client, options, run, runKey } = ground;
  const name = shownName(run.folder);
  const id = `bilevel-${name}-pool-${randomBytes(6).toString("hex")}`;
  const known: Known = { id, token: randomBytes(32).toString("hex") };
  // written before the job exists, so that no crash leaves one that nobody knows
  await writeWhole(fileOf(run.folder), JSON.stringify(known));
  const { env_vars: variables, config, py_modules: modules, ...runtimeEnv } = options.runtimeEnv ?? {};
  const pool = await client.uploadPackage(await poolPackage(ground), { signal });
  await client.submitJob(
    {
      submissionId: id,
      ifExists: "accept",
      entrypoint: entrypointOf(ground, id),
      runtimeEnv: {
        ...runtimeEnv,
        py_modules: [...((modules ?? []) as string[]), pool],
        env_vars: {
          ...(variables as object),
          // whoever may read jobs reads these: the token itself is not among them
          BILEVEL_POOL_TOKEN_SHA256: createHash("sha256").update(known.token).digest("hex"),
          RAY_JOB_STOP_WAIT_TIME_S: "10",
        },
        config: { setup_timeout_seconds: options.setupSeconds, ...(config as object) },
      },
      metadata: { job_name: `${name} pool`, bilevel_run: runKey },
    },
    { signal },
  );
  return known;
}

/** How the names of packages begin that are messages to a pool: with the run, a dot, and the pool. */
export const mailboxOf = ({ runKey }: Ground, id: string): string => `gcs://bilevel-mail-${runKey}.${id}.`;

function entrypointOf(ground: Ground, id: string): string {
  const { options } = ground;
  const needs = needsOf(options);
  const actor = {
    num_cpus: needs.CPU ?? 0,
    num_gpus: needs.GPU ?? 0,
    memory: needs.memory,
    resources: options.resources,
    label_selector: options.labelSelector,
  };
  const flags = {
    port: options.pool.port,
    mailbox: mailboxOf(ground, id),
    "idle-seconds": options.pool.idleMinutes * 60,
    "stop-seconds": options.graceSeconds + cleanUpSeconds,
    actor: quoted(JSON.stringify(actor)),
  };
  const shown = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  // elsewhere than at the root, files that lie about could take the place of Python's own modules
  return `cd / && exec "$(command -v python || command -v python3)" -m bilevel_pool.driver ${shown.join(" ")}`;
}

/** Waits for the line in which the driver says where it listens. */
async function whereItListens(
  client: JobSubmissionClient,
  id: string,
  signal: AbortSignal,
): Promise<{ host: string; port: number }> {
  const { failureOf, InfrastructureError } = await import("#ray-node-client");
  let log = "";
  const tail = client.tailJobLogs(id, { prefer: "stream", signal });
  for (;;) {
    const { value, done } = await tail.next();
    if (done)
      throw failureOf(value) ?? new InfrastructureError("JOB_INTERRUPTED", endedEarly(value, log), { job: value });
    log += value;
    const told = /^bilevel-pool ready (\{.*\})$/m.exec(log)?.[1];
    if (told === undefined) continue;
    await tail.return(undefined as never);
    return JSON.parse(told) as { host: string; port: number };
  }
}

const endedEarly = (job: JobInfo, log: string): string =>
  `the pool ended before it was ready (${job.status}): ${log.trim().split("\n").at(-1) ?? ""}`;

const modules = ["__init__", "crew", "driver", "fork_server", "mailbox", "server", "trials", "worker"];

/**
 * The pool's modules, the runner of trials and the task in one Python package. The task lies within it and not beside it,
 * so that no file of it takes the place of a module that the pool or Ray imports.
 */
async function poolPackage({ frozen }: Ground): Promise<Package> {
  const { packFiles } = await import("#ray-node-client");
  const files: Record<string, string | Uint8Array> = { "trial.py": await runnerText("trial.py") };
  for (const name of modules) files[`${name}.py`] = await runnerText(`pool/${name}.py`);
  for (const [path, content] of Object.entries(await taskContents(frozen))) files[`task/${path}`] = content;
  return packFiles(Object.fromEntries(Object.entries(files).map(([path, text]) => [`bilevel_pool/${path}`, text])));
}
