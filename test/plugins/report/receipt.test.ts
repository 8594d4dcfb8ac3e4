import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Outcome, Plugin, TaskChange, Trial, View } from "../../../core/index.ts";
import { streamOf } from "../../../kit/index.ts";
import { innerLoop } from "../../../plugins/inner-loop/index.ts";
import { outerLoop } from "../../../plugins/outer-loop/index.ts";
import { receiptLines, receiptOf, type Share } from "../../../plugins/report/index.ts";
import { selectImprovement } from "../../../plugins/select-improvement/index.ts";
import { bestOfTwo, inert, placebo, truth, valuesOf } from "../../support/bowl.ts";
import { ofType, run } from "../../support/run.ts";

/** A noisy bowl in which some trials crash. */
const evaluator = (seed: number, noise: number, crashes: number): Plugin => ({
  name: "noisy-bowl",
  contract: 1,
  apply: (taps) =>
    taps.evaluate((trial: Trial<TaskChange>): Promise<Outcome> => {
      const random = streamOf("receipt", seed, trial.id);
      const where = { seconds: random() };
      if (trial.id !== 0 && random() < crashes)
        return Promise.resolve({ ...where, status: "crashed", kind: "oom", reason: "out of memory" });
      const metric = truth(valuesOf(trial)) + noise * (random() - 0.5);
      return Promise.resolve({ ...where, status: "measured", metric, metrics: { loss: metric } });
    }),
});

const settings = fc.record({
  seed: fc.nat(1000),
  noise: fc.constantFrom(0, 0.5),
  crashes: fc.constantFrom(0, 0.3),
  slots: fc.constantFrom(1, 3),
  trials: fc.integer({ min: 1, max: 40 }),
  levels: fc.constantFrom<("policy" | "mechanisms")[]>([], ["mechanisms"], ["policy", "mechanisms"]),
});

describe("the receipt of a run", () => {
  it("adds up to the journal: every finished trial once in its kind, and those of the search once with who proposed them", async () => {
    await fc.assert(
      fc.asyncProperty(settings, async ({ seed, noise, crashes, slots, trials, levels }) => {
        const { end, facts } = await run({
          seed: String(seed),
          evaluator: evaluator(seed, noise, crashes),
          objective: { metric: "loss", direction: "minimize", ...(noise === 0 ? { noise: "none" as const } : {}) },
          selector: selectImprovement(),
          levels: [innerLoop({ slots }), ...levels.map((changes) => outerLoop({ changes, every: 4 }))],
          plugins: [bestOfTwo, placebo, inert],
          budget: { trials },
        });
        const views = [...end.levels.values()] as [View<TaskChange>, ...View[]];
        const { all, by, proposers, levels: outer } = receiptOf(views);
        const sum = (shares: Readonly<Record<string, Share>>, key: keyof Share) =>
          Object.values(shares).reduce((total, share) => total + share[key], 0);
        const finished = ofType(facts, "verdict").map(({ trial }) => trial);
        expect(new Set(finished).size).toBe(finished.length);
        expect(all.trials).toBe(finished.length);
        for (const key of ["trials", "kept", "crashed"] as const) expect(sum(by, key)).toBe(all[key]);
        expect(sum(by, "seconds")).toBeCloseTo(all.seconds, 9);
        expect(sum(proposers, "trials")).toBe(by.search.trials + by.controls.trials);
        expect(sum(proposers, "kept")).toBe(all.kept);
        expect(all.trials - by.baseline.trials).toBe(views[0].budget.used);
        const pairs = ofType(facts, "turn").filter((fact) => (fact.trials as Trial[]).length === 2);
        expect(by.controls.trials).toBe(pairs.length);
        for (const { tested, kept, dropped, tooEarly } of Object.values(outer))
          expect(kept + dropped + tooEarly).toBe(tested);
        const told = receiptLines(receiptOf(views))[0]?.match(/\d+(?= (baseline|search|controls?|to))/g) ?? [];
        expect(told.reduce((total, one) => total + Number(one), 0)).toBe(all.trials);
      }),
      { numRuns: 200 },
    );
  }, 300_000);

  it("says of one thing that it is one", () => {
    const [one, none] = [1, 0].map((trials) => ({ trials, seconds: trials, kept: 0, crashed: 0 })) as [Share, Share];
    const by = { baseline: none, search: none, controls: one, repeats: none, confirmation: none };
    expect(receiptLines({ all: one, by, proposers: {}, levels: {} })).toEqual(["1 trial in 1 s: 1 control"]);
  });
});
