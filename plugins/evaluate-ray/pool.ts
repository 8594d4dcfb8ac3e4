import { randomUUID } from "node:crypto";
import type { RayError } from "#ray-node-client";
import type { Evaluation, Fact, Outcome, TaskChange, Trial } from "../../core/index.ts";
import { specFor, type Backend, type Ground } from "./backend.ts";
import { lostTo } from "./cluster.ts";
import { checkInstallation } from "./installation.ts";
import { Harvest } from "./outcome.ts";
import { follow } from "./pool/follow.ts";
import { Pool } from "./pool/pool.ts";
import type { TrialSpec } from "./trial-spec.ts";

/** What is journaled of a trial before the pool is asked for it. */
interface PoolHandle {
  readonly pool: string;
  readonly key: string;
}

/** Runs trials in the run's pool: one job that holds a worker for each slot, so that a trial starts at once. */
export class PoolBackend implements Backend {
  readonly #ground: Ground;
  readonly #pool: Pool;
  /** Of trials whose outcome is not journaled yet: until then a resumed run needs their results. */
  readonly #handles = new Map<number, PoolHandle>();

  constructor(ground: Ground) {
    this.#ground = ground;
    this.#pool = new Pool(ground);
    const level = ground.run.config.levels[0]?.name;
    ground.run.on((fact: Fact) => {
      const isOutcome = fact.type === "outcome" && fact.level === level;
      const handle = isOutcome ? this.#handles.get(fact.trial as number) : undefined;
      if (!handle) return;
      this.#handles.delete(fact.trial as number);
      void this.#pool.forget(handle.pool, handle.key);
    });
  }

  async evaluate(trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>): Promise<Outcome> {
    const started = performance.now();
    const spec = await specFor(this.#ground, trial, evaluation);
    if ("refused" in spec) return { status: "crashed", kind: "refused", reason: spec.refused, seconds: 0 };
    try {
      return await this.#run(trial, evaluation, spec);
    } catch (error) {
      const seconds = (performance.now() - started) / 1000;
      if (evaluation.signal.aborted) return { status: "cancelled", reason: "the run was stopped", seconds };
      checkInstallation((error as RayError).job, this.#ground.options, evaluation.view);
      return lostTo(error, seconds);
    }
  }

  /** Ends the pool; nothing of it stays on the cluster, unless it holds results: then it ends itself. */
  async close(unheard: readonly number[]): Promise<readonly string[]> {
    const kept = unheard.flatMap((trial) => this.#handles.get(trial)?.pool ?? []);
    await this.#pool.close({ isKept: kept.length > 0 });
    return kept;
  }

  async #run(trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>, spec: TrialSpec): Promise<Outcome> {
    const { folder, slot, signal } = evaluation;
    const { metric, task, options } = this.#ground;
    const at = await this.#pool.open(signal);
    // the key that an earlier process journaled for this very pool names what runs there
    const { pool, key: known } = (evaluation.handed ?? {}) as Partial<PoolHandle>;
    const key = pool === at.id && known !== undefined ? known : `${trial.id}-${randomUUID()}`;
    if (key !== known) await evaluation.handle({ pool: at.id, key });
    this.#handles.set(trial.id, { pool: at.id, key });
    const frame = `bilevel-${key}`; // the same again for whoever joins the trial later
    return follow(this.#pool, at, {
      key,
      spec: { ...spec, frame },
      harvest: new Harvest({ folder, frame, metric, task, slot, logMb: options.logMb }),
      report: (progress) => evaluation.report(progress),
      signal,
    });
  }
}
