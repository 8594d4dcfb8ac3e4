import type { Estimate, TaskChange, Trial } from "../../core/index.ts";
import { mean, studentT, variance } from "../../kit/index.ts";

/** How sure a keep is that the candidate is better: a best that stands is measured again, and the winner is confirmed, so two in three is enough. */
const sureness = 2 / 3;

/** Over what was measured more than once: squared deviations from the candidates' means, and degrees of freedom. */
interface Spread {
  deviations: number;
  freedom: number;
}

/** All measurements of the search, by the trial whose candidate they are of. */
export interface Measurements {
  byRoot: Map<number, readonly number[]>;
  accepted: Set<number>;
  /** Bests that a later trial had measured again. */
  asked: Set<number>;
  /** Of everything, and of everything but the baseline. */
  all: Spread;
  candidates: Spread;
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
  all: { deviations: 0, freedom: 0 },
  candidates: { deviations: 0, freedom: 0 },
  squares: 0,
  gains: 0,
  repeats: 0,
});

const deviationsOf = (values: readonly number[]): number => variance(values) * Math.max(0, values.length - 1);

export function addMeasurement(past: Measurements, trial: Trial<TaskChange>): Measurements {
  const { outcome, verdict, repeatOf, confirms } = trial;
  if (confirms) return past;
  const root = repeatOf ?? trial.id;
  if (repeatOf !== undefined && repeatOf !== 0) past.repeats++;
  if (outcome?.status === "measured") {
    Object.assign(past, withMeasurement(past, root, outcome.metric));
    past.byRoot.set(root, [...(past.byRoot.get(root) ?? []), outcome.metric]);
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

function withMeasurement(
  { byRoot, all, candidates }: Measurements,
  root: number,
  metric: number,
): Pick<Measurements, "all" | "candidates"> {
  const before = byRoot.get(root) ?? [];
  const added = deviationsOf([...before, metric]) - deviationsOf(before);
  const grown = ({ deviations, freedom }: Spread): Spread => ({
    deviations: deviations + added,
    freedom: freedom + (before.length > 0 ? 1 : 0),
  });
  return { all: grown(all), candidates: root === 0 ? candidates : grown(candidates) };
}

/**
 * Standard deviation of one measurement, pooled over all candidates that were
 * measured more than once, and Student's quantile at 2/3 for its degrees of
 * freedom. A baseline that is poor can be many times as noisy as what is found,
 * so where the others alone tell of less, they are believed, unless they agree
 * to the last digit. Nothing measured twice: no noise is known, and none assumed.
 */
export function noiseOf(past: Measurements, root: number, metric: number): { sd: number; t: number } {
  const { all, candidates } = withMeasurement(past, root, metric);
  if (all.freedom === 0) return { sd: 0, t: 0 };
  const pooled = noiseIn(all);
  if (candidates.freedom === 0) return pooled;
  const found = noiseIn(candidates);
  return found.sd > 0 && found.sd * found.t < pooled.sd * pooled.t ? found : pooled;
}

const noiseIn = ({ deviations, freedom }: Spread): { sd: number; t: number } => ({
  sd: Math.sqrt(deviations / freedom),
  t: studentT(sureness, freedom),
});

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
