import { Worker } from "node:worker_threads";
import { messageOf } from "../../core/index.ts";
import { Stopwatch } from "./stopwatch.ts";
import type { Job, JobResult } from "./worker.ts";

const mostAtOnce = 100; // jobs in one message to the worker
const mostMachines = 16; // alive at once; the one idle for longest makes room and is built again when it is needed
const watchMs = 50;

const workerFile = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

/** `killed`: it did not end by itself; all machines were lost with it. `gone`: the machine must be built again. */
export type Answer = JobResult | { failed: "killed" | "gone"; reason: string; fuel: number };

/**
 * The worker thread with its virtual machines. It starts with the first job. A
 * job that hangs where no fuel is counted costs the whole thread; machines are
 * then built again by those who need them.
 */
export class Sandbox {
  #worker?: Worker;
  readonly #done = new Int32Array(new SharedArrayBuffer(4));
  #order: Promise<unknown> = Promise.resolve();
  #alive = new Set<number>();
  #machines = 0;
  #time = { watch: new Stopwatch(), ms: Infinity };

  /** From now on so much time for all jobs together: what runs at its end is ended, what comes after it fails. */
  allow(ms: number): void {
    this.#time = { watch: new Stopwatch(), ms };
  }

  /** A number for a new machine. */
  reserve(): number {
    return this.#machines++;
  }

  isAlive(machine: number): boolean {
    return this.#alive.has(machine);
  }

  /** Does the work of one caller after that of those before it. */
  inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#order.then(work);
    this.#order = result.catch((error: unknown) => messageOf(error));
    return result;
  }

  /** Does the jobs of one machine, one after the other; the answers end where one failed. Only within `inOrder`. */
  async run(machine: number, jobs: readonly Omit<Job, "vm">[]): Promise<Answer[]> {
    const answers: Answer[] = [];
    if (this.#isOver()) return [{ failed: "killed", reason: this.#timeText(), fuel: 0 }];
    for (let from = 0; from < jobs.length; from += mostAtOnce) {
      answers.push(...(await this.#post(jobs.slice(from, from + mostAtOnce).map((job) => ({ ...job, vm: machine })))));
      const last = answers.at(-1);
      if (last && "failed" in last && last.failed === "thread") await this.close(); // the next job starts another one
      this.#alive.delete(machine);
      if (!last || !("failed" in last) || last.failed === "error") this.#alive.add(machine);
      if (!last || "failed" in last) break;
    }
    const [idle] = this.#alive;
    if (this.#alive.size > mostMachines && idle !== undefined) await this.drop(idle);
    return answers;
  }

  /** Gives a machine's memory back. */
  async drop(machine: number): Promise<void> {
    this.#alive.delete(machine);
    if (this.#worker) await this.#post([{ vm: machine, fuel: 0, patienceMs: 1000, drop: true }]);
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#alive.clear();
    await worker?.terminate();
  }

  #isOver(): boolean {
    return this.#time.watch.ms >= this.#time.ms;
  }

  #timeText(): string {
    return `there was no time left: ${this.#time.ms / 1000} s are allowed for all its calls together`;
  }

  #post(jobs: readonly Job[]): Promise<Answer[]> {
    const worker = (this.#worker ??= this.#start());
    Atomics.store(this.#done, 0, 0);
    worker.ref();
    return new Promise((resolve) => {
      let [count, since] = [0, new Stopwatch()];
      const finish = (answers: Answer[]): void => {
        clearInterval(watch);
        worker.off("message", finish).off("error", fell).off("exit", left);
        worker.unref(); // an idle sandbox keeps no process alive
        resolve(answers);
      };
      const lose = (failed: "killed" | "gone", reason: string): void => {
        this.#alive.clear();
        this.#worker = undefined;
        finish([{ failed, reason, fuel: 0 }]);
        void worker.terminate();
      };
      const watch = setInterval(() => {
        const done = Atomics.load(this.#done, 0);
        if (done !== count) [count, since] = [done, new Stopwatch()];
        const patienceMs = jobs[Math.min(count, jobs.length - 1)]?.patienceMs ?? Infinity;
        if (since.ms > patienceMs) lose("killed", `it did not answer within ${patienceMs / 1000} s`);
        else if (this.#isOver()) lose("killed", this.#timeText());
      }, watchMs);
      const fell = (error: unknown): void => lose("gone", messageOf(error));
      const left = (): void => lose("gone", "the sandbox's thread ended");
      worker.once("message", finish).once("error", fell).once("exit", left);
      worker.postMessage(jobs);
    });
  }

  #start(): Worker {
    const worker = new Worker(workerFile, {
      workerData: this.#done.buffer,
      env: {},
      execArgv: ["--disable-warning=ExperimentalWarning"],
      resourceLimits: { maxOldGenerationSizeMb: 256 },
      stdout: true,
      stderr: true,
    });
    // one that falls between two jobs is replaced by the next; unheard, its error would end the process
    return worker.on("error", () => {
      if (this.#worker === worker) [this.#worker, this.#alive] = [undefined, new Set()];
    });
  }
}
