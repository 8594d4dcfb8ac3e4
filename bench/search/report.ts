import { mean, median } from "../../kit/index.ts";
import { digits, floorOf, groupsOf, interval, intervalOver, type Interval } from "./estimates.ts";
import { others } from "./methods.ts";
import type { Played } from "./play.ts";
import { slotsRatio } from "./slots.ts";
import { tasks as all } from "./tasks.ts";

export interface TaskReport {
  task: string;
  trials: number;
  slots: number;
  seeds: number;
  /** By method: median true value of the winner; mean normalised regret (1: the baseline, 0: the best known); crashes, as a share; share of seeds in which ours does better. */
  methods: Record<
    string,
    { games: number; median: number; seen: number; regret: Interval; crashes: number; ms: number; winRate?: Interval }
  >;
}

/** Milliseconds to propose, by method and by how many trials there were. */
export type Speeds = Record<string, Record<string, number>>;

/** How often one method does better than another, over all tasks. */
export interface Duel {
  method: string;
  other: string;
  trials: number;
  games: number;
  wins: Interval;
}

/** Where and with what games were played. */
export interface Made {
  minutes: number;
  cores: number;
  cpu: string;
  node: string;
  /** Of Python, with their versions. */
  packages: readonly string[];
}

export interface Summary {
  winRate30: Interval;
  winRate100: Interval;
  /** Against the best on each task, of those that played it in full. */
  winRateBest100: Interval;
  /** Against Optuna's default, on the tasks that were held out alone. */
  heldOut30: Interval;
  heldOut100: Interval;
  /** Measurements that four slots take for what one slot reached, over one slot's: median over the tasks. */
  slots4: Interval;
  msPerProposal1000: number;
  optunaMs1000: number;
  duels: Duel[];
  tasks: TaskReport[];
}

const wins = (ours: readonly Played[], theirs: readonly Played[]): number[] =>
  ours.flatMap((one) => {
    const other = theirs.find(({ seed }) => seed === one.seed);
    return other ? [one.value < other.value ? 1 : one.value === other.value ? 0.5 : 0] : [];
  });

/** For each task, how the games with one slot of one method went beside those of the other. */
function winsByTask(played: readonly Played[], method: string, other: string, trials: number): number[][] {
  const games = played.filter((one) => one.trials === trials && one.slots === 1);
  return groupsOf(games, ({ task }) => task).map((list) =>
    wins(
      list.filter((one) => one.method === method),
      list.filter((one) => one.method === other),
    ),
  );
}

const duel = (played: readonly Played[], method: string, other: string, trials: number): Interval =>
  intervalOver(winsByTask(played, method, other, trials), `${method} ${other} ${trials}`);

/** What the games say. `ours`: the method that is judged. */
export function summarise(played: readonly Played[], speeds: Speeds = {}, ours = "search"): Summary {
  const againstBest: number[][] = [];
  const tasks = groupsOf(played, ({ task, trials, slots }) => JSON.stringify([task, trials, slots])).map(
    (list): TaskReport => {
      const { task, trials, slots } = list[0] as Played;
      const floor = floorOf(played.filter((one) => one.task === task));
      const regret = (one: Played): number => (one.value - floor(one)) / (one.baseline - floor(one) || 1);
      const byMethod = new Map(
        groupsOf(list, ({ method }) => method).map((games) => [(games[0] as Played).method, games]),
      );
      const mine = byMethod.get(ours) ?? [];
      const methods = Object.fromEntries(
        [...byMethod].map(([method, games]) => [
          method,
          {
            games: games.length,
            median: digits(median(games.map(({ value }) => value))),
            seen: digits(median(games.map(({ seen }) => seen))),
            regret: interval(games.map(regret), `${task} ${trials} ${method}`),
            crashes: digits(mean(games.map(({ crashes }) => crashes / trials))),
            ms: digits(median(games.map(({ ms }) => ms))),
            ...(method === ours || mine.length === 0
              ? {}
              : { winRate: interval(wins(mine, games), `${task} ${trials} ${method} wins`) }),
          },
        ]),
      );
      if (slots === 1) {
        const gamesOf = (method: string): number => byMethod.get(method)?.length ?? 0;
        const rivals = ["random", "local", ...others];
        const often = Math.max(1, ...rivals.map(gamesOf));
        const competitors = rivals.filter((method) => gamesOf(method) === often);
        const best = competitors.sort(
          (a, b) => (methods[a]?.regret.value ?? Infinity) - (methods[b]?.regret.value ?? Infinity),
        )[0];
        if (trials === 100 && best !== undefined) againstBest.push(wins(mine, byMethod.get(best) ?? []));
      }
      return { task, trials, slots, seeds: new Set(list.map(({ seed }) => seed)).size, methods };
    },
  );
  const heldOut = new Set(all.filter(({ role }) => role === "held out").map(({ name }) => name));
  const hidden = played.filter(({ task }) => heldOut.has(task));
  return {
    winRate30: duel(played, ours, "optuna", 30),
    winRate100: duel(played, ours, "optuna", 100),
    winRateBest100: intervalOver(againstBest, "best 100"),
    heldOut30: duel(hidden, ours, "optuna", 30),
    heldOut100: duel(hidden, ours, "optuna", 100),
    slots4: slotsRatio(played.filter(({ method }) => method === ours)),
    msPerProposal1000: speeds[ours]?.["1000"] ?? NaN,
    optunaMs1000: speeds.optuna?.["1000"] ?? NaN,
    duels: duelsOf(played, ours),
    tasks,
  };
}

