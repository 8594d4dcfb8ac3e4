import { resolveAddress } from "./address.ts";
import { clusterFromWire, type ClusterResources } from "./cluster.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { InfrastructureError, RayError, RefusedError, TimeoutError } from "./errors.ts";
import { isTerminal, jobFromWire, type JobInfo, type JobStatus } from "./job.ts";
import { wholeLog } from "./log-sources.ts";
import type { Package } from "./package.ts";
import { prepareRuntimeEnv } from "./runtime-env.ts";
import { checkSubmission, newSubmissionId, submissionToWire, type JobSubmission } from "./submission.ts";
import { tail, type TailOptions } from "./tail.ts";

/** What a dashboard says of itself. */
export interface RayVersion {
  /** Of the Jobs API. */
  apiVersion: string;
  rayVersion: string;
  rayCommit: string;
  /** Another one means that the head was started anew: jobs and packages of before are gone. */
  sessionName: string;
}

/** How a job is waited for. */
export interface WaitOptions {
  /** In ms; default: for ever. */
  timeoutMs?: number;
  /** The most that passes between two looks, in ms. Default 1000; the first come sooner. */
  pollMs?: number;
  /** What is waited for; default, and in any case the end: a final status. */
  until?: (job: JobInfo) => boolean;
  signal?: AbortSignal;
}

/** What concerns one call alone. */
export interface CallOptions {
  signal?: AbortSignal;
}

/** How a package is uploaded. */
export interface UploadOptions extends CallOptions {
  /** Sends it without asking, over what the cluster has under its name. Default false. */
  replace?: boolean;
}

/**
 * Jobs on one Ray cluster, through the REST API of its dashboard. Nothing is sent before the first call. Calls are
 * repeated while the dashboard is away (`retryForMs`); no submission is ever made twice by that. Every method throws a
 * `RayError`; close the client to end its connections.
 */
export class JobSubmissionClient implements AsyncDisposable {
  /** The dashboard's URL, without a slash at its end. */
  readonly address: string;
  readonly #connection: Connection;

  /** Throws `INVALID_ADDRESS`, `INVALID_OPTIONS`, `TOKEN_UNREADABLE`. Without an address, the environment names it. */
  constructor(address?: string, options: ConnectionOptions = {}) {
    this.address = resolveAddress(address);
    this.#connection = new Connection(this.address, options, process.env);
  }

  async getVersion(options: CallOptions = {}): Promise<RayVersion> {
    const answer = await this.#connection.json({ method: "GET", path: "/api/version", ...options });
    const told = answer as Record<string, string | undefined>;
    return {
      apiVersion: told.version ?? "",
      rayVersion: told.ray_version ?? "",
      rayCommit: told.ray_commit ?? "",
      sessionName: told.session_name ?? "",
    };
  }

