import type { Trial, View } from "../../core/index.ts";
import { mean, studentT, variance } from "../../kit/index.ts";

/** Winner against baseline on seeds that the search never used, in the metric's unit. `gain`: positive is better; `se`: its standard error. */
export interface Confirmation {
  baseline: number;
  winner: number;
  gain: number;
  se: number;
  n: number;
  confirmed: boolean;
}

/**
 * The final comparison, paired by seed; undefined where no seed has both.
 * Confirmed: the gain's 90 % interval lies above zero (with one seed alone: the
 * gain lies above the noise floor), and no run of the winner failed.
 */
export function confirmed(view: View): Confirmation | undefined {
  const bySeed = new Map<number, { baseline?: number; winner?: number }>();
  let hasFailed = false;
  const winnerId = view.incumbent?.trial.id;
  for (const trial of view.trials as Iterable<Trial>) {
    if (!trial.confirms) continue;
    const side = trial.repeatOf === 0 ? "baseline" : trial.repeatOf === winnerId ? "winner" : undefined;
    if (!side) continue;
    if (trial.outcome?.status === "measured")
      bySeed.set(trial.seed, { ...bySeed.get(trial.seed), [side]: trial.outcome.metric });
    else hasFailed ||= side === "winner";
  }
  const pairs = [...bySeed.values()].filter(
    (one): one is { baseline: number; winner: number } => one.baseline !== undefined && one.winner !== undefined,
  );
  if (pairs.length === 0) return undefined;
  const sign = view.objective.direction === "minimize" ? 1 : -1;
  const gains = pairs.map(({ baseline, winner }) => sign * (baseline - winner));
  const gain = mean(gains);
  const se = Math.sqrt(variance(gains) / gains.length);
  const half = gains.length > 1 ? studentT(0.95, gains.length - 1) * se : (view.noiseFloor ?? 0);
  return {
    baseline: mean(pairs.map(({ baseline }) => baseline)),
    winner: mean(pairs.map(({ winner }) => winner)),
    gain,
    se,
    n: pairs.length,
    confirmed: !hasFailed && gain - half > 0,
  };
}
