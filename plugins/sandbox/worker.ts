import { parentPort, workerData } from "node:worker_threads";
import { CallFailure, stripTypes, Vm, type FailureKind } from "./vm.ts";

/** One step for one virtual machine: its mechanism's file to load, or a message to answer. */
export interface Job {
  vm: number;
  fuel: number;
  /** The host's, which ends the thread when a job takes longer. */
  patienceMs: number;
  load?: string;
  text?: string;
  /** Throws the machine away. */
  drop?: true;
}

export type JobResult = { text: string; fuel: number } | { failed: FailureKind | "gone"; reason: string; fuel: number };

/** The thread that holds the virtual machines. It does its jobs in order, as far as the first that fails, and counts them where the host can see it. */
const done = new Int32Array(workerData as SharedArrayBuffer);
const machines = new Map<number, Vm>();

async function work(job: Job): Promise<JobResult> {
  const known = machines.get(job.vm);
  if (job.drop) {
    known?.dispose();
    machines.delete(job.vm);
    return { text: "", fuel: 0 };
  }
  try {
    if (job.load !== undefined) {
      const { vm, described } = await Vm.load(stripTypes(job.load), job.fuel);
      machines.set(job.vm, vm);
      return { text: described, fuel: vm.used };
    }
    if (!known) return { failed: "gone", reason: "its virtual machine is gone", fuel: 0 };
    return { text: known.call(job.text ?? "", job.fuel), fuel: known.used };
  } catch (error) {
    const kind = error instanceof CallFailure ? error.kind : "error";
    if (kind !== "error") machines.delete(job.vm); // what a broken machine holds nobody knows; its memory is collected
    return { failed: kind, reason: error instanceof Error ? error.message : String(error), fuel: known?.used ?? 0 };
  }
}

parentPort?.on("message", (jobs: readonly Job[]) => {
  void (async () => {
    const results: JobResult[] = [];
    for (const job of jobs) {
      results.push(await work(job));
      Atomics.store(done, 0, results.length);
      if ("failed" in (results.at(-1) as JobResult)) break;
    }
    parentPort?.postMessage(results);
  })();
});
