import { parentPort, workerData } from "node:worker_threads";
import type { Values } from "../../core/index.ts";
import { provideOwnPackage } from "../own-package/index.ts";

export interface ToWorker {
  values: Values;
  seed: number;
}

export type FromWorker =
  | { type: "progress"; step: number; value: number }
  | { type: "answer"; answer: unknown }
  | { type: "failed"; reason: string };

const { file, name } = workerData as { file: string; name: string };
const tell = (message: FromWorker): void => parentPort?.postMessage(message);
type Call = (values: Values, context: { seed: number; report(step: number, value: number): void }) => unknown;
provideOwnPackage();
const loading = import(file) as Promise<Record<string, Call>>;

parentPort?.on("message", ({ values, seed }: ToWorker) => {
  let isOver = false; // what a trial left running reports to nobody
  const report = (step: number, value: number): void => {
    if (!isOver) tell({ type: "progress", step, value });
  };
  loading
    .then((module) => module[name]?.(values, { seed, report }))
    .finally(() => (isOver = true))
    .then((answer) => tell({ type: "answer", answer }))
    .catch((error: unknown) =>
      tell({ type: "failed", reason: String(error instanceof Error ? error.message : error).split("\n")[0] ?? "" }),
    );
});
