import type { TaskChange, Trial, View } from "../../core/index.ts";
import { changed, encode } from "../../kit/index.ts";

/** Trials that count as the latest. */
const lately = 20;
/** A parameter that moved so often, and so seldom the other way, is stuck in one direction. */
const stuck = { moves: 4, share: 0.8 } as const;

/**
 * How the search goes, measured over the whole run: what an outer level looks
 * at. Counts and shares only; no field to look in, no cure.
 */
export function situation(view: View<TaskChange>): string {
  const all = [...view.trials].filter(({ id, repeatOf }) => id !== 0 && repeatOf === undefined);
  const { objective, incumbent, baseline, noiseFloor, budget, slots } = view;
  const names = Object.keys(view.space?.parameters ?? {});
  const moves = all.map((trial) => changed(valuesOf(view.trial(trial.parent)), valuesOf(trial)));
  const kept = all.filter(({ verdict }) => verdict?.decision === "keep").length;
  const since = all.length - 1 - all.findLastIndex(({ verdict }) => verdict?.decision === "keep");
  const counts = names.map((name) => [name, moves.filter((move) => move.includes(name)).length] as const);
  const often = counts.toSorted(([, a], [, b]) => b - a).slice(0, 3);
  const never = counts.filter(([, count]) => count === 0).map(([name]) => name);
  const recent = moves.slice(-lately).map((move) => move.join("+"));
  const crashes = countBy(all.flatMap(({ outcome }) => (outcome?.status === "crashed" ? [outcome.kind] : [])));
  const known = all.flatMap(({ touches }) => touches).filter(({ did }) => did === "refused").length;
  return [
    `Goal: ${objective.direction} ${objective.metric}; baseline ${value(baseline)}, best ${value(incumbent?.value)}, noise ${value(noiseFloor)}.`,
    `${all.length} trials proposed${Number.isFinite(budget.trials) ? ` of ${budget.trials}` : ""}, ${kept} kept, ${since < 0 ? all.length : since} since the last gain.`,
    `Failures: ${textOf(crashes, all.length) || "none"}.`,
    `Parameters that were changed most often: ${textOf(new Map(often), all.length) || "none"}; never changed: ${never.join(", ") || "none"}.`,
    `Moved in one direction nearly every time: ${oneWay(view, all, names).join(", ") || "none"}.`,
    `Of the last ${recent.length} trials, ${recent.length - new Set(recent).size} changed the same parameters as another one; drafts refused by mechanisms: ${known}.`,
    `Proposed by: ${textOf(countBy(all.map(({ by }) => by)), all.length) || "nobody yet"}.`,
    `Trials at a time: ${slots.count}, of which ${value(slots.busy)} were in use on average.`,
    `Mechanisms in force: ${view.inForce.join(", ") || "none"}.`,
  ].join("\n");
}

const valuesOf = (trial: Trial<TaskChange> | undefined) => trial?.candidate.values ?? {};

const value = (of: number | undefined): string =>
  of === undefined || Number.isNaN(of) ? "unknown" : String(Number(of.toPrecision(6)));

/** Parameters that went up, or down, nearly every time that they were changed. */
function oneWay(view: View<TaskChange>, all: readonly Trial<TaskChange>[], names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const domain = view.space?.parameters[name];
    if (!domain) return [];
    const signs = all.flatMap((trial) => {
      const [before, after] = [valuesOf(view.trial(trial.parent))[name], valuesOf(trial)[name]];
      if (before === undefined || after === undefined) return [];
      const [from = 0] = encode(domain, before);
      const [to = 0] = encode(domain, after);
      return from === to ? [] : [Math.sign(to - from)];
    });
    const up = signs.filter((sign) => sign > 0).length / signs.length;
    if (signs.length < stuck.moves || Math.max(up, 1 - up) < stuck.share) return [];
    return [`${name} ${up > 0.5 ? "up" : "down"} in ${Math.round(100 * Math.max(up, 1 - up))} % of ${signs.length}`];
  });
}

function countBy(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

/** `oom 3 (12 %)` */
const textOf = (counts: ReadonlyMap<string, number>, of: number): string =>
  [...counts].map(([key, count]) => `${key} ${count} (${Math.round((100 * count) / Math.max(1, of))} %)`).join(", ");
