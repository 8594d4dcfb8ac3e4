import { createHash, randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  failureOf,
  InfrastructureError,
  isTerminal,
  newSubmissionId,
  packFiles,
  RayError,
  type JobInfo,
  type JobSubmissionClient,
  type Package,
  type RuntimeEnv,
} from "ray-node-client";
import { runnerText } from "../runner.ts";

/** What a pool is made of. */
export interface PoolPlan {
  /** The most workers at a time. */
  slots: number;
  /** Ray's options for each worker's actor: `num_gpus`, `num_cpus`, … */
  actor: Readonly<Record<string, unknown>>;
  runtimeEnv: RuntimeEnv;
  /** The task's folder. */
  task: Package;
  /** Where the driver listens; 0: at a free port. */
  port: number;
  /** Without a controller for so long, the pool ends itself. */
  idleSeconds: number;
  /** What a trial has to end when it is told to; its worker is killed after that. */
  stopSeconds: number;
}

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
export async function openPool(
  client: JobSubmissionClient,
  runFolder: string,
  plan: PoolPlan,
  signal: AbortSignal,
): Promise<PoolJob> {
  const known = await knownPool(runFolder);
  const isRunning = known !== undefined && (await stateOf(client, known.id, signal)) === "running";
  const { id, token } = isRunning ? known : await submitPool(client, runFolder, plan, signal);
  return { id, token, ...(await whereItListens(client, id, signal)) };
}

/** Whether the cluster still has the job, by its dashboard. */
export async function stateOf(
  client: JobSubmissionClient,
  id: string,
  signal?: AbortSignal,
): Promise<"running" | "gone"> {
  try {
    return isTerminal(await client.getJobStatus(id, { signal })) ? "gone" : "running";
  } catch (error) {
    if (error instanceof RayError && error.code === "NOT_FOUND") return "gone"; // its head was started anew
    throw error;
  }
}

/** Ends the run's pool, wherever it stands, and leaves nothing of it on the cluster. */
export async function endPool(client: JobSubmissionClient, runFolder: string): Promise<void> {
  const known = await knownPool(runFolder);
  if (known === undefined) return;
  try {
    await client.stopJob(known.id);
    await client.waitForJob(known.id, { timeoutMs: 60_000, pollMs: 200 });
    // Ray looks after a job's supervisor every second or two, and for one whose job is deleted already it writes a
    // failed job in its place
    await sleep(settleMs);
    await client.deleteJob(known.id);
    await sleep(settleMs / 2);
    await client.deleteJob(known.id);
  } catch (error) {
    if (!(error instanceof RayError && (error.code === "NOT_FOUND" || error.code === "JOB_LOST"))) throw error;
  }
  await rm(fileOf(runFolder), { force: true });
}

const settleMs = 2000;

async function knownPool(runFolder: string): Promise<Known | undefined> {
  const text = await readFile(fileOf(runFolder), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Known);
}

async function submitPool(
  client: JobSubmissionClient,
  runFolder: string,
  plan: PoolPlan,
  signal: AbortSignal,
): Promise<Known> {
  const known: Known = { id: newSubmissionId(), token: randomBytes(32).toString("hex") };
  // written before the job exists, so that no crash leaves one that nobody knows
  await writeFile(fileOf(runFolder), JSON.stringify(known), { mode: 0o600, flush: true });
  const { runtimeEnv, task, port, slots, actor } = plan;
  const driver = await client.uploadPackage(await driverPackage(), { signal });
  const working_dir = await client.uploadPackage(task, { signal });
  const options = { port, slots, "idle-seconds": plan.idleSeconds, "stop-seconds": plan.stopSeconds };
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  await client.submitJob(
    {
      submissionId: known.id,
      ifExists: "accept",
      entrypoint: `exec python -m bilevel_pool.driver ${flags.join(" ")} --actor=${quoted(JSON.stringify(actor))}`,
      runtimeEnv: {
        ...runtimeEnv,
        working_dir,
        py_modules: [...(runtimeEnv.py_modules ?? []), driver],
        env_vars: {
          ...runtimeEnv.env_vars,
          // whoever may read jobs reads these: the token itself is not among them
          BILEVEL_POOL_TOKEN_SHA256: createHash("sha256").update(known.token).digest("hex"),
          RAY_JOB_STOP_WAIT_TIME_S: "10",
        },
      },
      metadata: { job_name: "bilevel pool" },
    },
    { signal },
  );
  return known;
}

/** Waits for the line in which the driver says where it listens. */
async function whereItListens(
  client: JobSubmissionClient,
  id: string,
  signal: AbortSignal,
): Promise<{ host: string; port: number }> {
  let log = "";
  const tail = client.tailJobLogs(id, { prefer: "stream", signal });
  for (;;) {
    const { value, done } = await tail.next();
    if (done) throw failureOf(value) ?? new InfrastructureError("JOB_INTERRUPTED", endedEarly(value, log), { job: value });
    log += value;
    const told = /^bilevel-pool ready (\{.*\})$/m.exec(log)?.[1];
    if (told === undefined) continue;
    await tail.return(undefined as never);
    return JSON.parse(told) as { host: string; port: number };
  }
}

const endedEarly = (job: JobInfo, log: string): string =>
  `the pool ended before it was ready (${job.status}): ${log.trim().split("\n").at(-1) ?? ""}`;

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const modules = ["__init__", "crew", "driver", "fork_server", "server", "trials", "worker"];

/** The driver's modules and the runner of trials, as one Python package. */
async function driverPackage(): Promise<Package> {
  const files = modules.map(async (name) => [`bilevel_pool/${name}.py`, await runnerText(`pool/${name}.py`)] as const);
  const runner = ["bilevel_pool/trial.py", await runnerText("trial.py")] as const;
  return packFiles(Object.fromEntries([...(await Promise.all(files)), runner]));
}
