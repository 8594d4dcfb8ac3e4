import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin, TaskChange, Trial } from "../../core/index.ts";
import { execute, resolveConfig } from "../../core/index.ts";
import { integer, streamOf } from "../../kit/index.ts";
import { outerLoop } from "../../plugins/outer-loop/index.ts";
import { bestOfTwo, level, objective, placebo, space, truth, valuesOf } from "./bowl.ts";

/** A run in a process of its own, to be killed: host.ts FOLDER SLOTS TRIALS. Notes every start of a trial in `started`. */
const [, , folder = ".", slots = "1", trials = "40"] = process.argv;

const slow: Plugin = {
  name: "slow",
  contract: 1,
  apply: (taps) =>
    taps.evaluate(async (trial, evaluation) => {
      appendFileSync(join(folder, "started"), `${trial.id}\n`);
      await evaluation.handle({ pid: process.pid });
      await new Promise((resolve) => setTimeout(resolve, integer(streamOf("pause", trial.id), 4)));
      await evaluation.report({ step: 1, value: 1 });
      const metric = truth(valuesOf(trial as Trial<TaskChange>));
      return { status: "measured", metric, metrics: {}, seconds: 0 };
    }),
};

await execute(
  resolveConfig(
    {
      objective,
      space,
      evaluator: slow,
      levels: [
        level({ slots: Number(slots) }),
        outerLoop({ name: "policy", changes: "policy", every: 5 }),
        outerLoop({ name: "research", changes: "mechanisms", every: 2 }),
      ],
      plugins: [bestOfTwo, placebo],
      budget: { trials: Number(trials) },
    },
    join(folder, "bilevel.config.ts"),
  ),
  folder,
);
