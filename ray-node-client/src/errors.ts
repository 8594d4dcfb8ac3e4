import type { JobInfo } from "./job.ts";

/** Whose fault an error is, and so what can be done about it. One class of error for each. */
export type RayErrorKind = "user" | "setup" | "infrastructure" | "unauthorized" | "timeout" | "refused";

/** What can go wrong, each code with one class. A job's own failures begin with `JOB_`. */
export type RayErrorCode =
  | "JOB_FAILED"
  | "JOB_SETUP_FAILED"
  | "JOB_NOT_STARTED"
  | "JOB_INTERRUPTED"
  | "JOB_LOST"
  | "LOG_UNREADABLE"
  | "UNREACHABLE"
  | "SERVER_ERROR"
  | "NO_AGENT"
  | "TLS"
  | "PROXY"
  | "TOKEN_MISSING"
  | "TOKEN_REFUSED"
  | "TOKEN_UNREADABLE"
  | "REQUEST_TIMEOUT"
  | "WAIT_TIMEOUT"
  | "INVALID_ADDRESS"
  | "INVALID_OPTIONS"
  | "INVALID_ID"
  | "INVALID_SUBMISSION"
  | "INVALID_RUNTIME_ENV"
  | "INVALID_PACKAGE"
  | "PACKAGE_TOO_LARGE"
  | "DUPLICATE_ID"
  | "NOT_FOUND"
  | "NOT_TERMINAL"
  | "BROWSER_LIKE"
  | "BAD_REQUEST"
  | "NOT_RAY"
  | "CLOSED";

/** What an error can tell beside its message. */
export interface RayErrorDetails {
  /** The HTTP status, where a server answered. */
  status?: number;
  /** The job that the error is about, as last seen. */
  job?: JobInfo;
  /** The id of the submission that failed; with a lost answer the job may exist under it. */
  submissionId?: string;
  cause?: unknown;
}

/** Everything that this package throws, but for the reason of an `AbortSignal`, which is thrown as it is. */
export abstract class RayError extends Error {
  abstract readonly kind: RayErrorKind;
  readonly code: RayErrorCode;
  readonly status: number | undefined;
  readonly job: JobInfo | undefined;
  /** Of the submission that failed. With a lost answer the job may exist under it. */
  submissionId: string | undefined;

  constructor(code: RayErrorCode, message: string, { status, job, submissionId, cause }: RayErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.status = status;
    this.job = job;
    this.submissionId = submissionId ?? job?.submissionId ?? undefined;
  }
}

/** The job's own program failed: it ended with an exit code or by a signal. */
export class JobFailedError extends RayError {
  readonly kind = "user";
}

/** The job's environment could not be made: a package, a requirement, a value of the runtime environment. */
export class JobSetupError extends RayError {
  readonly kind = "setup";
}

/** The cluster, its dashboard or the way there failed; neither the job nor its submitter is at fault. */
export class InfrastructureError extends RayError {
  readonly kind = "infrastructure";
}

/** The token is missing (401), refused (403), or cannot be read. */
export class UnauthorizedError extends RayError {
  readonly kind = "unauthorized";
}

/** Something did not happen in time: an answer, an awaited state, a job's start. */
export class TimeoutError extends RayError {
  readonly kind = "timeout";
}

/** What was asked is not possible, and asking again will not help. */
export class RefusedError extends RayError {
  readonly kind = "refused";
}
