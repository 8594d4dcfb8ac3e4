import type { View } from "../../core/index.ts";
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
    .map((name) => ({ change: { of, install: { from: "plugin" as const, name } }, why: `does ${name} help?` }));
  if (installs.length > 0) return installs;
  return target.inForce
    .filter(isDecided)
    .map((name) => ({ change: { of, remove: name }, why: `is ${name} still worth it?` }));
}
