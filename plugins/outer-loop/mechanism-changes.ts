import type { View } from "../../core/index.ts";
import { changeId } from "../../core/index.ts";
import type { Proposal } from "./bandit.ts";

/**
 * What research without a model can test: each mechanism of the catalogue that
 * is not in force; once all of those are decided, doing without one that was
 * kept on its evidence.
 */
export function mechanismChanges(target: View): Proposal[] {
  const of = target.level;
  const isDecided = (id: string): boolean => target.evidence.get(id)?.decision !== undefined;
  const installs = target.catalogue
    .filter((name) => !target.inForce.includes(name) && !isDecided(name))
    .map((name) => ({ change: { of, install: { from: "plugin" as const, name } }, why: "does it help?" }));
  return installs.length > 0 ? installs : removals(target);
}

/** Doing without one that was kept on its evidence. */
const removals = (target: View): Proposal[] =>
  target.inForce
    .filter((name) => target.evidence.get(name)?.decision === "keep")
    .map((name) => ({ change: { of: target.level, remove: name }, why: `is ${name} still worth it?` }));

/** Trials in force after which a mechanism is put to the test once more: what it did when it was kept may be over. */
const trialsToReview = 100;

/** Those in force for long enough whose removal was not tested to its end: they come before anything new. */
export function dueForReview(target: View): Proposal[] {
  const open = removals(target).filter(({ change }) => !target.evidence.get(changeId(change))?.decision);
  if (open.length === 0) return [];
  const served = new Map<string, number>();
  for (const { arm, tests } of target.trials)
    for (const name of arm) if (name !== tests) served.set(name, (served.get(name) ?? 0) + 1);
  return open.filter(({ change }) => (served.get(change.remove ?? "") ?? 0) >= trialsToReview);
}
