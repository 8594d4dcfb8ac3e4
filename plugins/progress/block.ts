import type { ArmChange, TaskChange, Trial, View } from "../../core/index.ts";
import { changeId, isEmpty } from "../../core/index.ts";
import { describeChange } from "../../kit/index.ts";
import { count } from "../../kit/text.ts";
import { barOf } from "../select-improvement/index.ts";
import { changeText, duration, evidenceText, measurementOf, resultOf, short, signed, touchesText } from "./words.ts";

/** What the screen shows of a run; the views from the innermost level on. */
export interface Shown {
  name: string;
  views: readonly View[];
  slots: number;
  /** How many of the last trials. */
  trials?: number;
  secondsLeft?: number;
  ended?: string;
}

const width = 24;

/** The whole state of a run as a few lines. */
export function blockOf({ name, views, slots, trials = 5, secondsLeft, ended }: Shown): string[] {
  const [inner, ...outer] = views;
  if (!inner) return [];
  const { budget, incumbent, baseline, noiseFloor } = inner;
  const share = Number.isFinite(budget.trials) ? Math.min(1, budget.used / budget.trials) : 0;
  const bar = "█".repeat(Math.round(share * width)).padEnd(width, "·");
  const used = Number.isFinite(budget.trials)
    ? `${budget.used} of ${count(budget.trials, "trial")}`
    : count(budget.used, "trial");
  const time = ended ?? (secondsLeft === undefined ? "" : `${duration(secondsLeft)} left`);
  const lines = [`run ${name}  ${bar}  ${used}  ${time}`.trimEnd()];
  if (incumbent && baseline !== undefined) {
    const gain = inner.objective.direction === "minimize" ? baseline - incumbent.value : incumbent.value - baseline;
    const noise = noiseFloor ? `  noise ${short(noiseFloor)}` : "";
    lines.push(
      `best ${inner.objective.metric} ${short(incumbent.value)}  gain ${signed(gain)} over ${short(baseline)}${noise}  (trial ${incumbent.trial.id})`,
    );
  }
  for (const view of outer) lines.push(...testLines(view));
  const tests = [...inner.evidence.values()];
  if (tests.length > 0)
    lines.push(
      `${count(tests.length, "change")} tested so far; were none any good, at most ${tests.reduce((sum, { needed }) => sum + 1 / needed, 0).toFixed(2)} would be kept by chance`,
    );
  const mechanisms = inner.inForce;
  if (mechanisms.length > 0) lines.push(`mechanisms kept: ${mechanisms.join(", ")}`);
  for (const trial of inner.trials.last(trials)) lines.push(`  ${trialLine(trial as Trial<TaskChange>, views)}`);
  const running = inner.pending.filter((trial) => !trial.outcome).slice(0, slots);
  if (running.length > 0 && ended === undefined)
    lines.push(`running: ${running.map(({ id }) => `trial ${id}`).join(", ")}`);
  return lines;
}

/** What an outer level tests now, with its evidence. */
export function testLines(view: View): string[] {
  return view.pending.flatMap(({ candidate }) => {
    const change = candidate as ArmChange;
    if (isEmpty(change)) return [];
    const evidence = targetOf(view, change.of)?.evidence.get(changeId(change));
    return [`testing ${changeText(change)}: ${evidence ? evidenceText(evidence) : "no pair yet"}`];
  });
}

const targetOf = (view: View, name: string): View | undefined =>
  view.level === name ? view : view.below && targetOf(view.below, name);

/** A change that an outer one of these levels tests or tested, in words. */
export function testedText(views: readonly View[], id: string): string {
  const tried = views.slice(1).flatMap(({ trials, pending }) => [...trials, ...pending]);
  const change = tried.map(({ candidate }) => candidate as ArmChange).findLast((one) => changeId(one) === id);
  return change === undefined ? id : changeText(change);
}

/** Which side of a test a trial was: `with tabu`; of a removal, `without tabu` is the side that is tested. */
function sideText(side: "with" | "without", tests: string): string {
  const removed = /^without (.*)/.exec(tests)?.[1];
  if (removed === undefined) return `${side} ${tests}`;
  return side === "with" ? tests : `with ${removed}`;
}

/** One finished trial on one line. */
export function trialLine(trial: Trial<TaskChange>, views: readonly View[]): string {
  const view = views[0] as View<TaskChange>;
  const { id, verdict, side, tests, repeatOf, by, outcome } = trial;
  const parent = view.trial(trial.parent)?.candidate ?? {};
  const what =
    id === 0
      ? "baseline"
      : repeatOf !== undefined
        ? `trial ${repeatOf} on seed ${trial.seed}`
        : describeChange(parent, trial.candidate);
  const gain = verdict?.gain === undefined || id === 0 || trial.confirms ? "" : signed(verdict.gain);
  const test = side && tests ? sideText(side, testedText(views, tests)) : "";
  const touched = touchesText(trial, [...view.inForce, ...view.catalogue]);
  const reason = outcome && "reason" in outcome ? outcome.reason : (barOf(trial) ?? "");
  const head = `trial ${String(id).padEnd(4)} ${measurementOf(outcome).padEnd(9)} ${gain.padEnd(9)} ${resultOf(trial).padEnd(10)}`;
  return [
    head.trimEnd(),
    what,
    by === "baseline" || repeatOf !== undefined ? "" : `by ${by}`,
    test,
    touched ? `[${touched}]` : "",
    reason,
  ]
    .filter((part) => part !== "")
    .join("  ");
}
