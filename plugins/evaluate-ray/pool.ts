import { randomUUID } from "node:crypto";
import type { JobSubmissionClient } from "ray-node-client";
import type { Evaluation, Fact, Outcome, Run, Task, TaskChange, Trial } from "../../core/index.ts";
import { Harvest } from "./outcome.ts";
import { follow } from "./pool/follow.ts";
import type { PoolPlan } from "./pool/job.ts";
import { Pool, type OpenPool } from "./pool/pool.ts";
import type { TrialSpec } from "./trial-spec.ts";

/** What the pool backend needs to know of the run. */
export interface PoolBackendOptions {
  run: Run;
  task: Task;
  client: JobSubmissionClient;
  plan: PoolPlan;
  /** Where the pool's driver is reached, if not at its node's own address. */
  address?: string;
  logMb: number;
  /** The trial as its runner takes it, or why its candidate cannot be put into the task. */
  specOf(trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>): Promise<TrialSpec | { refused: string }>;
}

/** What is journaled of a trial before the pool is asked for it. */
interface PoolHandle {
  pool: string;
  key: string;
}

/** Runs trials in the run's pool: one job that holds a worker for each slot, and starts none for a trial. */
export class PoolBackend {
  readonly #options: PoolBackendOptions;
  readonly #pool: Pool;
  readonly #handles = new Map<number, PoolHandle>();

  constructor(options: PoolBackendOptions) {
    const { run, client, plan, address } = options;
    this.#options = options;
    this.#pool = new Pool(client, run, plan, address);
    // a result is kept in the pool until it stands in the journal: a process that is killed before asks for it again
    const level = run.config.levels[0]?.name;
    run.on((fact: Fact) => {
      const isOutcome = fact.type === "outcome" && fact.level === level;
      const handle = isOutcome ? this.#handles.get(fact.trial as number) : undefined;
      if (!handle) return;
      this.#handles.delete(fact.trial as number);
      void this.#pool.forget(handle.pool, handle.key);
    });
  }

  async evaluate(trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>): Promise<Outcome> {
    const spec = await this.#options.specOf(trial, evaluation);
    if ("refused" in spec) return { status: "crashed", kind: "refused", reason: spec.refused, seconds: 0 };
    const { signal, folder, slot } = evaluation;
    let at: OpenPool;
    try {
      at = await this.#pool.open(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      return { status: "cancelled", reason: "the run was stopped", seconds: 0 };
    }
    const handle = await this.#handle(trial, at, evaluation);
    const { task, run, logMb } = this.#options;
    const { metric } = run.config.objective;
    const frame = `bilevel-${handle.key}`; // the same for a trial that an earlier process started
    return follow(this.#pool, at, {
      key: handle.key,
      spec: { ...spec, frame },
      harvest: new Harvest({ folder, frame, metric, metrics: task.metrics, slot, logMb }),
      report: (progress) => evaluation.report(progress),
      signal,
      stopMs: (this.#options.plan.stopSeconds + 5) * 1000,
    });
  }

  /** Ends the pool; nothing of it stays on the cluster. */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** The handle that an earlier process journaled for this very pool, or a new one. */
  async #handle({ id }: Trial, at: OpenPool, { handed, handle }: Evaluation<TaskChange>): Promise<PoolHandle> {
    const known = handed as Partial<PoolHandle> | undefined;
    const key = known?.pool === at.id ? known.key : undefined;
    const own: PoolHandle = { pool: at.id, key: key ?? `${id}-${randomUUID()}` };
    if (key === undefined) await handle({ ...own });
    this.#handles.set(id, own);
    return own;
  }
}
