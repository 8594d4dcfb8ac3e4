import type { Verdict } from "../../core/index.ts";
import { mean, median, studentT, variance } from "../../kit/index.ts";
import type { Confirmation } from "../../plugins/select-improvement/index.ts";

/** What is compared: three searches from the baseline of train.ts, and the default one from ordinary settings. */
export const searches = ["default", "inner loop", "random", "ordinary"] as const;
export type Search = (typeof searches)[number];

/** One run. */
export interface Row {
  search: Search;
  seed: number;
  seconds: number;
  /** As the search saw them: the baseline's mean, and the best trial's. */
  baseline: number;
  best: number;
  /** Both on seeds that the search never used; missing where the baseline stayed the best. */
  fresh?: Confirmation;
  /** Of the winner. */
  values: object;
  trials: readonly {
    id: number;
    by: string;
    seed: number;
    value: number | null;
    decision?: Verdict["decision"];
    repeatOf?: number;
    tests?: string;
    side?: "with" | "without";
    confirms?: boolean;
  }[];
}

const what: Readonly<Record<Search, string>> = {
  default: "`bilevel.config.ts`: inner loop, policy, research",
  "inner loop": "`levels: [innerLoop({ slots: 2 })], plugins: []`",
  random: "the same with `proposer: proposeRandom()`",
  ordinary: "`ordinary.config.ts`: the default from ordinary settings",
};

/** The gain on fresh seeds; nothing where the baseline stayed the best. */
const gainOf = ({ fresh }: Row): number => fresh?.gain ?? 0;
const valueOf = ({ fresh, baseline }: Row): number => fresh?.winner ?? baseline;

/** `0.3012 (0.2500 to 0.3524)`: the mean and its 95 % interval, by Student's t over the seeds. */
function interval(values: readonly number[]): string {
  const half = studentT(0.975, values.length - 1) * Math.sqrt(variance(values) / values.length);
  const [middle, low, high] = [mean(values), mean(values) - half, mean(values) + half].map((one) => one.toFixed(4));
  return `${middle} (${low} to ${high})`;
}

/** Raw results: a line of JSON for each run. */
export const rowsOf = (text: string): Row[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);

/** The report as Markdown, from the raw results alone. */
export function reportOf(rows: readonly Row[]): string {
  const by = Map.groupBy(rows, ({ search }) => search);
  const present = searches.filter((search) => by.has(search));
  const table = present.map((search) => {
    const runs = by.get(search) ?? [];
    const trainings = [...new Set(runs.map(({ trials }) => trials.length))].sort((a, b) => a - b);
    return [
      what[search],
      runs.length,
      trainings.length > 1 ? `${trainings[0]} to ${trainings.at(-1)}` : trainings[0],
      median(runs.map(({ best }) => best)).toFixed(4),
      interval(runs.map(valueOf)),
      interval(runs.map(gainOf)),
      runs.filter(({ fresh }) => fresh?.confirmed).length,
    ].join(" | ");
  });
  const others = (["inner loop", "random"] as const).filter((search) => by.has(search) && by.has("default"));
  const differences = others.map((search) => {
    const paired = (by.get("default") ?? []).flatMap((mine) => {
      const theirs = by.get(search)?.find(({ seed }) => seed === mine.seed);
      return theirs ? [gainOf(mine) - gainOf(theirs)] : [];
    });
    return `- default over ${search}: ${interval(paired)} bits per byte, over ${paired.length} seeds`;
  });
  return [
    "| search | runs | trainings each | best in the search, median | winner on fresh seeds (95 %) | gain there (95 %) | confirmed |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...table.map((line) => `| ${line} |`),
    "",
    "Difference of the gains, paired by seed (95 %):",
    "",
    ...differences,
    "",
  ].join("\n");
}
