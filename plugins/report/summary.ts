import type { ArmChange, Evidence, Fact, TaskChange, Trial, View } from "../../core/index.ts";
import { changeId, isEmpty } from "../../core/index.ts";
import { describeChange } from "../../kit/index.ts";
import { count, onOneLine } from "../../kit/text.ts";
import { changeText, evidenceText, short, signed } from "../progress/index.ts";
import { barOf, confirmed } from "../select-improvement/index.ts";
import { modelLines } from "./model-lines.ts";
import { receiptLines, receiptOf } from "./receipt.ts";
import { standOf, workOf, type Work } from "./work.ts";

/** Where a run lies, and what its journal holds. */
export interface RunRecord {
  folder: string;
  facts: readonly Fact[];
}

/** Lines as Markdown that shows what they say: a `<b>` of a program is text. */
export const summaryText = (title: string, lines: readonly string[]): string =>
  [`# ${title}`, "", ...lines.map((line) => `- ${line}`)]
    .map((line) => `${onOneLine(line).replaceAll(/[<*`]/g, "\\$&")}\n`)
    .join("");

/** What a run came to, in a few lines. */
export function summaryLines(views: readonly View[], reason: string, { folder, facts }: RunRecord): string[] {
  const [inner, ...outer] = views as [View<TaskChange>, ...View[]];
  const { incumbent, baseline, objective } = inner;
  const lines = [`end: ${reason}`];
  if (!incumbent || baseline === undefined) return [...lines, "nothing was measured"];
  const gain = objective.direction === "minimize" ? baseline - incumbent.value : incumbent.value - baseline;
  if (incumbent.trial.id === 0)
    lines.push(`best: the baseline, ${objective.metric} ${short(baseline)}; ${nothingBetter(inner, baseline)}`);
  else {
    lines.push(confirmedLine(inner, `during the search ${short(incumbent.value)}, gain ${signed(gain)}`));
    lines.push(
      `best: trial ${incumbent.trial.id}: ${describeChange(inner.trial(0)?.candidate ?? {}, incumbent.trial.candidate)}`,
    );
  }
  const works = workOf(inner, facts);
  lines.push(
    ...receiptLines(receiptOf([inner, ...outer])),
    ...modelLines(inner, works, folder, facts),
    ...mechanismLines(works),
    ...testLines(outer),
  );
  return lines;
}

/** Why the baseline is still the best: what a limit or the check dropped may have measured better. */
function nothingBetter({ trials, objective }: View<TaskChange>, baseline: number): string {
  const sign = objective.direction === "minimize" ? 1 : -1;
  const gainOf = ({ outcome }: Trial): number =>
    outcome?.status === "measured" ? sign * (baseline - outcome.metric) : 0;
  const barred = [...trials].filter((trial) => barOf(trial) !== undefined && gainOf(trial) > 0);
  const [first] = barred.sort((a, b) => gainOf(b) - gainOf(a));
  if (!first) return "nothing was better beyond the noise";
  const dropped = count(barred.length, "trial that measured better was", "trials that measured better were");
  return `${dropped} dropped (trial ${first.id}: ${barOf(first)}); nothing else was better beyond the noise`;
}

function confirmedLine(view: View<TaskChange>, search: string): string {
  const result = confirmed(view);
  const { metric } = view.objective;
  if (!result) return `${metric} ${search}; not measured on fresh seeds`;
  const within = result.n > 1 ? ` ± ${short(result.se)}` : ""; // one pair alone has no standard error
  const found = `${short(result.baseline)} → ${short(result.winner)}${within}, n=${result.n}`;
  return result.confirmed
    ? `confirmed: ${metric} ${found}; ${search}`
    : `not confirmed on fresh seeds: ${metric} ${found}; ${search}`;
}

function mechanismLines(works: readonly Work[]): string[] {
  return works.map((work) => {
    const { name, touches, calls, ms, fuel, strikes, evidence, inForce, struck } = work;
    const did = Object.entries(touches)
      .map(([kind, times]) => `${kind} ${times}`)
      .join(", ");
    const effect = evidence?.effect
      ? `, per trial ${signed(evidence.effect.mean)} (95 %: ${short(evidence.effect.low)} to ${short(evidence.effect.high)})`
      : "";
    const told = evidence
      ? evidenceText(evidence) + effect
      : inForce
        ? "in force from the start, not judged"
        : did
          ? "no pair yet"
          : "not tested";
    const took =
      calls === 0
        ? ""
        : `; ${count(calls, "call")}, ${ms} ms${fuel === undefined ? "" : `, fuel ${fuel}`}${strikes > 0 && !struck ? `, ${strikes} failed` : ""}`;
    return `mechanism ${name}: ${standOf(work) ?? "-"}; ${did || "did nothing"}${took}; ${told}`;
  });
}

function testLines(outer: readonly View[]): string[] {
  const tried = new Map<string, { change: ArmChange; evidence?: Evidence }>();
  for (const view of outer)
    for (const { candidate } of view.trials as Iterable<Trial<ArmChange>>)
      if (!isEmpty(candidate))
        tried.set(changeId(candidate), {
          change: candidate,
          evidence: targetOf(view, candidate.of)?.evidence.get(changeId(candidate)),
        });
  const policies = [...tried.values()].filter(({ change }) => change.policy);
  const expected = [...tried.values()]
    .reduce((sum, { evidence }) => sum + (evidence ? 1 / evidence.needed : 0), 0)
    .toFixed(2);
  return [
    ...policies.map(
      ({ change, evidence }) => `policy ${changeText(change)}: ${evidence ? evidenceText(evidence) : "no pair"}`,
    ),
    ...(tried.size > 0
      ? [
          `${count(tried.size, "change was", "changes were")} tested; were none of them any good, at most ${expected} would be kept by chance`,
        ]
      : []),
  ];
}

const targetOf = (view: View, name: string): View | undefined =>
  view.level === name ? view : view.below && targetOf(view.below, name);
