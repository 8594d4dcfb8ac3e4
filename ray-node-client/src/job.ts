import { InfrastructureError, JobFailedError, JobSetupError, TimeoutError, type RayError } from "./errors.ts";

/** PENDING, then RUNNING, then one of the other three, which never changes again. PENDING may fail directly. */
export type JobStatus = "PENDING" | "RUNNING" | "SUCCEEDED" | "FAILED" | "STOPPED";

/** Why a job is FAILED, as Ray names it. Newer servers may have other names. */
export type JobErrorType =
  | "RUNTIME_ENV_SETUP_FAILURE"
  | "JOB_SUPERVISOR_ACTOR_START_TIMEOUT"
  | "JOB_SUPERVISOR_ACTOR_START_FAILURE"
  | "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE"
  | "JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE"
  | "JOB_SUPERVISOR_ACTOR_DIED"
  | "JOB_ENTRYPOINT_COMMAND_START_ERROR"
  | "JOB_ENTRYPOINT_COMMAND_ERROR"
  | (string & {});

/** The process that called `ray.init()` in a job. */
export interface DriverInfo {
  id: string;
  nodeIpAddress: string;
  pid: string;
}

/** A job as the cluster tells it. The resources that its entrypoint asked for are not told. */
export interface JobInfo {
  /** SUBMISSION for jobs of the Jobs API; DRIVER for programs that joined the cluster by themselves. */
  type: "SUBMISSION" | "DRIVER" | (string & {});
  /** The id of the job's driver: null until, and unless, the entrypoint calls `ray.init()`. */
  jobId: string | null;
  submissionId: string | null;
  driverInfo: DriverInfo | null;
  status: JobStatus;
  entrypoint: string;
  /** What the status comes from, in words; for a failed entrypoint with the end of its log. */
  message: string | null;
  /** Null unless FAILED. */
  errorType: JobErrorType | null;
  /** When the job was submitted (not when it began to run), in ms since 1970. */
  startTime: number | null;
  /** When the job ended, in ms since 1970. */
  endTime: number | null;
  metadata: Record<string, string>;
  runtimeEnv: Record<string, unknown>;
  driverAgentHttpAddress: string | null;
  /** The node that the entrypoint runs on, and where its log lies. */
  driverNodeId: string | null;
  /** The entrypoint's exit code, negative for a signal (-9: SIGKILL). Null for a stopped job. */
  driverExitCode: number | null;
}

/** Whether a status is final. */
export const isTerminal = (status: JobStatus): boolean => status !== "PENDING" && status !== "RUNNING";

/** A job as it stands in answers of the server; what is unknown is left out. */
export function jobFromWire(wire: Readonly<Record<string, unknown>>): JobInfo {
  const text = (key: string): string | null => (typeof wire[key] === "string" ? wire[key] : null);
  const number = (key: string): number | null => (typeof wire[key] === "number" ? wire[key] : null);
  const record = (key: string): Record<string, unknown> | null =>
    typeof wire[key] === "object" && wire[key] !== null ? (wire[key] as Record<string, unknown>) : null;
  const driver = record("driver_info");
  return {
    type: text("type") ?? "SUBMISSION",
    jobId: text("job_id"),
    submissionId: text("submission_id"),
    driverInfo: driver && {
      id: String(driver.id),
      nodeIpAddress: String(driver.node_ip_address),
      pid: String(driver.pid),
    },
    status: (text("status") ?? "PENDING") as JobStatus,
    entrypoint: text("entrypoint") ?? "",
    message: text("message"),
    errorType: text("error_type"),
    startTime: number("start_time"),
    endTime: number("end_time"),
    metadata: (record("metadata") ?? {}) as Record<string, string>,
    runtimeEnv: record("runtime_env") ?? {},
    driverAgentHttpAddress: text("driver_agent_http_address"),
    driverNodeId: text("driver_node_id"),
    driverExitCode: number("driver_exit_code"),
  };
}

/**
 * The error that a FAILED job stands for, by whose fault it is; undefined for every other status. The kinds: `user`
 * where the entrypoint ended by itself with a code or a signal, `setup` where its environment could not be made,
 * `timeout` where what it asked for never came free, `infrastructure` for the rest.
 */
export function failureOf(job: JobInfo): RayError | undefined {
  if (job.status !== "FAILED") return undefined;
  const message = `job ${job.submissionId ?? job.jobId ?? ""} failed: ${job.message ?? job.errorType ?? "no reason told"}`;
  switch (job.errorType) {
    case "JOB_ENTRYPOINT_COMMAND_ERROR":
      return new JobFailedError("JOB_FAILED", message, { job });
    case "RUNTIME_ENV_SETUP_FAILURE":
    case "JOB_SUPERVISOR_ACTOR_START_FAILURE":
    case "JOB_ENTRYPOINT_COMMAND_START_ERROR":
      return new JobSetupError("JOB_SETUP_FAILED", message, { job });
    case "JOB_SUPERVISOR_ACTOR_START_TIMEOUT":
    case "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE":
      return new TimeoutError("JOB_NOT_STARTED", message, { job });
    default:
      // an unknown reason: an exit code says that the entrypoint ran and ended
      return job.driverExitCode === null
        ? new InfrastructureError("JOB_INTERRUPTED", message, { job })
        : new JobFailedError("JOB_FAILED", message, { job });
  }
}
