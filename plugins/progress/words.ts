import type { ArmChange, Evidence, Outcome, Trial, Verdict } from "../../core/index.ts";
import { changeId } from "../../core/index.ts";
import { count } from "../../kit/text.ts";

/** A number with as many digits as tell something. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(2);
  return value.toFixed(Math.abs(value) < 10 ? 4 : 2);
}

export const signed = (value: number): string => (value > 0 ? "+" : "") + short(value);

export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** What a decision is called on the screen. */
export const decisionWords: Readonly<Record<Verdict["decision"], string>> = {
  keep: "kept",
  discard: "dropped",
  revert: "dropped",
  undecided: "too early",
  repeat: "again",
};

/** What came of a trial, in a word or two. */
export function resultOf({ verdict, confirms, repeatOf, outcome }: Trial): string {
  if (confirms) return "confirming";
  if (outcome && outcome.status !== "measured") return outcome.status;
  if (!verdict) return "";
  if (repeatOf !== undefined && verdict.decision === "keep") return "measured again";
  return decisionWords[verdict.decision];
}

export const measurementOf = (outcome: Outcome | undefined): string =>
  outcome?.status === "measured"
    ? short(outcome.metric)
    : outcome?.status === "lost"
      ? "will be run again"
      : (outcome?.status ?? "");

/** A change to an arm, in words. */
export function changeText(change: ArmChange): string {
  if (change.install) return changeId(change);
  if (change.remove !== undefined) return `without ${change.remove}`;
  if (!change.policy) return "nothing";
  const { frozen, focus, strategy, guidance } = change.policy;
  const parts = [
    ...(frozen ? [frozen.length > 0 ? `freeze ${frozen.join(", ")}` : "freeze nothing"] : []),
    ...(focus ? [focus.length > 0 ? `focus on ${focus.join(", ")}` : "focus on nothing"] : []),
    ...(strategy === undefined ? [] : [strategy]),
    ...(guidance === undefined ? [] : [`"${guidance}"`]),
  ];
  return parts.join("; ");
}

/** A change by its id, in words. */
export function changeNamed(id: string, changes: ReadonlyMap<string, ArmChange>): string {
  const change = changes.get(id);
  return change === undefined ? id : changeText(change);
}

/** `7 pairs, evidence 3.4 of 10, leaning helps` */
export function evidenceText({ pairs, turns, logWith, logAgainst, needed, decision }: Evidence): string {
  if (pairs === 0) return `no effect in ${count(turns, "trial")}`;
  const isFor = logWith >= logAgainst;
  const value = Math.exp(isFor ? logWith : logAgainst);
  const lean = value <= 1 ? "leaning nowhere" : isFor ? "leaning helps" : "leaning harms";
  const end = decision === undefined ? lean : decisionWords[decision];
  return `${count(pairs, "pair")}, evidence ${value < 100 ? value.toFixed(1) : Math.round(value)} of ${isFor ? needed : 5}, ${end}`;
}

/** Which mechanisms touched a trial, and how. */
export function touchesText({ touches }: Trial, mechanisms: readonly string[]): string {
  const told = touches.filter(({ tap, did }) => mechanisms.includes(tap) && did !== "decided");
  return [...new Set(told.map(({ tap, did }) => `${tap} ${did}`))].join(", ");
}
