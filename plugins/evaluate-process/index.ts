import { hostname } from "node:os";
import { resolve } from "node:path";
import type { Evaluation, Outcome, Plugin, Run, Task, TaskChange, Trial, View } from "../../core/index.ts";
import { BilevelError } from "../../core/index.ts";
import {
  changedThroughLinks,
  giveEachItsOwn,
  isProgram,
  noProgram,
  openTask,
  prepareTrial,
  verifyProtected,
  type FrozenTask,
} from "../task/index.ts";
import { waitForRoom } from "./disk.ts";
import { environmentFor } from "./environment.ts";
import { Keeper } from "./keeper.ts";
import { outcomeOf } from "./outcome.ts";
import { adopt, start, type Supervised } from "./supervised.ts";

export { endProcesses, markerName } from "./process-tree.ts";
export { secretNames } from "./environment.ts";
export { Keeper } from "./keeper.ts";
export { CappedLog, LastLines } from "./log.ts";
export { failurePatterns, outcomeOf, shownMetrics, type FailurePattern } from "./outcome.ts";

export interface EvaluateProcessOptions {
  /** A trial's time limit. Default: three times the slowest baseline, 60 s at least. */
  limitSeconds?: number;
  /** Between SIGTERM and SIGKILL. */
  graceSeconds?: number;
  /** Of a trial's log, so much is kept. */
  logMb?: number;
  /** Names of secrets that trials with edits get all the same. */
  passEnv?: readonly string[];
  /** Of so many best trials everything is kept; of the others logs, metrics and patch. */
  keep?: number;
  /** With less free disk than that (or 5 %, up to five times that) no trial starts. */
  minFreeGb?: number;
}

const schema = {
  type: "object",
  additionalProperties: false,
  properties: {
    limitSeconds: { type: "number", exclusiveMinimum: 0 },
    graceSeconds: { type: "number", minimum: 0, default: 5 },
    logMb: { type: "number", exclusiveMinimum: 0, default: 8 },
    passEnv: { type: "array", items: { type: "string" }, default: [] },
    keep: { type: "integer", minimum: 0, default: 3 },
    minFreeGb: { type: "number", minimum: 0, default: 2 },
  },
};

type Options = Required<Omit<EvaluateProcessOptions, "limitSeconds">> & { limitSeconds?: number };

const leastLimitSeconds = 60;

/** What is known once the run is open. */
interface Opened {
  run: Run;
  task: Task;
  frozen: FrozenTask;
  keeper: Keeper;
  told: Set<string>;
}

/** Runs each trial as a process in a folder of its own, under a supervisor that outlives this one. */
export function evaluateProcess(given: EvaluateProcessOptions = {}): Plugin {
  const options = { ...given } as Options;
  let opened: Opened | undefined;
  return {
    name: "evaluate-process",
    contract: 1,
    schema,
    options,
    async open(run) {
      const { task } = run.config;
      if (!task)
        throw new BilevelError("E_CONFIG_INVALID", "evaluateProcess() needs a task", {
          path: "task",
          received: "nothing",
          allowed: "folder, command and how values reach the program",
        });
      const [program = ""] = task.command;
      if (!(await isProgram(program, resolve(run.home, task.folder)))) throw noProgram("task.command[0]", program);
      const frozen = await openTask(run, task);
      opened = { run, task, frozen, keeper: new Keeper(run, task, frozen, options.keep), told: new Set() };
      const slots = run.config.levels[0]?.slots ?? 1;
      if (task.secondsBudget !== undefined && slots > 1)
        run.notice(
          `the program stops by the clock, and ${slots} trials share this machine: results depend on how many run at once`,
        );
    },
    async close() {
      await opened?.keeper.done();
    },
    apply(taps) {
      taps.evaluate((trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>) => {
        if (!opened) throw new Error("the evaluator is not open");
        return evaluate(opened, options, trial, evaluation, taps.objective.metric);
      });
    },
  };
}

