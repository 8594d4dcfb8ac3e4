import type { ArmChange, Evidence } from "../../core/index.ts";
import { changeId } from "../../core/index.ts";

/** A change that could be tested next, and the reason for it. */
export interface Proposal {
  change: ArmChange;
  why: string;
}

/** How much a turn without news counts against one with it. */
const curiosity = 0.25;

/**
 * Which of the undecided changes to test in the next segment: the highest upper
 * confidence bound on its evidence per turn (UCB1; Auer, Cesa-Bianchi and
 * Fischer 2002, section 2), untested ones first, in a random order. A change
 * that leaves the test keeps its evidence and may come back with it: the
 * evidence is a product over pairs, whatever lies between them, so its bound on
 * false keeps holds over all its segments together, and it is never begun anew.
 */
export function pickByBandit(
  proposals: readonly Proposal[],
  evidence: ReadonlyMap<string, Evidence>,
  random: () => number,
): Proposal | undefined {
  const known = proposals.map((proposal) => ({ proposal, evidence: evidence.get(changeId(proposal.change)) }));
  const open = known.filter((one) => !one.evidence?.decision);
  const turns = open.reduce((sum, one) => sum + (one.evidence?.turns ?? 0), 0);
  const scored = open.map(({ proposal, evidence }) => {
    const tried = evidence?.turns ?? 0;
    const lean = evidence && tried > 0 ? (evidence.logWith - evidence.logAgainst) / tried : 0;
    const score = tried === 0 ? Infinity : lean + curiosity * Math.sqrt((2 * Math.log(Math.max(2, turns))) / tried);
    return { proposal, score, tie: random() };
  });
  scored.sort((a, b) => (a.score === b.score ? a.tie - b.tie : b.score > a.score ? 1 : -1));
  return scored[0]?.proposal;
}
