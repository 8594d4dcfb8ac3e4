import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { Evaluation, Outcome, Progress, TaskChange, Values } from "../../core/index.ts";
import { longestTimer } from "../../kit/time.ts";
import { outcomeOf } from "./outcome.ts";
import type { FromWorker, ToWorker } from "./worker.ts";

const workerFile = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);

/** Worker threads that run one module's function, one per slot, made when a slot is first used. */
export class Pool {
  readonly #data: { file: string; name: string };
  readonly #limitMs: number | undefined;
  #idle: Worker[] = [];
  #all = new Set<Worker>();

  constructor(file: string, name: string, limitSeconds?: number) {
    this.#data = { file, name };
    this.#limitMs = limitSeconds === undefined ? undefined : limitSeconds * 1000;
  }

  run(values: Values, seed: number, evaluation: Evaluation<TaskChange>, metric: string): Promise<Outcome> {
    const { signal } = evaluation;
    const started = performance.now();
    const seconds = (): number => (performance.now() - started) / 1000;
    if (signal.aborted) return Promise.resolve({ status: "cancelled", reason: "the run was stopped", seconds: 0 });
    const worker = this.#idle.pop() ?? this.#make();
    worker.ref();
    return new Promise((resolve, reject) => {
      let isOver = false;
      let reports: Promise<unknown> = Promise.resolve();
      const settle = (outcome: Outcome, isReusable: boolean): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        signal.removeEventListener("abort", cancel);
        for (const [event, listener] of listeners) worker.off(event, listener as () => void);
        if (isReusable) {
          worker.unref(); // an idle one is nothing to wait for
          this.#idle.push(worker);
        } else {
          this.#all.delete(worker);
          void worker.terminate();
        }
        resolve(outcome);
      };
      const crash = (kind: string, reason: string) =>
        settle({ status: "crashed", kind, reason, seconds: seconds() }, false);
      const cancel = () => settle({ status: "cancelled", reason: "the run was stopped", seconds: seconds() }, false);
      const take = async (progress: Progress): Promise<void> => {
        if (!Number.isFinite(progress.value)) return crash("diverged", "an intermediate value was not a finite number");
        if ((await evaluation.report(progress)) === "stop")
          settle({ status: "pruned", reason: "stopped early: it could not win any more", seconds: seconds() }, false);
      };
      const limit = this.#limitMs;
      const timer =
        limit === undefined
          ? undefined
          : setTimeout(
              () => crash("timeout", `over the time limit of ${limit / 1000} s`),
              Math.min(limit, longestTimer),
            );
      signal.addEventListener("abort", cancel);
      const hear = (message: FromWorker): void => {
        if (message.type === "progress")
          reports = reports
            .then(() => take(message))
            .catch((error: unknown) => {
              reject(error instanceof Error ? error : new Error(String(error))); // a plugin that watches trials failed: that ends the run
              cancel();
            });
        else if (message.type === "answer")
          void reports.then(() => settle(outcomeOf(message.answer, metric, seconds()), true));
        else settle({ status: "crashed", kind: "exit", reason: message.reason, seconds: seconds() }, true);
      };
      const listeners = [
        ["message", hear] as const,
        [
          "error",
          (error: NodeJS.ErrnoException) =>
            crash(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? "oom" : "exit", error.message.split("\n")[0] ?? ""),
        ] as const,
        ["exit", (code: number) => crash("exit", `its thread ended by itself with code ${code}`)] as const,
      ];
      for (const [event, listener] of listeners) worker.on(event, listener as () => void);
      worker.postMessage({ values, seed } satisfies ToWorker);
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #make(): Worker {
    const worker = new Worker(workerFile, { workerData: this.#data });
    this.#all.add(worker);
    const forget = (): void => {
      this.#all.delete(worker);
      this.#idle = this.#idle.filter((one) => one !== worker);
    };
    worker.on("error", forget).on("exit", forget); // also of what a trial left running, while it is idle
    return worker;
  }
}
