import type { JobSubmissionClient } from "ray-node-client";
import type { Evaluation, Outcome, Run, Task, TaskChange, Trial } from "../../core/index.ts";
import type { FrozenTask } from "../task/index.ts";
import type { Options } from "./options.ts";

/** One way of running trials on a cluster. */
export interface Backend {
  /** Answers for what happens on the cluster with an outcome; throws what the user must mend (`E_CLUSTER`). */
  evaluate(trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>): Promise<Outcome>;
  /** Ends what runs for it on the cluster. */
  close(): Promise<void>;
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
  /** Tells the user, once per topic and run; `detail` may differ between equal runs. */
  tell(topic: string, text: string, detail?: string): void;
}
