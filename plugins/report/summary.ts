import type { Evidence, TaskChange, View } from "../../core/index.ts";
import { describeMove } from "../../kit/index.ts";
import { changeText, evidenceText, short, signed } from "../progress/index.ts";
import { confirmed } from "../select-improvement/index.ts";
import type { ArmChange, Trial } from "../../core/index.ts";
import { changeId, isEmpty } from "../../core/index.ts";

/** What a mechanism did, counted over the trials of a run. */
export interface Work {
  name: string;
  /** By kind of touch: in how many trials. */
  touches: Readonly<Record<string, number>>;
  evidence?: Evidence;
  inForce: boolean;
}

/** The mechanisms that are in force or were tried, with what they did. */
export function workOf(view: View): Work[] {
  const names = [...new Set([...view.inForce, ...view.catalogue])];
  const counts = new Map<string, Record<string, number>>(names.map((name) => [name, {}]));
  for (const trial of view.trials)
    for (const { tap, did } of trial.touches) {
      const count = counts.get(tap);
      if (count && did !== "decided") count[did] = (count[did] ?? 0) + 1;
    }
  return names.map((name) => ({
    name,
    touches: counts.get(name) ?? {},
    evidence: view.evidence.get(name),
    inForce: view.inForce.includes(name),
  }));
}

/** Of changes that do nothing so many are kept by chance: measured for the rule, and at most a tenth by its construction. */
const falseKeeps = 0.064;

/** What a run came to, in a few lines. */
export function summaryLines(views: readonly View[], reason: string): string[] {
  const [inner, ...outer] = views as [View<TaskChange>, ...View[]];
  const { incumbent, baseline, objective } = inner;
  const lines = [`end: ${reason}`];
  if (!incumbent || baseline === undefined) return [...lines, "nothing was measured"];
  const gain = objective.direction === "minimize" ? baseline - incumbent.value : incumbent.value - baseline;
  if (incumbent.trial.id === 0)
    lines.push(`best: the baseline, ${objective.metric} ${short(baseline)}; nothing was better beyond the noise`);
  else {
    lines.push(confirmedLine(inner, `during the search ${short(incumbent.value)}, gain ${signed(gain)}`));
    lines.push(
      `best: trial ${incumbent.trial.id}: ${describeMove(inner.trial(0)?.candidate.values ?? {}, incumbent.trial.candidate.values ?? {})}`,
    );
  }
  lines.push(...spentLines(inner), ...mechanismLines(inner), ...testLines(outer));
  return lines;
}

function confirmedLine(view: View<TaskChange>, search: string): string {
  const result = confirmed(view);
  const { metric } = view.objective;
  if (!result) return `${metric} ${search}; not measured on fresh seeds`;
  const found = `${short(result.baseline)} → ${short(result.winner)} ± ${short(result.se)}, n=${result.n}`;
  return result.confirmed
    ? `confirmed: ${metric} ${found}; ${search}`
    : `not confirmed on fresh seeds: ${metric} ${found}; ${search}`;
}

function spentLines(view: View<TaskChange>): string[] {
  const count = (test: (trial: Trial<TaskChange>) => boolean) => [...view.trials].filter(test).length;
  const repeats = count((trial) => trial.repeatOf !== undefined && trial.repeatOf !== 0 && !trial.confirms);
  const crashed = count(({ outcome }) => outcome?.status === "crashed");
  const kept = count((trial) => trial.verdict?.decision === "keep" && trial.id !== 0 && trial.repeatOf === undefined);
  return [
    `${view.budget.used} trials: ${kept} kept, ${crashed} crashed, ${repeats} to measure again, ${count((trial) => trial.confirms === true)} to confirm`,
  ];
}

function mechanismLines(view: View<TaskChange>): string[] {
  return workOf(view).map(({ name, touches, evidence, inForce }) => {
    const did = Object.entries(touches).map(([kind, times]) => `${kind} ${times}`).join(", "); // prettier-ignore
    const effect = evidence?.effect ? `, per trial ${signed(evidence.effect.mean)} (95 %: ${short(evidence.effect.low)} to ${short(evidence.effect.high)})` : ""; // prettier-ignore
    const told = evidence
      ? evidenceText(evidence) + effect
      : inForce
        ? "in force from the start, not judged"
        : "not tested";
    return `mechanism ${name}: ${inForce ? "kept" : evidence?.decision === "revert" ? "dropped" : evidence ? "too early" : "-"}; ${did || "touched nothing"}; ${told}`;
  });
}

function testLines(outer: readonly View[]): string[] {
  const tried = new Map<string, { change: ArmChange; evidence?: Evidence }>();
  for (const view of outer)
    for (const { candidate } of view.trials as Iterable<Trial<ArmChange>>)
      if (!isEmpty(candidate)) tried.set(changeId(candidate), { change: candidate, evidence: targetOf(view, candidate.of)?.evidence.get(changeId(candidate)) }); // prettier-ignore
  const policies = [...tried.values()].filter(({ change }) => change.policy);
  const expected = (tried.size * falseKeeps).toFixed(1);
  return [
    ...policies.map(
      ({ change, evidence }) => `policy ${changeText(change)}: ${evidence ? evidenceText(evidence) : "no pair"}`,
    ),
    ...(tried.size > 0
      ? [
          `${tried.size} ${tried.size === 1 ? "change was" : "changes were"} tested; were none of them any good, about ${expected} would be kept by chance`,
        ]
      : []),
  ];
}

const targetOf = (view: View, name: string): View | undefined =>
  view.level === name ? view : view.below && targetOf(view.below, name);
