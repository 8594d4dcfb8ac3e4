import type { Objective, TaskChange, Trial } from "../../core/index.ts";
import { mean, normalQuantile, variance } from "../../kit/index.ts";

/** What a change is worth, in the metric's unit, positive: its absence costs. `low`: above 0 where that is beyond the noise. */
export interface Worth {
  mean: number;
  se: number;
  low: number;
  n: number;
}

/** Measurements by seed, of every candidate: under the number of the trial that ran it first. */
export type Measured = ReadonlyMap<number, ReadonlyMap<number, number>>;

export function measuredIn(trials: Iterable<Trial<TaskChange>>): Measured {
  const found = new Map<number, Map<number, number>>();
  for (const { id, repeatOf, seed, outcome } of trials) {
    if (outcome?.status !== "measured") continue;
    const root = repeatOf ?? id;
    found.set(root, (found.get(root) ?? new Map<number, number>()).set(seed, outcome.metric));
  }
  return found;
}

/** By how much the second is worse than the first, on every seed that both were measured on. */
function losses(measured: Measured, against: number, of: number, { direction }: Objective): number[] {
  const sign = direction === "minimize" ? 1 : -1;
  const reference = measured.get(against) ?? new Map<number, number>();
  return [...(measured.get(of) ?? [])].flatMap(([seed, metric]) => {
    const other = reference.get(seed);
    return other === undefined ? [] : [sign * (metric - other)];
  });
}

/**
 * How much worse it is without, paired by seed as the final comparison of a run
 * is, and with its 90 % interval; the variance of one difference is pooled over
 * all that was compared with its parent so far (Snedecor and Cochran,
 * Statistical Methods, 8th ed., section 6.4), and its quantile is the normal's:
 * Student's would take out what is worth something where the noise is hardly known yet.
 */
export function worthOf(
  trials: readonly Trial<TaskChange>[],
  { of, against }: { of: number; against: number },
  objective: Objective,
): Worth | undefined {
  const measured = measuredIn(trials);
  const found = losses(measured, against, of, objective);
  if (found.length === 0) return undefined;
  let [deviations, freedom] = [0, 0];
  for (const { id, parent, repeatOf } of trials) {
    if (id === 0 || repeatOf !== undefined) continue;
    const other = losses(measured, parent, id, objective);
    deviations += variance(other) * Math.max(0, other.length - 1);
    freedom += Math.max(0, other.length - 1);
  }
  const isExact = objective.noise === "none";
  const sd = freedom === 0 ? 0 : Math.sqrt(deviations / freedom);
  const se = isExact ? 0 : sd / Math.sqrt(found.length);
  const half = isExact ? 0 : freedom === 0 ? Infinity : normalQuantile(0.95) * se;
  return { mean: mean(found), se, low: mean(found) - half, n: found.length };
}
