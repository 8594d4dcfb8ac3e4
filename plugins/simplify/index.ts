import type { Judging, Level, Plugin, Run, TaskChange, Trial, Turn, Verdict } from "../../core/index.ts";
import { candidateKey, mean, violation } from "../../kit/index.ts";
import { breachOf, failedCheck } from "../select-improvement/index.ts";
import { editProblem, freezeTask, type FrozenTask } from "../task/index.ts";
import { has, neededNow, takeBack, withoutText, type Change } from "./changes.ts";
import { worthOf } from "./worth.ts";

export { changesOfWinner, type Change } from "./changes.ts";
export { simplifyReport, simplifiedLines, takenBackIn } from "./report.ts";

export interface SimplifyOptions {
  /** Whole: the values and edits of the run's best. */
  winner: TaskChange;
  /** What may be taken back, in this order. */
  changes: readonly Change[];
  /** Seeds that every candidate is measured on. */
  seeds: number;
  /** The first of them: one that the search did not use. */
  firstSeed: number;
}

const schema = {
  type: "object",
  additionalProperties: false,
  required: ["winner", "changes", "seeds", "firstSeed"],
  properties: {
    winner: { type: "object" },
    changes: { type: "array", items: { type: "object" }, minItems: 1 },
    seeds: { type: "integer", minimum: 1 },
    firstSeed: { type: "integer" },
  },
};

/**
 * A loop that starts from a run's best and takes its changes back, one at a
 * time. A candidate lacks one more change than the best so far; it is measured
 * on the seeds that those before it were, and takes their place unless its
 * absence costs beyond the noise: against the best so far, or against the whole
 * winner, so that what is taken back cannot add up to a loss. A change that
 * another one needs is tried again once that one is gone.
 */
export function simplifyLoop(options: SimplifyOptions): Level<TaskChange> {
  const { winner, changes } = options;
  let run: Run | undefined;
  let frozen: FrozenTask | undefined;

  const next = async (turn: Turn<TaskChange>): Promise<{ change: Change; candidate: TaskChange } | undefined> => {
    const { view, parent } = turn;
    if (view.budget.trials - view.budget.used < options.seeds) return undefined; // it could not be finished
    const tried = new Set([...view.trials].map(({ hypothesis }) => hypothesis));
    for (const change of changes) {
      const candidate = takeBack(view.space, parent.candidate, change);
      if (tried.has(withoutText(change)) || !has(parent.candidate, change)) continue;
      if (view.space && violation(view.space, candidate.values ?? {}) !== undefined) continue;
      const { problem } = winner.edits?.length ? await checked(turn, candidate) : {};
      if (problem === undefined) return { change, candidate };
    }
    return undefined;
  };
  /** Recorded: a replay has no files. */
  const checked = (turn: Turn<TaskChange>, candidate: TaskChange): Promise<{ problem?: string }> =>
    turn.once("edits", candidate, async () => {
      const task = run?.config.task;
      return { problem: task && frozen ? await editProblem(frozen, task, candidate) : undefined };
    });

  const proposer: Plugin = {
    name: "take-back",
    contract: 1,
    apply(taps) {
      taps.propose("SOURCE", async (draft, turn: Turn<TaskChange>) => {
        const found = await next(turn);
        if (found)
          return { ...draft, candidate: found.candidate, by: "take-back", hypothesis: withoutText(found.change) };
        run?.end("nothing more can be taken back");
        return { ...draft, refused: "nothing more can be taken back" };
      });
    },
  };
  const selector: Plugin = {
    name: "absence",
    contract: 1,
    apply(taps) {
      taps.select((_verdict, trial: Trial<TaskChange>, judging: Judging<TaskChange>) =>
        decide(trial, judging, options.seeds),
      );
    },
  };
  return {
    name: "simplify",
    contract: 1,
    kind: "task",
    schema,
    options,
    firstSeed: options.firstSeed,
    defaults: { proposer, selector },
    start: () => winner,
    admit: (candidate) => ({ candidate }),
    key: candidateKey,
    fallback: () => undefined,
    async open(opened) {
      run = opened;
      frozen = opened.config.task && (await freezeTask(opened.config.task, opened.home, opened.folder));
    },
  };
}

async function decide(trial: Trial<TaskChange>, judging: Judging<TaskChange>, seeds: number): Promise<Verdict> {
  const { objective, incumbent } = judging;
  const root = trial.repeatOf ?? trial.id;
  const { outcome } = trial;
  if (root === 0) {
    const measured = [...judging.trials, trial].flatMap((one) =>
      one.outcome?.status === "measured" && (one.repeatOf ?? one.id) === 0 ? [one.outcome.metric] : [],
    );
    const estimate = { value: mean(measured), se: 0, repeats: measured.length };
    const repeats = trial.id === 0 && seeds > 1 ? { repeats: seeds - 1 } : {};
    return { decision: "keep", estimate, ...repeats, noiseFloor: 0, reason: "the winner, with all its changes" };
  }
  if (outcome?.status !== "measured")
    return { decision: "discard", reason: outcome && "reason" in outcome ? outcome.reason : "it does not run" };
  const breach = breachOf(objective, outcome.metrics);
  if (breach !== undefined) return { decision: "discard", reason: breach };
  const trials = [...judging.trials, trial];
  const [own, whole] = [trial.parent, 0].map((against) => worthOf(trials, { of: root, against }, objective));
  const gain = own && -own.mean;
  if ((own?.low ?? 0) > 0) return { decision: "discard", gain, reason: "its absence costs" };
  if ((whole?.low ?? 0) > 0) return { decision: "discard", gain, reason: neededNow };
  const times = trials.filter((one) => (one.repeatOf ?? one.id) === root).length;
  if (times < seeds) return { decision: "repeat", gain, reason: `measured ${times} of ${seeds} times` };
  const failed = objective.check && (await failedCheck(objective.check, trial.id, judging));
  if (failed !== undefined) return { decision: "discard", gain, reason: failed };
  // taken as equal: its own mean would be the luck of the draw
  const estimate = { value: incumbent?.value ?? NaN, se: 0, repeats: times };
  return { decision: "keep", gain, estimate, reason: "its absence is within the noise" };
}
