import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ArmChange, Fact, Outcome, Plugin, TaskChange, Trial, Verdict, View } from "../../../core/index.ts";
import { changeId, isEmpty } from "../../../core/index.ts";
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

/** The finished trials of a level as its facts tell them, with their seconds and the verdicts on them. */
function journaled<C>(facts: readonly Fact[], level: string) {
  const planned = ofType(facts, "turn", level).flatMap((fact) => fact.trials as Trial<C>[]);
  const outcomes = new Map(ofType(facts, "outcome", level).map((fact) => [fact.trial, fact]));
  return ofType(facts, "verdict", level).flatMap(({ trial, verdict }) =>
    planned
      .filter(({ id }) => id === trial)
      .map((one) => ({
        ...one,
        decision: (verdict as Verdict).decision,
        seconds: outcomes.get(trial)?.volatile?.seconds as number,
      })),
  );
}

const secondsOf = (trials: readonly { seconds: number }[]): number =>
  trials.reduce((sum, { seconds }) => sum + seconds, 0);

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
        const searched = journaled<TaskChange>(facts, "inner").filter(
          ({ id, repeatOf }) => id !== 0 && repeatOf === undefined,
        );
        expect(Object.keys(proposers).sort()).toEqual([...new Set(searched.map(({ by: name }) => name))].sort());
        for (const [name, share] of Object.entries(proposers)) {
          const mine = searched.filter((trial) => trial.by === name);
          expect(share.trials).toBe(mine.length);
          expect(share.kept).toBe(mine.filter(({ decision }) => decision === "keep").length);
          expect(share.seconds).toBeCloseTo(secondsOf(mine), 9);
        }
        expect(Object.keys(outer)).toEqual(views.slice(1).map(({ level }) => level));
        for (const [level, told] of Object.entries(outer)) {
          const mine = journaled<ArmChange>(facts, level);
          const last = new Map(
            mine.filter(({ candidate }) => !isEmpty(candidate)).map((one) => [changeId(one.candidate), one.decision]),
          );
          const became = (...decisions: string[]) => [...last.values()].filter((one) => decisions.includes(one)).length;
          expect({ ...told, seconds: 0 }).toEqual({
            trials: mine.length,
            seconds: 0,
            tested: last.size,
            kept: became("keep"),
            dropped: became("revert", "discard"),
            tooEarly: became("undecided", "repeat"),
          });
          expect(told.seconds).toBeCloseTo(secondsOf(mine), 9);
        }
        const told = receiptLines(receiptOf(views))[0]?.match(/\d+(?= (baseline|search|controls?|to))/g) ?? [];
        expect(told.reduce((total, one) => total + Number(one), 0)).toBe(all.trials);
      }),
      { numRuns: 200 },
    );
  }, 300_000);

  it("says of one thing that it is one", () => {
    const [one, none] = [1, 0].map((trials) => ({ trials, seconds: trials, kept: 0, crashed: 0 })) as [Share, Share];
    const by = { baseline: none, search: none, controls: one, repeats: none, confirmation: none };
    const research = { trials: 1, seconds: 60, tested: 1, kept: 0, dropped: 0, tooEarly: 1 };
    expect(receiptLines({ all: one, by, proposers: {}, levels: { research } })).toEqual([
      "1 trial in 1 s: 1 control",
      "research: 1 tested, 0 kept, 0 dropped, 1 too early; 1 trial, 60 s by the clock",
    ]);
  });
});
