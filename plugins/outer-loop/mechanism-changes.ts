import type { ArmChange, View } from "../../core/index.ts";
import { changeId } from "../../core/index.ts";
import type { Proposal } from "./bandit.ts";

/**
 * What research without a model can test: each mechanism of the catalogue that
 * is not in force, and what was written for this run and is not decided yet;
 * once all of those are decided, doing without one that was kept on its evidence.
 */
export function mechanismChanges(target: View, own: View): Proposal[] {
  const of = target.level;
  const isDecided = (id: string): boolean => target.evidence.get(id)?.decision !== undefined;
  const installs = target.catalogue
    .filter((name) => !target.inForce.includes(name) && !isDecided(name))
    .map((name) => ({ change: { of, install: { from: "plugin" as const, name } }, why: `does ${name} help?` }));
  const written = new Map<string, ArmChange>();
  for (const { candidate } of own.trials) {
    const change = candidate as ArmChange;
    const id = changeId(change);
    if (change.install?.from === "code" && !isDecided(id) && !target.struck.includes(id)) written.set(id, change);
  }
  const open = [...written].map(([id, change]) => ({ change, why: `does ${id} help?` }));
  if (installs.length + open.length > 0) return [...installs, ...open];
  return target.inForce
    .filter(isDecided)
    .map((name) => ({ change: { of, remove: name }, why: `is ${name} still worth it?` }));
}
