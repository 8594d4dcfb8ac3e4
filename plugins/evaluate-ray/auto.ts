import type { Evaluation, Outcome, TaskChange, Trial } from "../../core/index.ts";
import type { Backend, Ground } from "./backend.ts";

/** A trial that is shorter than that is shorter than a few starts of a job. */
const shortSeconds = 60;

/** Jobs until the baseline is known; from then on a pool where it was short. */
export class Auto implements Backend {
  readonly #ground: Ground;
  readonly #jobs: Backend;
  readonly #pool: Backend;

  constructor(ground: Ground, jobs: Backend, pool: Backend) {
    this.#ground = ground;
    this.#jobs = jobs;
    this.#pool = pool;
  }

  async evaluate(trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>): Promise<Outcome> {
    return this.#backendFor(evaluation).evaluate(trial, evaluation);
  }

  async close(): Promise<void> {
    await Promise.all([this.#jobs.close(), this.#pool.close()]);
  }

  /** What an earlier process began stays where it is. */
  #backendFor({ view, handed }: Evaluation<TaskChange>): Backend {
    if (handed) return "pool" in handed ? this.#pool : this.#jobs;
    const baseline = view.trial(0)?.outcome;
    if (!baseline) return this.#jobs;
    const isShort = baseline.seconds < shortSeconds;
    const why = `the baseline took ${baseline.seconds.toFixed(1)} s`;
    if (isShort) this.#ground.tell("mode", "short trials: from here on they run in a pool of workers", why);
    else this.#ground.tell("mode", "long trials: each is a job of its own", why);
    return isShort ? this.#pool : this.#jobs;
  }
}