  /**
   * Submits a job and resolves with its submission id as soon as the cluster has it. Folders and files of this machine
   * in `runtimeEnv` are packed and uploaded first. With a lost answer the same id is sent again, and the job that
   * exists under it is taken for this one. Throws `DUPLICATE_ID`, `INVALID_…`, `PACKAGE_TOO_LARGE`.
   */
  async submitJob(submission: JobSubmission, options: CallOptions = {}): Promise<string> {
    checkSubmission(submission);
    const { env, packages } = await prepareRuntimeEnv(submission.runtimeEnv ?? {});
    for (const pack of packages) await this.uploadPackage(pack, options);
    const id = submission.submissionId ?? newSubmissionId();
    let isRepeated = false;
    try {
      const json = submissionToWire(submission, id, env);
      const onRetry = (): void => void (isRepeated = true);
      await this.#connection.json({ method: "POST", path: "/api/jobs/", json, onRetry, ...options });
    } catch (error) {
      if (!(error instanceof RayError)) throw error;
      const mayBeOurs = isRepeated || submission.ifExists === "accept";
      const isOurs = error.code === "DUPLICATE_ID" && mayBeOurs && (await this.#isSame(id, submission, options));
      error.submissionId ??= id;
      if (!isOurs) throw error;
    }
    return id;
  }

  /**
   * All jobs since the head started, in no order: also programs that joined the cluster by themselves (type DRIVER).
   */
  async listJobs(options: CallOptions = {}): Promise<JobInfo[]> {
    const answer = await this.#connection.json({ method: "GET", path: "/api/jobs/", ...options });
    return (answer as Record<string, unknown>[]).map(jobFromWire);
  }

  /** A job, by its submission id or its driver's job id. Throws `NOT_FOUND`. */
  async getJobInfo(id: string, options: CallOptions = {}): Promise<JobInfo> {
    const answer = await this.#connection.json({ method: "GET", path: jobPath(id), ...options });
    return jobFromWire(answer as Record<string, unknown>);
  }

  async getJobStatus(id: string, options: CallOptions = {}): Promise<JobStatus> {
    return (await this.getJobInfo(id, options)).status;
  }

  /**
   * Resolves with the job once its status is final, or `until` holds. A failed job is no error here; `failureOf` makes
   * one of it. Throws `WAIT_TIMEOUT` with the job as last seen, `NOT_FOUND`, and `JOB_LOST` where the cluster forgot a
   * job that it had, which means that its head was started anew.
   */
  async waitForJob(
    id: string,
    { timeoutMs = Infinity, pollMs = 1000, until, signal }: WaitOptions = {},
  ): Promise<JobInfo> {
    const look = this.#look(id);
    const started = performance.now();
    for (let pauseMs = Math.min(100, pollMs); ; pauseMs = Math.min(pauseMs * 1.5, pollMs)) {
      const job = await look(signal);
      if (isTerminal(job.status) || until?.(job)) return job;
      const leftMs = timeoutMs - (performance.now() - started);
      if (leftMs <= 0) {
        const message = `job ${id} is still ${job.status} after ${timeoutMs / 1000} s: ${job.message ?? ""}`;
        throw new TimeoutError("WAIT_TIMEOUT", message, { job });
      }
      await this.#connection.pause(Math.min(pauseMs, leftMs), signal);
    }
  }

  /**
   * Asks for a job's end, and resolves with whether there was something to end. SIGTERM goes to all its processes, and
   * SIGKILL 3 s later (RAY_JOB_STOP_WAIT_TIME_S in the job's `env_vars`). A PENDING job answers true and stays PENDING:
   * once its resources come free it starts, and is stopped then. Throws `NOT_FOUND`.
   */
  async stopJob(id: string, options: CallOptions = {}): Promise<boolean> {
    const answer = await this.#connection.json({ method: "POST", path: `${jobPath(id)}/stop`, ...options });
    return (answer as { stopped?: boolean }).stopped === true;
  }

  /**
   * Forgets a job whose status is final. Its log stays on its node's disk, so that a job of the same id would continue
   * it: never use an id again. Throws `NOT_FOUND`, `NOT_TERMINAL`.
   */
  async deleteJob(id: string, options: CallOptions = {}): Promise<void> {
    let isRepeated = false;
    const onRetry = (): void => void (isRepeated = true);
    try {
      await this.#connection.json({ method: "DELETE", path: jobPath(id), onRetry, ...options });
    } catch (error) {
      if (!(isRepeated && error instanceof RayError && error.code === "NOT_FOUND")) throw error;
    }
  }

  /**
   * The whole log, standard output and error together; empty while the job is PENDING, and for one that failed before
   * its entrypoint (`message` says why). Bytes that are no UTF-8 come as U+FFFD. Throws `NOT_FOUND`, `LOG_UNREADABLE`.
   */
  async getJobLogs(id: string, { signal }: CallOptions = {}): Promise<string> {
    return wholeLog(this.#connection, await this.getJobInfo(id, { ...(signal && { signal }) }), id, signal);
  }

  /**
   * The log as it grows, from its beginning, in pieces that may end within a line; ends with the job, and returns it.
   * Every character comes once, whatever happens to connections on the way. A slow reader slows the sending. Throws
   * `NOT_FOUND`, `JOB_LOST`, `LOG_UNREADABLE`, and `UNREACHABLE` after `retryForMs`.
   */
  tailJobLogs(id: string, options: TailOptions = {}): AsyncGenerator<string, JobInfo, void> {
    return tail(this.#connection, id, this.#look(id), options);
  }

  /**
   * Makes sure that the cluster has a package, and resolves with its URI. The cluster forgets packages that no job
   * uses, so this belongs before every submission; what is there is not sent again, unless with `replace`.
   */
  async uploadPackage({ uri, bytes }: Package, { replace = false, ...options }: UploadOptions = {}): Promise<string> {
    if (replace || !(await this.hasPackage(uri, options))) {
      const atLeastMs = uploadTimeoutMs;
      await this.#connection.send({ method: "PUT", path: packagePath(uri), bytes, atLeastMs, ...options });
    }
    return uri;
  }

  /**
   * Whether the cluster has a package. From then on it keeps the package for some minutes (10, unless its head was
   * started with another RAY_RUNTIME_ENV_TEMPORARY_REFERENCE_EXPIRATION_S) and removes it after, if no job uses it; one
   * that nobody has asked for stays until the head ends.
   */
  async hasPackage(uri: string, options: CallOptions = {}): Promise<boolean> {
    try {
      await this.#connection.send({ method: "GET", path: packagePath(uri), ...options });
      return true;
    } catch (error) {
      if (error instanceof RayError && error.status === 404) return false;
      throw error;
    }
  }

  /**
   * What the cluster has and, where its dashboard tells it, what is free: as of some seconds ago, so no ground to
   * decide on alone.
   */
  async getClusterResources(options: CallOptions = {}): Promise<ClusterResources> {
    const [nodes, status] = await Promise.all([
      this.#connection.json({ method: "GET", path: nodesPath, ...options }),
      this.#connection.json({ method: "GET", path: "/api/cluster_status", ...options }).catch((error: unknown) => {
        if (error instanceof RefusedError || error instanceof InfrastructureError) return undefined;
        throw error;
      }),
    ]);
    return clusterFromWire(nodes, status);
  }

  /** Ends all connections. Calls that are under way fail at once, and so do later ones: `CLOSED`. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Looks at a job again and again; one that was there and is no more is lost. */
  #look(id: string): (signal?: AbortSignal) => Promise<JobInfo> {
    let last: JobInfo | undefined;
    return async (signal) => {
      try {
        return (last = await this.getJobInfo(id, { ...(signal && { signal }) }));
      } catch (error) {
        if (last === undefined || !(error instanceof RayError) || error.code !== "NOT_FOUND") throw error;
        const message = `the cluster no longer knows job ${id}: its head was started anew, or the job was deleted`;
        throw new InfrastructureError("JOB_LOST", message, { job: last, cause: error });
      }
    };
  }

  async #isSame(id: string, { entrypoint }: JobSubmission, options: CallOptions): Promise<boolean> {
    return (await this.getJobInfo(id, options)).entrypoint === entrypoint;
  }
}

/** 100 MiB over a slow line; on loopback it takes some seconds. */
const uploadTimeoutMs = 120_000;

/** Ray's own limit is a hundred nodes, dead ones among them; this is the most that it gives. */
const nodesPath = "/api/v0/nodes?detail=1&limit=10000&filter_keys=state&filter_predicates=%3D&filter_values=ALIVE";

const packagePath = (uri: string): string => `/api/packages/gcs/${encodeURIComponent(uri.slice("gcs://".length))}`;

const jobPath = (id: string): string => `/api/jobs/${encodeURIComponent(id)}`;
