import type { Pair, Trial, View } from "../core/index.ts";
import { normal, quantile, streamOf } from "../kit/index.ts";
import { judge } from "../plugins/outer-loop/evidence.ts";
import { countOf, flagsOf } from "./flags.ts";

/**
 * What a verdict takes: pairs whose difference has a given mean, in standard
 * deviations of one difference, put to the rule until it decides. Prints the
 * table of docs/how-mechanisms-are-judged.md: bench:power [--runs N].
 */
const flags = flagsOf({ runs: { type: "string", default: "2000" } });
const runs = countOf("runs", flags.runs);
const target = { objective: { metric: "loss", direction: "minimize" }, trial: () => undefined } as unknown as View;
const measured = (metric: number) =>
  ({ candidate: {}, outcome: { status: "measured", metric, metrics: {}, seconds: 0 } }) as unknown as Trial;
const mostPairs = 40;

function verdicts(effect: number, place: number): { kept: number; dropped: number; trials: number[] } {
  const found = { kept: 0, dropped: 0, trials: [] as number[] };
  for (let run = 0; run < runs; run++) {
    const random = streamOf("power", effect, run);
    const pairs: Pair[] = [];
    for (let n = 1; n <= mostPairs; n++) {
      pairs.push({ turn: n, parent: 0, copied: [], without: measured(effect + normal(random)), with: measured(0) });
      const { decision } = judge({ pairs, turns: n, place }, target);
      if (decision === "keep") found.trials.push(2 * n);
      if (decision === "keep") found.kept++;
      if (decision === "revert") found.dropped++;
      if (decision) break;
    }
  }
  return found;
}

console.log("effect  kept 1st  2nd  5th   dropped  trials to a keep: median, nine of ten");
for (const effect of [-1, -0.5, 0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3]) {
  const [first, second, fifth] = [1, 2, 5].map((place) => verdicts(effect, place)) as [
    ReturnType<typeof verdicts>,
    ReturnType<typeof verdicts>,
    ReturnType<typeof verdicts>,
  ];
  const percent = ({ kept }: { kept: number }) => `${((100 * kept) / runs).toFixed(0)} %`;
  const trials =
    first.trials.length > runs / 20
      ? `${quantile(first.trials, 0.5)}, ${Math.round(quantile(first.trials, 0.9))}`
      : "-";
  console.log(
    `${String(effect).padEnd(7)} ${percent(first).padEnd(9)} ${percent(second).padEnd(5)} ${percent(fifth).padEnd(6)} ${((100 * first.dropped) / runs).toFixed(0)} %`.padEnd(
      44,
    ),
    trials,
  );
}
