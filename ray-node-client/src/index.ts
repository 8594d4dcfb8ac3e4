export { JobSubmissionClient } from "./client.ts";
export type { CallOptions, RayVersion, UploadOptions, WaitOptions } from "./client.ts";
export type { ClusterNode, ClusterResources } from "./cluster.ts";
export type { ConnectionOptions } from "./connection.ts";
export {
  InfrastructureError,
  JobFailedError,
  JobSetupError,
  RayError,
  RefusedError,
  TimeoutError,
  UnauthorizedError,
} from "./errors.ts";
export type { RayErrorCode, RayErrorDetails, RayErrorKind } from "./errors.ts";
export { failureOf, isTerminal } from "./job.ts";
export type { DriverInfo, JobErrorType, JobInfo, JobStatus } from "./job.ts";
export { maxPackageBytes, packArchive, packFiles, packFolder } from "./package.ts";
export type { Package, PackageOptions } from "./package.ts";
export type { PipOptions, RuntimeEnv, UvOptions } from "./runtime-env.ts";
export { newSubmissionId } from "./submission.ts";
export type { JobSubmission } from "./submission.ts";
export type { TailOptions } from "./tail.ts";
export type { TokenSource } from "./token.ts";
