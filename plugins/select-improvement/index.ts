import type { Judging, Plugin, TaskChange, Trial, Verdict } from "../../core/index.ts";
import { mean, median } from "../../kit/index.ts";
import { failedCheck, findCheck } from "./check.ts";
import { breachOf, checkLimits, mustHaveLimited } from "./limits.ts";
import { addMeasurement, emptyNoise, estimateOf, noiseOf, noNoise, type Measurements } from "./noise.ts";
import type { Measurement } from "./seeds.ts";

export { failedCheck } from "./check.ts";
export { confirmed, type Confirmation } from "./confirmed.ts";
export { breachOf, brokenLimit } from "./limits.ts";
export { noiseOf } from "./noise.ts";
export type { Measurement } from "./seeds.ts";

export interface SelectImprovementOptions {
  /** Measurements of one candidate at the most, before it is decided. */
  measurements?: number;
  /** Share of the budget that re-measuring may take. */
  repeatShare?: number;
}

const schema = {
  type: "object",
  additionalProperties: false,
  properties: {
    measurements: { type: "integer", minimum: 1, default: 3 },
    repeatShare: { type: "number", minimum: 0, maximum: 1, default: 0.1 },
  },
};

/** How often a noisy baseline is measured again at first: twice; once in a short search, since it takes the time of a trial. */
export const baselineRepeats = (trials: number): number => (trials < 10 ? 0 : trials < 60 ? 1 : 2);
/** A best that was measured once is measured again when so many trials later it still is the best. */
const standing = 6;

type Options = Required<SelectImprovementOptions>;

/**
 * Keeps what is better beyond the noise.
 *
 * All candidates are measured first on one seed, and again on others; what
 * those do to all alike is taken out (seeds.ts). With s the noise of one
 * measurement (noise.ts: pooled over everything that was measured more than
 * once, or over all of it but the baseline), n measurements of the candidate and
 * m of the best, the gain g is the difference of their means and
 * e = s sqrt(1/n + 1/m) its standard error; t is Student's quantile at 2/3 for
 * the degrees of freedom behind s. Keep when g >= t e; measure again while
 * g >= t e / 2 and there is room; else discard. The noise floor is t e for one
 * measurement. So that luck is not crowned, a best that stands is measured once
 * more, and its value is shrunk (noise.ts).
 */
export function selectImprovement(given: SelectImprovementOptions = {}): Plugin {
  const options = { ...given } as Options;
  return {
    name: "select-improvement",
    contract: 1,
    schema,
    options,
    async open(run) {
      checkLimits(run.config.objective);
      await findCheck(run);
    },
    apply(taps) {
      const past = taps.state(emptyNoise, (state, trial: Trial<TaskChange>) => addMeasurement(state, trial));
      taps.select(async (_verdict, trial: Trial<TaskChange>, judging: Judging<TaskChange>) => {
        if (trial.confirms) return discard("measured for the final comparison");
        if (trial.outcome?.status !== "measured") return unmeasured(trial, judging);
        const root = trial.repeatOf ?? trial.id;
        if (trial.id === 0) mustHaveLimited(judging.objective, trial.outcome.metrics);
        const breach = breachOf(judging.objective, trial.outcome.metrics);
        if (breach !== undefined && root !== 0) return discard(breach);
        const verdict = decide(trial, { seed: trial.seed, value: trial.outcome.metric }, past.value, judging, options);
        if (breach !== undefined) return { ...verdict, reason: `the baseline, although ${breach}` };
        const isNew = verdict.decision === "keep" && root !== 0 && !past.value.accepted.has(root);
        const failed =
          isNew && judging.objective.check ? await failedCheck(judging.objective.check, trial.id, judging) : undefined;
        return failed === undefined ? verdict : { ...discard(failed), gain: verdict.gain };
      });
    },
  };
}

const discard = (reason: string): Verdict => ({ decision: "discard", reason });

/** Why a trial was dropped whatever it measured, by a limit or the check; undefined where its measurement decided. */
export function barOf({ outcome, verdict, confirms, touches }: Trial): string | undefined {
  const wasJudged = touches.some(({ hook }) => hook === "select"); // the worse side of a pair is not
  if (confirms || !wasJudged || outcome?.status !== "measured") return undefined;
  return verdict?.decision === "discard" && !verdict.estimate ? verdict.reason : undefined;
}

