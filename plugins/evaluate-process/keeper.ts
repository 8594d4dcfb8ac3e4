import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Fact, Run, Task, TaskChange, Trial } from "../../core/index.ts";
import { patchOf, type FrozenTask } from "../task/index.ts";

/**
 * Tidies up behind the run: of the best trials everything is kept; of the
 * others log, metrics and patch, while the working folder goes.
 */
export class Keeper {
  readonly #run: Run;
  readonly #task: Task;
  readonly #frozen: FrozenTask;
  readonly #keep: number;
  #best: { id: number; loss: number }[] = [];
  #work: Promise<unknown> = Promise.resolve();

  constructor(run: Run, task: Task, frozen: FrozenTask, keep: number) {
    this.#run = run;
    this.#task = task;
    this.#frozen = frozen;
    this.#keep = keep;
    const level = run.config.levels[0]?.name ?? "";
    for (const trial of run.view(level).trials) this.#rank(trial);
    run.on((fact: Fact) => {
      if (fact.type !== "verdict" || fact.level !== level) return;
      const trial = run.view(level).trial(fact.trial as number) as Trial<TaskChange> | undefined;
      if (trial) this.#work = this.#work.then(() => this.#tidy(trial)).catch(() => undefined);
    });
  }

  /** Settled once everything is tidied. */
  async done(): Promise<void> {
    await this.#work;
  }

  async #tidy(trial: Trial<TaskChange>): Promise<void> {
    const folder = join(this.#run.folder, "trials", String(trial.id));
    await writeFile(join(folder, "change.patch"), await patchOf(this.#frozen, this.#task, trial.candidate));
    for (const id of this.#rank(trial))
      await rm(join(this.#run.folder, "trials", String(id), "work"), { recursive: true, force: true });
  }

  /** Takes a trial in, and gives back those that are not among the best now. */
  #rank({ id, outcome }: Trial): number[] {
    if (outcome?.status !== "measured") return [id];
    const sign = this.#run.config.objective.direction === "minimize" ? 1 : -1;
    this.#best = [...this.#best, { id, loss: sign * outcome.metric }].sort((a, b) => a.loss - b.loss);
    return this.#best.splice(this.#keep).map((one) => one.id);
  }
}
