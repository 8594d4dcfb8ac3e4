import type { View } from "../../core/index.ts";
import type { Proposal } from "./bandit.ts";

/**
 * What research without a model can test: each mechanism of the catalogue that
 * is not in force; once all of those are decided, doing without one that is.
 */
export function mechanismChanges(target: View): Proposal[] {
  const of = target.level;
  const installs = target.catalogue
    .filter((name) => !target.inForce.includes(name))
    .map((name) => ({ change: { of, install: { from: "plugin" as const, name } }, why: `does ${name} help?` }));
  const open = installs.filter(({ change }) => !target.evidence.get(change.install.name)?.decision);
  if (open.length > 0) return open;
  return target.inForce.map((name) => ({ change: { of, remove: name }, why: `is ${name} still worth it?` }));
}