/** Ours against each of the others, and the other two named choices against what they are called after. */
function duelsOf(played: readonly Played[], ours: string): Duel[] {
  const rivals = ["random", "local", "tpe", "cma", ...others].map((other) => [ours, other] as const);
  return [...rivals, ["tpe", "optuna"] as const, ["cma", "optuna-cma"] as const].flatMap(([method, other]) =>
    [30, 100].flatMap((trials): Duel[] => {
      const games = winsByTask(played, method, other, trials).flat().length;
      return games === 0 ? [] : [{ method, other, trials, games, wins: duel(played, method, other, trials) }];
    }),
  );
}

const span = ({ value, low, high }: Interval): string => `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;

/** The summary as Markdown. */
export function reportOf(summary: Summary, speeds: Speeds, made: readonly Made[]): string {
  const lines: string[] = [];
  for (const { task, trials, slots, seeds, methods } of summary.tasks) {
    lines.push(`### ${task}, ${trials} trials${slots > 1 ? `, ${slots} slots` : ""}, ${seeds} seeds`, "");
    lines.push("| method | games | median value | mean regret | crashed | ours wins |");
    lines.push("| --- | --- | --- | --- | --- | --- |");
    for (const [method, told] of Object.entries(methods).sort(([, a], [, b]) => a.regret.value - b.regret.value))
      lines.push(
        `| ${method} | ${told.games} | ${told.median} | ${span(told.regret)} | ${(100 * told.crashes).toFixed(1)} % | ${told.winRate ? span(told.winRate) : ""} |`,
      );
    lines.push("");
  }
  lines.push("### Overall", "");
  const overall: readonly [string, Interval][] = [
    ["wins against Optuna's default, 30 trials", summary.winRate30],
    ["wins against Optuna's default, 100 trials", summary.winRate100],
    ["of these, on the tasks held out, 30 trials", summary.heldOut30],
    ["of these, on the tasks held out, 100 trials", summary.heldOut100],
    ["wins against the best competitor of each task, 100 trials", summary.winRateBest100],
    ["measurements with 4 slots over those with 1 for the same value, median", summary.slots4],
  ];
  for (const [what, told] of overall) if (!Number.isNaN(told.value)) lines.push(`- ${what}: ${span(told)}`);
  lines.push("");
  lines.push("| method | against | trials | games | wins, ties as half |", "| --- | --- | --- | --- | --- |");
  for (const { method, other, trials, games, wins: won } of summary.duels)
    lines.push(`| ${method} | ${other} | ${trials} | ${games} | ${span(won)} |`);
  lines.push("");
  const counts = ["30", "100", "300", "1000", "3000"];
  if (Object.keys(speeds).length > 0)
    lines.push(
      `| ms per proposal after so many trials | ${counts.join(" | ")} |`,
      `| --- |${counts.map(() => " --- |").join("")}`,
    );
  for (const [method, byCount] of Object.entries(speeds))
    lines.push(`| ${method} | ${counts.map((count) => byCount[count] ?? "").join(" | ")} |`);
  const last = made.at(-1);
  if (last)
    lines.push(
      "",
      `Played in ${made.reduce((sum, { minutes }) => sum + minutes, 0).toFixed(1)} minutes, ${made.length} parts, on ${last.cores} cores (${[...new Set(made.map(({ cpu }) => cpu))].join("; ")}), Node ${last.node}; ${last.packages.join(", ")}.`,
    );
  return `${lines.join("\n")}\n`;
}