async function evaluate(
  opened: Opened,
  options: Options,
  trial: Trial<TaskChange>,
  evaluation: Evaluation<TaskChange>,
  metric: string,
): Promise<Outcome> {
  const { folder, signal, slot, handed } = evaluation;
  const stopped: Outcome = { status: "cancelled", reason: "the run was stopped", seconds: 0 };
  const adopted = handed && (await adopt(folder, handed));
  if (!adopted && !(await waitForRoom(folder, options.minFreeGb, signal, opened.run))) return stopped;
  let supervised: Supervised | Outcome;
  try {
    supervised = adopted ?? (await begin(opened, options, trial, evaluation, metric));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!["ENOSPC", "EAGAIN", "EMFILE", "ENOMEM", "EDQUOT"].includes(code ?? "")) throw error;
    return { status: "lost", reason: `the trial could not be started: ${message}`, seconds: 0 };
  }
  if ("status" in supervised) return supervised;
  const { exit, stop } = await supervised.finish((progress) => evaluation.report(progress), signal);
  const base = { seconds: exit?.seconds ?? 0, where: { host: hostname(), slot } };
  if (!exit) return { ...base, status: "lost", reason: "its supervisor was killed before the trial ended" };
  if (exit.ended === "asked") {
    if (stop === "pruned") return { ...base, status: "pruned", reason: "stopped early: it could not win any more" };
    return { ...stopped, ...base };
  }
  const tampered = await verifyProtected(opened.frozen, opened.task, folder);
  const outcome = outcomeOf(exit, metric, base.where, tampered);
  if (trial.id === 0 && outcome.status === "measured") await learnWrites(opened);
  return outcome;
}

async function begin(
  { run, task, frozen, told }: Opened,
  options: Options,
  trial: Trial<TaskChange>,
  { folder, slot, view, handle }: Evaluation<TaskChange>,
  metric: string,
): Promise<Supervised | Outcome> {
  const prepared = await prepareTrial(frozen, task, trial.candidate, trial.seed, folder);
  if ("refused" in prepared) return { status: "crashed", kind: "refused", reason: prepared.refused, seconds: 0 };
  const { env, taken } = environmentFor(trial.candidate, options.passEnv);
  if (taken.length > 0 && !told.has("taken")) {
    told.add("taken");
    run.notice(`trials with edits do not get these secrets (passEnv lets them through): ${taken.join(", ")}`);
  }
  const limitSeconds = options.limitSeconds ?? defaultLimit(trial, view);
  if (limitSeconds !== undefined && !told.has("limit")) {
    told.add("limit");
    run.notice(`time limit per trial: ${Math.round(limitSeconds)} s`);
  }
  return start({
    folder,
    env: { ...env, ...prepared.env, BILEVEL_SLOT: String(slot), BILEVEL_SEED: String(trial.seed) },
    spec: {
      command: prepared.command,
      cwd: prepared.cwd,
      limitMs: limitSeconds === undefined ? null : limitSeconds * 1000,
      graceMs: options.graceSeconds * 1000,
      logBytes: options.logMb * 1e6,
      metric,
      metrics: task.metrics,
      editable: task.editable,
    },
    handle,
  });
}

/** Seconds: three times the slowest baseline, never under a minute; none while the baseline itself runs. */
export function defaultLimit(trial: Trial<TaskChange>, view: View<TaskChange>): number | undefined {
  if (trial.id === 0) return undefined;
  let slowest = view.trial(0)?.outcome?.seconds ?? 0;
  for (const { repeatOf, outcome } of view.trials.last(50))
    if (repeatOf === 0) slowest = Math.max(slowest, outcome?.seconds ?? 0);
  return Math.max(leastLimitSeconds, 3 * slowest);
}

/** What the baseline wrote through links: from now on each trial gets its own. */
async function learnWrites({ run, frozen, told }: Opened): Promise<void> {
  const written = await changedThroughLinks(frozen);
  if (written.length === 0 || told.has("written")) return;
  told.add("written");
  await giveEachItsOwn(frozen, written);
  const [first = ""] = written;
  run.notice(
    `the baseline wrote through links: ${written.slice(0, 3).join(", ")}${written.length > 3 ? " …" : ""}; each trial now gets its own. ` +
      `To settle it, leave it out: task: { ignore: ["${first.includes("/") ? first.slice(0, first.lastIndexOf("/") + 1) : first}"] }`,
  );
}
