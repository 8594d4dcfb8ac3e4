import type { TaskChange, Trial, View } from "../../core/index.ts";
import { changed } from "../../kit/index.ts";

const lately = 20;

/**
 * How the search goes, measured over the whole run: what an outer level looks
 * at. Counts and shares only; no field to look in, no cure.
 */
export function situation(view: View<TaskChange>): string {
  const all = [...view.trials].filter(({ id, repeatOf }) => id !== 0 && repeatOf === undefined);
  const { objective, incumbent, baseline, noiseFloor, budget } = view;
  const names = Object.keys(view.space?.parameters ?? {});
  const movesOf = (trial: Trial<TaskChange>): string[] =>
    changed(view.trial(trial.parent)?.candidate.values ?? {}, trial.candidate.values ?? {});
  const moves = all.map(movesOf);
  const counts = new Map(names.map((name) => [name, moves.filter((move) => move.includes(name)).length]));
  const kept = all.filter(({ verdict }) => verdict?.decision === "keep").length;
  const crashes = countBy(all.flatMap(({ outcome }) => (outcome?.status === "crashed" ? [outcome.kind] : [])));
  const since = all.length - 1 - all.findLastIndex(({ verdict }) => verdict?.decision === "keep");
  const total = Math.max(1, moves.flat().length);
  const often = [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([name, count]) => `${name} in ${Math.round((100 * count) / total)} %`);
  const never = [...counts].filter(([, count]) => count === 0).map(([name]) => name);
  const recent = moves.slice(-lately).map((move) => move.join("+"));
  const repeated = recent.length - new Set(recent).size;
  const by = countBy(all.map((trial) => trial.by));
  const value = (of: number | undefined): string =>
    of === undefined || Number.isNaN(of) ? "unknown" : String(Number(of.toPrecision(6)));
  return [
    `Goal: ${objective.direction} ${objective.metric}; baseline ${value(baseline)}, best ${value(incumbent?.value)}, noise ${value(noiseFloor)}.`,
    `${all.length} trials proposed${Number.isFinite(budget.trials) ? ` of ${budget.trials}` : ""}, ${kept} kept, ${since < 0 ? all.length : since} since the last gain.`,
    `Failures: ${textOf(crashes) || "none"}.`,
    `Changes: most often ${often.join(", ") || "none"}; never ${never.join(", ") || "none"}; of the last ${recent.length}, ${repeated} changed the same parameters as another.`,
    `Proposed by: ${textOf(by) || "nobody yet"}.`,
    `Mechanisms in force: ${view.inForce.join(", ") || "none"}.`,
  ].join("\n");
}

function countBy(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

const textOf = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([key, count]) => `${key} ${count}`).join(", ");
