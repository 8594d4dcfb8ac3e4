import type { JobSubmissionClient } from "#ray-node-client";
import type { Evaluation, Outcome, Run, Task, TaskChange, Trial } from "../../core/index.ts";
import { defaultLimit } from "../evaluate-process/index.ts";
import type { FrozenTask } from "../task/index.ts";
import type { Options } from "./options.ts";
import { trialSpec, type SpecOptions, type TrialSpec } from "./trial-spec.ts";

/** One way of running trials on a cluster. */
export interface Backend {
  /** Answers for what happens on the cluster with an outcome; throws what the user must mend (`E_CLUSTER`). */
  evaluate(trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>): Promise<Outcome>;
  /** Ends what runs for it on the cluster, but for the jobs that hold what came of these trials, and gives those back. */
  close(unheard: readonly number[]): Promise<readonly string[]>;
}

/** What every backend stands on. */
export interface Ground {
  readonly run: Run;
  readonly task: Task;
  readonly frozen: FrozenTask;
  readonly client: JobSubmissionClient;
  readonly options: Options;
  /** Name of the objective's metric. */
  readonly metric: string;
  /** Kept with each job of this run as `bilevel_run`, so that none is left behind. */
  readonly runKey: string;
  /** Tells the user, once per topic and process; `detail` may differ between equal runs. */
  tell(topic: string, text: string, detail?: string): void;
}

/** A trial as its runner takes it, or why its candidate cannot be put into the task. */
export async function specFor(
  { options, frozen, task, tell }: Ground,
  trial: Trial<TaskChange>,
  { slot, view }: Evaluation<TaskChange>,
  special: Pick<SpecOptions, "env" | "startBefore"> = {},
): Promise<TrialSpec | { refused: string }> {
  const limitSeconds = options.limitSeconds ?? defaultLimit(trial, view) ?? null;
  if (limitSeconds !== null) tell("limit", `time limit per trial: ${Math.round(limitSeconds)} s`);
  return trialSpec(frozen, task, trial, {
    ...options,
    slot,
    limitSeconds,
    ...special,
  });
}
