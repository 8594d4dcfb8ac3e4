import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { Config, Plugin } from "../../core/index.ts";
import { execute, resolveConfig } from "../../core/index.ts";
import { outerLoop } from "../../plugins/outer-loop/index.ts";
import { author, sound } from "./author.ts";
import { evaluator, level, objective, space } from "./bowl.ts";

/** Three generated mechanisms put in force one after the other, and one on probation. */
export const generatedConfig = (trials: number, extra: Partial<Config> = {}): Config => ({
  objective,
  space,
  evaluator: evaluator(),
  levels: [
    level(),
    outerLoop({ name: "research", every: 4, plugins: [author([sound("step-size-calibration")])] }),
    outerLoop({
      name: "given",
      every: 1,
      probation: false,
      plugins: [author([sound("trust-region"), sound("thompson-step-kinds"), sound("restart-on-stagnation")])],
    }),
  ],
  budget: { trials },
  ...extra,
});

const slow: Plugin = {
  name: "slow",
  contract: 1,
  apply(taps) {
    evaluator().apply?.({
      ...taps,
      evaluate: (tap) =>
        taps.evaluate(async (trial, evaluation) => {
          appendFileSync(join(evaluation.folder, "..", "started"), `${trial.id}\n`);
          await new Promise((resolve) => setTimeout(resolve, 3));
          return tap(trial, evaluation);
        }),
    });
  },
};

/** host-generated.ts FOLDER TRIALS: that run in a process of its own, to be killed. */
const [, program, folder, trials] = process.argv;
if (program?.endsWith("host-generated.ts") && folder)
  await execute(
    resolveConfig(generatedConfig(Number(trials), { evaluator: slow }), join(folder, "bilevel.config.ts")),
    folder,
  );
