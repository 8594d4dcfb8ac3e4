import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Evaluation, Outcome, Plugin, TaskChange, Trial, Values } from "../../core/index.ts";
import { BilevelError, messageOf } from "../../core/index.ts";
import { Pool } from "./pool.ts";
import { outcomeOf, type Answer } from "./outcome.ts";

/** What the function gets besides the values. */
export interface FunctionContext {
  seed: number;
  /** Tells an intermediate value. */
  report(step: number, value: number): void;
}

export type ObjectiveFunction = (values: Values, context: FunctionContext) => Answer | Promise<Answer>;

export interface EvaluateFunctionOptions {
  /** Module that exports the function, relative to the config file. */
  module?: string;
  /** Name of the export. */
  export?: string;
  /** The function itself; then in this very thread. */
  function?: ObjectiveFunction;
  /** In worker threads, one per slot. False: in this thread, for functions of microseconds. */
  thread?: boolean;
  /** A trial's time limit, in threads. */
  limitSeconds?: number;
}

const schema = {
  type: "object",
  additionalProperties: false,
  properties: {
    module: { type: "string", minLength: 1 },
    export: { type: "string", minLength: 1, default: "default" },
    function: {},
    thread: { type: "boolean", default: true },
    limitSeconds: { type: "number", exclusiveMinimum: 0 },
  },
};

type Options = EvaluateFunctionOptions & { export: string; thread: boolean };

/**
 * A JavaScript or TypeScript function as the objective: it gives back the
 * metric, or an object of metrics; what it throws is the trial's crash.
 */
export function evaluateFunction(given: EvaluateFunctionOptions = {}): Plugin {
  const options = { ...given } as Options;
  let call: ObjectiveFunction | undefined = given.function;
  let pool: Pool | undefined;
  return {
    name: "evaluate-function",
    contract: 1,
    schema,
    options,
    async open({ home }) {
      checkOptions(options);
      if (options.function) return;
      const file = pathToFileURL(resolve(home, options.module ?? "")).href;
      call = await importFunction(file, options);
      if (options.thread) pool = new Pool(file, options.export, options.limitSeconds);
    },
    async close() {
      await pool?.close();
    },
    apply(taps) {
      const { metric } = taps.objective;
      taps.evaluate((trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>): Promise<Outcome> => {
        const { values = {}, edits = [] } = trial.candidate;
        if (edits.length > 0)
          return Promise.resolve({
            status: "crashed",
            kind: "refused",
            reason: "a function has no files to edit",
            seconds: 0,
          });
        if (pool) return pool.run(values, trial.seed, evaluation, metric);
        if (!call) throw new Error("the evaluator is not open");
        return callHere(call, values, trial.seed, evaluation, metric);
      });
    },
  };
}

async function callHere(
  call: ObjectiveFunction,
  values: Values,
  seed: number,
  evaluation: Evaluation<TaskChange>,
  metric: string,
): Promise<Outcome> {
  const started = performance.now();
  const reports: Promise<unknown>[] = [];
  const report = (step: number, value: number): void => void reports.push(evaluation.report({ step, value }));
  try {
    const answer = await call(values, { seed, report });
    await Promise.all(reports);
    return outcomeOf(answer, metric, (performance.now() - started) / 1000);
  } catch (error) {
    if (error instanceof BilevelError) throw error; // of a plugin that watches trials
    const reason = messageOf(error).split("\n")[0] ?? "";
    return { status: "crashed", kind: "exit", reason, seconds: (performance.now() - started) / 1000 };
  }
}

function checkOptions({ module, function: inline, thread }: Options): void {
  const fail = (message: string, hint: string) => {
    throw new BilevelError("E_OPTIONS_INVALID", message, { path: "evaluator", hint });
  };
  if (!module && !inline) fail("evaluateFunction() has no function", 'evaluateFunction({ module: "./objective.ts" })');
  if (inline && thread)
    fail(
      "a function itself cannot go into another thread",
      'put it into a module, evaluateFunction({ module: "./objective.ts" }), or say thread: false',
    );
}

async function importFunction(file: string, options: Options): Promise<ObjectiveFunction> {
  const path = `evaluator.module: ${options.module}`;
  const module: unknown = await import(file).catch((error: unknown) => {
    throw new BilevelError("E_OPTIONS_INVALID", `the module cannot be loaded: ${messageOf(error).split("\n")[0]}`, {
      path,
      hint: "the path is relative to the config file",
      cause: error,
    });
  });
  const found = (module as Record<string, unknown>)[options.export];
  if (typeof found === "function") return found as ObjectiveFunction;
  throw new BilevelError("E_OPTIONS_INVALID", `the module has no function ${options.export}`, {
    path,
    allowed: Object.keys(module as object).join(", "),
    hint: `evaluateFunction({ module, export: "…" })`,
  });
}
