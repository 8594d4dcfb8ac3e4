import { randomInt } from "node:crypto";
import { RefusedError } from "./errors.ts";
import type { RuntimeEnv } from "./runtime-env.ts";

/** What is submitted. What is not given is left to Ray. */
export interface JobSubmission {
  /** A line for `/bin/sh -c`: quote its arguments, and begin it with `exec` where the exit code or signals matter. */
  entrypoint: string;
  /**
   * Letters, digits, `.`, `_`, `-`, at most 128, beginning with a letter or digit. Default: a random one. Never use one
   * again.
   */
  submissionId?: string;
  runtimeEnv?: RuntimeEnv;
  /** Strings that are kept with the job; `job_name` is shown in the dashboard. */
  metadata?: Record<string, string>;
  /** CPUs that are held for the entrypoint, beside what its own tasks and actors ask for. */
  entrypointNumCpus?: number;
  /**
   * GPUs that are held for the entrypoint: a fraction below 1, or a whole number. Without it the entrypoint may see
   * them all.
   */
  entrypointNumGpus?: number;
  /** Memory that is counted for the entrypoint, in bytes. It is no limit. */
  entrypointMemory?: number;
  entrypointResources?: Record<string, number>;
  /** Labels that the entrypoint's node must have, such as `{ "ray.io/node-id": "…" }`. */
  entrypointLabelSelector?: Record<string, string>;
  /**
   * What to do when a job of this id exists: `error` (default), or `accept` it where its entrypoint is the same. The
   * latter makes submitting safe to repeat after a crash of the submitter.
   */
  ifExists?: "error" | "accept";
}

/** The form of ids that Ray can store: others can leave a job that never ends and cannot be deleted. */
const idForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Characters that are not mistaken for each other. */
const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz123456789";

/** A new id, in the form of those that Ray makes: `raysubmit_` and 16 characters. */
export const newSubmissionId = (): string =>
  `raysubmit_${Array.from({ length: 16 }, () => alphabet[randomInt(alphabet.length)]).join("")}`;

/** Throws `INVALID_ID` for an id that Ray could not store. */
export function checkId(id: string): void {
  if (!idForm.test(id)) {
    const form = "letters, digits, `.`, `_`, `-`, at most 128, beginning with a letter or digit";
    throw new RefusedError("INVALID_ID", `${JSON.stringify(id)} is no id for a job: ${form}`);
  }
}

/** Throws `INVALID_ID` or `INVALID_SUBMISSION` for what Ray would refuse, or accept and then fail. */
export function checkSubmission(submission: JobSubmission): void {
  const { entrypoint, submissionId, metadata = {} } = submission;
  if (typeof entrypoint !== "string" || entrypoint.trim() === "") throw invalid("entrypoint: expected a command");
  if (submissionId !== undefined) checkId(submissionId);
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== "string")
      throw invalid(`metadata.${key}: expected a string, received ${JSON.stringify(value)}`);
  }
  amount("entrypointNumCpus", submission.entrypointNumCpus);
  amount("entrypointNumGpus", submission.entrypointNumGpus);
  amount("entrypointMemory", submission.entrypointMemory);
  const { entrypointNumGpus: gpus = 0, entrypointMemory: memory = 0 } = submission;
  if (gpus > 1 && !Number.isInteger(gpus)) throw invalid(`entrypointNumGpus: ${gpus} is above 1 and not whole`);
  if (!Number.isInteger(memory)) throw invalid(`entrypointMemory: ${memory} is no whole number of bytes`);
  for (const [name, value] of Object.entries(submission.entrypointResources ?? {})) {
    amount(`entrypointResources.${name}`, value);
  }
  for (const [name, value] of Object.entries(submission.entrypointLabelSelector ?? {})) {
    checkLabel(name);
    if (typeof value !== "string") throw invalid(`entrypointLabelSelector.${name}: expected a string`);
  }
}

/** The body of the request. */
export function submissionToWire(submission: JobSubmission, id: string, runtimeEnv: RuntimeEnv): object {
  return {
    entrypoint: submission.entrypoint,
    submission_id: id,
    runtime_env: runtimeEnv,
    metadata: submission.metadata ?? {},
    // servers refuse keys that they do not know: what is not asked for is not sent
    entrypoint_num_cpus: submission.entrypointNumCpus,
    entrypoint_num_gpus: submission.entrypointNumGpus,
    entrypoint_memory: submission.entrypointMemory,
    entrypoint_resources: submission.entrypointResources,
    entrypoint_label_selector: submission.entrypointLabelSelector,
  };
}

function amount(name: string, value: number | undefined): void {
  if (value !== undefined && !(Number.isFinite(value) && value >= 0)) {
    throw invalid(`${name}: expected a number of 0 or more, received ${String(value)}`);
  }
}

function checkLabel(key: string): void {
  const name = key.slice(key.lastIndexOf("/") + 1);
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(name)) {
    throw invalid(`entrypointLabelSelector: ${JSON.stringify(key)} is no key of a label`);
  }
}

const invalid = (message: string): RefusedError => new RefusedError("INVALID_SUBMISSION", message);
