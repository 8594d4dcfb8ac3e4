import { expect, it } from "vitest";
import type { Plugin } from "../../core/index.ts";
import { innerLoop } from "../../plugins/inner-loop/index.ts";
import { selectImprovement } from "../../plugins/select-improvement/index.ts";
import { ofType, run } from "../support/run.ts";

it("a noisy baseline is measured as many at a time as trials will run, three times in all, uncharged", async () => {
  for (const [slots, together] of [
    [1, 1],
    [2, 2],
    [4, 3],
  ] as const) {
    let [running, most] = [0, 0];
    const slow: Plugin = {
      name: "slow",
      contract: 1,
      apply: (taps) =>
        taps.evaluate(async (trial) => {
          if (trial.id < 3) most = Math.max(most, ++running);
          await new Promise((resolve) => setTimeout(resolve, trial.id === 0 ? 20 : 5)); // the first ends last
          if (trial.id < 3) running--;
          return { status: "measured", metric: 5 + (trial.seed % 3), metrics: {}, seconds: 0 };
        }),
    };
    const { end, facts } = await run({
      evaluator: slow,
      levels: [innerLoop({ slots, confirm: 0 })],
      selector: selectImprovement(),
      budget: { trials: 60 },
    });
    expect(most).toBe(together);
    const baselines = [...(end.levels.get("inner")?.trials ?? [])].filter(
      ({ id, repeatOf }) => id === 0 || repeatOf === 0,
    );
    expect(baselines.map(({ seed }) => seed).sort()).toEqual([42, 43, 44]);
    expect(end.levels.get("inner")?.budget).toEqual({ trials: 60, used: 60 });
    expect(
      ofType(facts, "turn")
        .slice(0, 3)
        .every((fact) => fact.segment === undefined),
    ).toBe(true);
  }
});
