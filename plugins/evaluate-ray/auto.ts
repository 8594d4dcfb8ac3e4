import type { Evaluation, Outcome, TaskChange, Trial } from "../../core/index.ts";
import type { Backend, Ground } from "./backend.ts";

/** A program that takes less than that is not worth a job of its own. */
const shortSeconds = 60;

/**
 * Measures the baseline as a job, then runs the trials of a short program in a pool, and those of a long one as jobs. The
 * baseline's time is in the journal, so that a resumed run decides alike.
 */
export class Auto implements Backend {
  readonly #tell: Ground["tell"];
  readonly #jobs: Backend;
  readonly #makePool: () => Backend;
  #pool: Backend | undefined;

  constructor({ tell }: Pick<Ground, "tell">, jobs: Backend, makePool: () => Backend) {
    this.#tell = tell;
    this.#jobs = jobs;
    this.#makePool = makePool;
  }

  evaluate(trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>): Promise<Outcome> {
    return this.#choose(evaluation).evaluate(trial, evaluation);
  }

  async close(unheard: readonly number[]): Promise<readonly string[]> {
    return (await Promise.all([this.#jobs.close(unheard), this.#pool?.close(unheard) ?? []])).flat();
  }

  #choose({ handed, view }: Evaluation<TaskChange>): Backend {
    const seconds = view.trial(0)?.outcome?.seconds;
    if (seconds === undefined || (handed !== undefined && "job" in handed)) return this.#jobs; // what runs, runs on
    const isShort = seconds < shortSeconds;
    const detail = `the baseline took ${seconds.toFixed(1)} s`;
    if (isShort) this.#tell("mode", `mode pool: trials take less than ${shortSeconds} s`, detail);
    else this.#tell("mode", `mode jobs: trials take ${shortSeconds} s or more`, detail);
    return isShort ? (this.#pool ??= this.#makePool()) : this.#jobs;
  }
}
