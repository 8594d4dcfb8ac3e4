import type { Edit, Space, TaskChange, Trial, Value, View } from "../../core/index.ts";
import { canonical } from "../../core/index.ts";
import { candidateKey, complete } from "../../kit/index.ts";

/** One thing in which a winner differs from its baseline: a parameter's value (undefined: it has no meaning there), or an edit. */
export type Change = { parameter: string; from?: Value; to?: Value } | { edit: Edit };

const textOf = (value: Value | undefined): string => (value === undefined ? "none" : canonical(value));
const shortened = (text: string): string => {
  const line = text.trim().replace(/\s+/g, " ");
  return JSON.stringify(line.length > 40 ? `${line.slice(0, 39)}…` : line);
};

/** `MATRIX_LR 0.02 → 0.07`; `train.py: "depth = 4" → "depth = 6"`. */
export const textOfChange = (change: Change): string =>
  "edit" in change
    ? `${change.edit.file}: ${shortened(change.edit.find)} → ${shortened(change.edit.replace)}`
    : `${change.parameter} ${textOf(change.from)} → ${textOf(change.to)}`;

/** Names the change that a trial lacks; in the journal as its hypothesis. */
export const withoutText = (change: Change): string => `without ${textOfChange(change)}`;

/** In the journal as the reason why a change stays whose absence alone costs nothing. */
export const neededNow = "with what was taken back before, its absence costs";

const isIn = (edits: readonly Edit[] | undefined, edit: Edit): boolean =>
  (edits ?? []).some((one) => canonical(one) === canonical(edit));

/** What `to` has that `from` has not, values in the order of `to`, then edits. */
export function changesBetween(from: TaskChange, to: TaskChange): Change[] {
  const names = Object.keys({ ...to.values, ...from.values });
  const [before, after] = [from.values ?? {}, to.values ?? {}];
  return [
    ...names
      .filter((name) => canonical(before[name]) !== canonical(after[name]))
      .map((parameter) => ({ parameter, from: before[parameter], to: after[parameter] })),
    ...(to.edits ?? []).filter((edit) => !isIn(from.edits, edit)).map((edit) => ({ edit })),
  ];
}

/** True where the candidate still has the change. */
export const has = (candidate: TaskChange, change: Change): boolean =>
  "edit" in change
    ? isIn(candidate.edits, change.edit)
    : canonical(candidate.values?.[change.parameter]) !== canonical(change.from);

/** The candidate without the change; parameters that mean nothing then go along. */
export function takeBack(space: Space | undefined, candidate: TaskChange, change: Change): TaskChange {
  const { values = {}, edits = [] } = candidate;
  if ("edit" in change) {
    const left = edits.filter((edit) => canonical(edit) !== canonical(change.edit));
    return { values, ...(left.length > 0 ? { edits: left } : {}) };
  }
  const { [change.parameter]: _, ...others } = values;
  const before = change.from === undefined ? others : { ...others, [change.parameter]: change.from };
  return { values: space ? complete(space, before, {}) : before, ...(edits.length > 0 ? { edits } : {}) };
}

/**
 * The changes of a run's winner, the least useful first by its record: each
 * step from the baseline to the winner gained something over its parent, and
 * what it changed shares that equally. Empty where the baseline is the best.
 */
export function changesOfWinner(view: View<TaskChange>, space = view.space): Change[] {
  const winner = view.incumbent?.trial;
  const baseline = view.trial(0)?.candidate ?? {};
  if (!winner) return [];
  const worth = new Map<string, number>();
  const nameOf = (change: Change): string => ("edit" in change ? canonical(change.edit) : change.parameter);
  for (let trial: Trial<TaskChange> | undefined = winner; trial && trial.id !== 0; trial = view.trial(trial.parent)) {
    const made = changesBetween(view.trial(trial.parent)?.candidate ?? {}, trial.candidate);
    for (const change of made)
      worth.set(nameOf(change), (worth.get(nameOf(change)) ?? 0) + (trial.verdict?.gain ?? 0) / made.length);
  }
  const recordOf = (change: Change): number => worth.get(nameOf(change)) ?? 0;
  return changesBetween(baseline, winner.candidate)
    .filter((change) => candidateKey(takeBack(space, winner.candidate, change)) !== candidateKey(winner.candidate)) // those come with others
    .sort((a, b) => recordOf(a) - recordOf(b));
}