/** A repeat of the baseline that failed changes nothing: the baseline is what everything is compared with. */
function unmeasured({ outcome, repeatOf }: Trial<TaskChange>, { incumbent }: Judging<TaskChange>): Verdict {
  const reason = outcome && "reason" in outcome ? outcome.reason : "not measured";
  if (repeatOf !== 0 || !incumbent) return discard(reason);
  const { value, se, repeats } = incumbent;
  return { decision: "keep", estimate: { value, se, repeats }, reason: `the baseline, although ${reason}` };
}

function decide(
  trial: Trial<TaskChange>,
  measurement: Measurement,
  past: Measurements,
  judging: Judging<TaskChange>,
  options: Options,
): Verdict {
  const { objective, incumbent, budget } = judging;
  const sign = objective.direction === "minimize" ? 1 : -1;
  const root = trial.repeatOf ?? trial.id;
  const byRoot = new Map(past.byRoot).set(root, [...(past.byRoot.get(root) ?? []), measurement]);
  const noise = objective.noise === "none" ? noNoise : noiseOf(byRoot);
  const levelOf = (id: number): readonly number[] | undefined =>
    noise.levels.get(id)?.values ?? byRoot.get(id)?.map(({ value }) => value);
  const measured = levelOf(root) as readonly number[];
  const metric = measured.at(-1) as number;
  const parent = trial.parent === incumbent?.trial.id ? incumbent.value : mean(levelOf(trial.parent) ?? [metric]);
  const gain = sign * (parent - metric);
  const estimate = estimateOf(measured, parent, noise.sd, past, sign);
  const known = {
    gain,
    estimate,
    noiseFloor: noise.t * noise.sd * Math.sqrt(1 + 1 / Math.max(1, incumbent?.repeats ?? 1)),
  };
  const left = budget.trials - budget.used;
  const hasRoom = noise.sd > 0 && left > 1 && past.repeats < options.repeatShare * budget.trials;

  if (root === 0) {
    const isLast = judging.pending.every(({ id }) => id === trial.id);
    const wanted = disagree(measured)
      ? Math.min(measured.length, Math.floor(budget.trials / 10))
      : baselineRepeats(budget.trials);
    const repeats = isLast && objective.noise !== "none" ? wanted - (measured.length - 1) : 0;
    const baseline = { value: mean(measured), se: noise.sd / Math.sqrt(measured.length), repeats: measured.length };
    return {
      decision: "keep",
      ...known,
      estimate: baseline,
      ...(repeats > 0 ? { repeats } : {}),
      reason: "the baseline",
    };
  }
  if (!incumbent) return { decision: "keep", ...known, reason: "the first to be measured" };
  if (past.accepted.has(root)) return { decision: "keep", ...known, reason: `measured ${measured.length} times` };

  const better = sign * (incumbent.value - mean(measured));
  const error = noise.t * noise.sd * Math.sqrt(1 / measured.length + 1 / Math.max(1, incumbent.repeats));
  if (better > 0 && better >= error)
    return { decision: "keep", ...known, reason: noise.sd > 0 ? "better beyond the noise" : "better" };
  if (better > 0 && better >= error / 2 && hasRoom && measured.length < options.measurements)
    return { decision: "repeat", ...known, reason: "close to the noise: measured again" };
  const again = incumbent.trial.id;
  const isStanding = trial.id >= again + standing && past.byRoot.get(again)?.length === 1 && !past.asked.has(again);
  return {
    decision: "discard",
    ...known,
    ...(isStanding && hasRoom && options.measurements > 1 ? { repeats: 1, again } : {}),
    reason: better > 0 ? "better, but within the noise" : "not better",
  };
}

/** True where one of the baseline's measurements lies more than three robust standard deviations from their median (Hampel 1974). */
function disagree(measured: readonly number[]): boolean {
  if (measured.length < 3) return false;
  const middle = median(measured);
  const distances = measured.map((value) => Math.abs(value - middle));
  return Math.max(...distances) > 3 * 1.4826 * median(distances);
}
