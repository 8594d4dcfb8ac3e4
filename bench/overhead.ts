import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { evaluateFunction, execute, innerLoop, journalFile, proposeRandom, resolveConfig } from "../index.ts";
import type { Fact, Plugin, Space } from "../index.ts";
import multiScaleBandit from "../plugins/mechanisms/multi-scale-bandit.ts";
import orthogonalDesign from "../plugins/mechanisms/orthogonal-design.ts";
import tabu from "../plugins/mechanisms/tabu.ts";
import { countOf, flagsOf } from "./flags.ts";

/**
 * What a trial costs besides its evaluation: many trials through the whole
 * chain (a proposer, three mechanisms, a function that does nothing, the rule,
 * the journal on disk). Prints one line of JSON with `--json`. The script keeps
 * the young generation small, so that rssMB tells of data and not of garbage.
 *
 *   npm run bench:overhead -- --json [--trials 10000]
 */
const flags = flagsOf({ json: { type: "boolean" }, trials: { type: "string", default: "10000" } });
const trials = countOf("trials", flags.trials);
const folder = mkdtempSync(join(tmpdir(), "bilevel-bench-"));

const names = Array.from({ length: 10 }, (_, index) => `x${index}`);
const space: Space = { parameters: Object.fromEntries(names.map((name) => [name, { type: "float", min: 0, max: 1 }])) };

const times: number[] = [];
const clock: Plugin = {
  name: "clock",
  contract: 1,
  open: (run) => {
    run.on((fact: Fact) => {
      if (fact.type === "verdict") times.push(performance.now());
    });
    return Promise.resolve();
  },
};

const config = {
  objective: { metric: "loss", direction: "minimize" as const, noise: "none" as const },
  space,
  evaluator: evaluateFunction({ function: (values) => values.x0 as number, thread: false }),
  proposer: proposeRandom(),
  levels: [innerLoop({ confirm: 0, plugins: [tabu(), multiScaleBandit(), orthogonalDesign()] })],
  budget: { trials },
};
const started = performance.now();
const end = await execute(resolveConfig(config, join(folder, "bilevel.config.ts")), join(folder, "run"), {
  observers: [clock],
});
const seconds = (performance.now() - started) / 1000;
const stretch = Math.min(1000, Math.floor(trials / 2));
const between = (from: number, to: number): number => ((times[to] ?? NaN) - (times[from] ?? NaN)) / (to - from);
const round = (value: number, digits: number): number => Number(value.toFixed(digits));
const result = {
  trials,
  msPerTrial: round((seconds * 1000) / trials, 3),
  msFirst1000: round(between(0, stretch), 3),
  msLast1000: round(between(times.length - 1 - stretch, times.length - 1), 3),
  rssMB: round(process.memoryUsage().rss / 1e6, 0),
  journalMB: round(statSync(journalFile(join(folder, "run"))).size / 1e6, 1),
};
rmSync(folder, { recursive: true, force: true });
if (flags.json) console.log(JSON.stringify(result));
else {
  console.log(`${trials} trials in ${seconds.toFixed(1)} s`);
  console.table(result);
  console.table(
    Object.fromEntries(
      [...end.costs].map(([tap, { calls, ms }]) => [
        tap,
        { calls, ms: round(ms, 1), usPerCall: round((1000 * ms) / calls, 1) },
      ]),
    ),
  );
}
