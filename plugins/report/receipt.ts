import type { ArmChange, TaskChange, Trial, View } from "../../core/index.ts";
import { changeId, isEmpty } from "../../core/index.ts";
import { count } from "../../kit/text.ts";
import { duration } from "../progress/index.ts";

/** What trials of one kind came to. */
export interface Share {
  trials: number;
  /** Seconds that their programs ran. */
  seconds: number;
  kept: number;
  crashed: number;
}

/** Where the trials of a run went: the parts of `by` add up to all, and so do those of `proposers`. */
export interface Receipt {
  all: Share;
  /** Of the baseline; of the search; second sides of tests; measured again; of the final comparison. */
  by: Readonly<Record<"baseline" | "search" | "controls" | "repeats" | "confirmation", Share>>;
  /** Of who proposed what was run for the first time; what was measured again counts as that. */
  proposers: Readonly<Record<string, Share>>;
  levels: Readonly<Record<string, OuterShare>>;
}

/** What an outer level did: its trials, and the changes that they tested, by what became of them. */
interface OuterShare {
  trials: number;
  /** By the clock: its trials are stretches of the level below, whose own trials are counted there. */
  seconds: number;
  tested: number;
  kept: number;
  dropped: number;
  tooEarly: number;
}

type Kind = keyof Receipt["by"];

/** Adds up a run, innermost level first. Trials that still run, or are owed again, are not in it. */
export function receiptOf([inner, ...outer]: readonly [View<TaskChange>, ...View[]]): Receipt {
  const trials = [...inner.trials];
  const sides = new Map<number, number>();
  for (const { turn, side } of trials) if (side) sides.set(turn, (sides.get(turn) ?? 0) + 1);
  const kindOf = ({ id, repeatOf, confirms, side, turn }: Trial<TaskChange>): Kind => {
    if (confirms) return "confirmation";
    if (id === 0 || repeatOf === 0) return "baseline";
    if (repeatOf !== undefined) return "repeats";
    return side === "without" && sides.get(turn) === 2 ? "controls" : "search";
  };
  const groups = Map.groupBy(trials, kindOf);
  const first = trials.filter((trial) => ["search", "controls"].includes(kindOf(trial)));
  return {
    all: shareOf(trials),
    by: {
      baseline: shareOf(groups.get("baseline")),
      search: shareOf(groups.get("search")),
      controls: shareOf(groups.get("controls")),
      repeats: shareOf(groups.get("repeats")),
      confirmation: shareOf(groups.get("confirmation")),
    },
    proposers: Object.fromEntries([...Map.groupBy(first, ({ by }) => by)].map(([by, group]) => [by, shareOf(group)])),
    levels: Object.fromEntries(outer.map((view) => [view.level, outerShareOf(view as View<ArmChange>)])),
  };
}

const isWin = ({ id, repeatOf, verdict }: Trial): boolean =>
  id !== 0 && repeatOf === undefined && verdict?.decision === "keep";

const secondsOf = (trials: readonly Trial[]): number =>
  trials.reduce((sum, { outcome }) => sum + (outcome?.seconds ?? 0), 0);

const shareOf = (trials: readonly Trial[] = []): Share => ({
  trials: trials.length,
  seconds: secondsOf(trials),
  kept: trials.filter(isWin).length,
  crashed: trials.filter(({ outcome }) => outcome?.status === "crashed").length,
});

/** The last verdict on each change counts: before that it was only not decided yet. */
function outerShareOf(view: View<ArmChange>): OuterShare {
  const trials = [...view.trials] as Trial<ArmChange>[];
  const last = new Map<string, string | undefined>();
  for (const { candidate, verdict } of trials)
    if (!isEmpty(candidate)) last.set(changeId(candidate), verdict?.decision);
  const times = (...decisions: string[]) => [...last.values()].filter((one) => decisions.includes(one ?? "")).length;
  return {
    trials: trials.length,
    seconds: secondsOf(trials),
    tested: last.size,
    kept: times("keep"),
    dropped: times("revert", "discard"),
    tooEarly: last.size - times("keep", "revert", "discard"),
  };
}

const names: Readonly<Record<Kind, string>> = {
  baseline: "baseline",
  search: "search",
  controls: "controls",
  repeats: "to measure again",
  confirmation: "to confirm",
};

/** The receipt in words. */
export function receiptLines({ all, by, proposers, levels }: Receipt): string[] {
  const parts = (Object.entries(by) as [Kind, Share][])
    .filter(([, { trials }]) => trials > 0)
    .map(([kind, { trials }]) => (kind === "controls" ? count(trials, "control") : `${trials} ${names[kind]}`));
  const crashed = all.crashed > 0 ? `; ${all.crashed} crashed` : "";
  return [
    `${count(all.trials, "trial")} in ${duration(all.seconds)}: ${parts.join(", ")}${crashed}`,
    ...Object.entries(proposers).map(
      ([name, { trials, seconds, kept }]) => `proposed by ${name}: ${trials} in ${duration(seconds)}, ${kept} kept`,
    ),
    ...Object.entries(levels).map(
      ([name, { trials, seconds, tested, kept, dropped, tooEarly }]) =>
        `${name}: ${tested} tested, ${kept} kept, ${dropped} dropped, ${tooEarly} too early; ${count(trials, "trial")}, ${duration(seconds)} by the clock`,
    ),
  ];
}
