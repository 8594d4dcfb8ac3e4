import type { Estimate, TaskChange, Trial } from "../../core/index.ts";
import { mean, studentT, variance } from "../../kit/index.ts";
import { leveled, seedEffects, type Leveled, type Measurement } from "./seeds.ts";

/** How sure a keep is that the candidate is better: a best that stands is measured again, and the winner is confirmed, so two in three is enough. */
const sureness = 2 / 3;

/** All measurements of the search, by the trial whose candidate they are of. */
export interface Measurements {
  byRoot: Map<number, readonly Measurement[]>;
  accepted: Set<number>;
  /** Bests that a later trial had measured again. */
  asked: Set<number>;
  /** Squared gains over the trials' parents, and how many. */
  squares: number;
  gains: number;
  /** Trials spent on measuring again, the baseline's aside. */
  repeats: number;
}

export const emptyNoise = (): Measurements => ({
  byRoot: new Map(),
  accepted: new Set(),
  asked: new Set(),
  squares: 0,
  gains: 0,
  repeats: 0,
});

export function addMeasurement(past: Measurements, trial: Trial<TaskChange>): Measurements {
  const { outcome, verdict, repeatOf, confirms, seed } = trial;
  if (confirms) return past;
  const root = repeatOf ?? trial.id;
  if (repeatOf !== undefined && repeatOf !== 0) past.repeats++;
  if (outcome?.status === "measured") {
    past.byRoot.set(root, [...(past.byRoot.get(root) ?? []), { seed, value: outcome.metric }]);
    if (repeatOf === undefined && trial.id !== 0 && verdict?.gain !== undefined) {
      past.squares += verdict.gain ** 2;
      past.gains++;
    }
  }
  if (verdict?.again !== undefined) past.asked.add(verdict.again);
  if (verdict?.decision === "keep") past.accepted.add(root);
  else if (verdict?.decision === "discard" && repeatOf !== undefined) past.accepted.delete(root);
  return past;
}

/** What the repeats tell of one measurement. */
export interface Noise {
  /** Its standard deviation, and Student's quantile at 2/3 for the degrees of freedom behind it. */
  readonly sd: number;
  readonly t: number;
  /** What was measured more than once, by its trial, without what seeds do to all. */
  readonly levels: ReadonlyMap<number, Leveled>;
}

export const noNoise: Noise = { sd: 0, t: 0, levels: new Map() };

/**
 * Pooled over all candidates that were measured more than once, without what seeds do to all of them (seeds.ts). A baseline
 * that is poor can be many times as noisy as what is found, so where the others alone tell of less than half, they are
 * believed, of the noise and of the seeds, unless they agree to the last digit. Nothing measured twice: no noise is known,
 * and none assumed.
 */
export function noiseOf(byRoot: ReadonlyMap<number, readonly Measurement[]>): Noise {
  const repeated = [...byRoot].filter(([, { length }]) => length > 1);
  const noiseBy = (judges: typeof repeated): Noise & { freedom: number } => {
    const effects = seedEffects(judges.map(([, measured]) => measured));
    const levels = new Map(repeated.map(([root, measured]) => [root, leveled(measured, effects)]));
    let [deviations, freedom] = [0, 0];
    for (const [root] of judges) {
      const level = levels.get(root) as Leveled;
      deviations += variance(level.values) * (level.values.length - 1);
      freedom += level.freedom;
    }
    if (freedom === 0) return { ...noNoise, levels, freedom };
    return { sd: Math.sqrt(deviations / freedom), t: studentT(sureness, Math.max(1, freedom)), levels, freedom };
  };
  const all = noiseBy(repeated);
  const found = noiseBy(repeated.filter(([root]) => root !== 0));
  return found.sd > 0 && 2 * found.sd * found.t < all.sd * all.t ? found : all;
}

/**
 * The candidate's value: the mean of its n measurements, shrunk toward its
 * parent's by how much of the spread between candidates is noise: with v the
 * mean squared gain of the search and s2 the noise, weight = v / (v + s2 / n)
 * on the measurements, and 1 / (1 / v + n / s2) is the variance (normal with a
 * normal prior: Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.5;
 * the prior's variance from the data themselves: Efron and Morris 1975).
 */
export function estimateOf(
  measured: readonly number[],
  parent: number,
  sd: number,
  past: Measurements,
  sign: number,
): Estimate {
  const n = measured.length;
  const middle = mean(measured);
  if (sd === 0) return { value: middle, se: 0, repeats: n };
  const own = (sign * (parent - middle)) ** 2;
  const spread = (past.squares + own) / (past.gains + 1);
  const weight = spread / (spread + sd ** 2 / n);
  return {
    value: parent + weight * (middle - parent),
    se: Math.sqrt(1 / (1 / Math.max(spread, Number.MIN_VALUE) + n / sd ** 2)),
    repeats: n,
  };
}
