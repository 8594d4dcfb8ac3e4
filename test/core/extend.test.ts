import fc from "fast-check";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { replay } from "../../cli/replay.ts";
import type { Config, Space, TaskChange, Trial, Values } from "../../core/index.ts";
import { execute, journalFile, readJournal, resolveConfig } from "../../core/index.ts";
import { normal, streamOf, valuesKey } from "../../kit/index.ts";
import { evaluateFunction } from "../../plugins/evaluate-function/index.ts";
import { innerLoop } from "../../plugins/inner-loop/index.ts";
import { outerLoop } from "../../plugins/outer-loop/index.ts";
import multiScaleBandit from "../../plugins/mechanisms/multi-scale-bandit.ts";
import orthogonalDesign from "../../plugins/mechanisms/orthogonal-design.ts";
import tabu from "../../plugins/mechanisms/tabu.ts";
import { emptyFolder } from "../support/run.ts";

interface Step {
  trials: number;
  slots: number;
  max: number;
  limit?: number;
}

const spaceTo = (max: number): Space => ({
  parameters: {
    a: { type: "float", min: 0, max, default: 0.9 },
    b: { type: "float", min: 0, max: 1, default: 0.9 },
    c: { type: "choice", values: max > 1 ? ["x", "y", "z"] : ["x", "y"], default: "x" },
  },
});

/** The best lies beyond the first range of `a`. */
const measure = (values: Values, { seed }: { seed: number }): number =>
  ((values.a as number) - 1.5) ** 2 +
  ((values.b as number) - 0.3) ** 2 +
  (values.c === "z" ? 0 : 0.1) +
  0.01 * normal(streamOf("extend", seed, valuesKey(values)));

const configOf = ({ trials, slots, max, limit = 9 }: Step, seed: string): Config => ({
  objective: { metric: "loss", direction: "minimize", limits: { loss: { max: limit } } },
  space: spaceTo(max),
  evaluator: evaluateFunction({ function: measure, thread: false }),
  levels: [
    innerLoop({ slots }),
    outerLoop({ name: "policy", changes: "policy", every: 3 }),
    outerLoop({ name: "research", changes: "mechanisms", every: 2 }),
  ],
  plugins: [tabu(), multiScaleBandit(), orthogonalDesign()],
  budget: { trials },
  seed,
});

async function runThrough(steps: readonly Step[], seed: string) {
  const folder = emptyFolder();
  const resolved = (step: Step) => resolveConfig(configOf(step, seed), join(folder, "bilevel.config.ts"));
  for (const step of steps) await execute(resolved(step), join(folder, "run"));
  const { facts } = readJournal(journalFile(join(folder, "run")));
  return { folder: join(folder, "run"), facts, last: resolved(steps.at(-1) as Step).config };
}

describe("a run that goes on with more slots, wider ranges and limits", () => {
  it("uses them, and tells of each change with its time", async () => {
    const { facts } = await runThrough(
      [
        { trials: 30, slots: 1, max: 1 },
        { trials: 70, slots: 3, max: 2 },
      ],
      "wider",
    );
    const session = facts.find(({ type }) => type === "session");
    expect(session?.changed).toEqual([
      { path: "space.parameters.a.max", before: 1, after: 2 },
      { path: "space.parameters.c.values", before: ["x", "y"], after: ["x", "y", "z"] },
      { path: "levels[0].options.slots", before: 1, after: 3 },
    ]);
    expect(session?.volatile?.at).toEqual(expect.any(Number));
    const isBeyond = ({ candidate }: Trial<TaskChange>) =>
      (candidate.values?.a as number) > 1 || candidate.values?.c === "z";
    const trialsIn = (from: number, to: number) =>
      facts
        .slice(from, to)
        .flatMap(({ type, level, trials }) =>
          type === "turn" && level === "inner" ? (trials as Trial<TaskChange>[]) : [],
        );
    expect(trialsIn(0, session?.n ?? 0).some(isBeyond)).toBe(false);
    expect(trialsIn(session?.n ?? 0, facts.length).some(isBeyond)).toBe(true);
  });

  it("is replayed exactly, whatever was changed between whatever stops", async () => {
    const step = fc.record({
      trials: fc.integer({ min: 4, max: 14 }),
      slots: fc.integer({ min: 1, max: 3 }),
      wider: fc.nat(3),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 2, maxLength: 4 }),
        fc.string({ minLength: 1 }),
        async (drawn, seed) => {
          let [trials, max, limit] = [0, 1, 1];
          const steps = drawn.map(({ trials: more, slots, wider }): Step => {
            trials += more;
            max += wider / 2;
            limit += wider;
            return { trials, slots, max, limit };
          });
          const { folder, last } = await runThrough(steps, seed);
          expect(await replay(folder, last)).toBeGreaterThan(0);
        },
      ),
      { numRuns: 12 },
    );
  }, 240_000);

  it("names what it cannot go on with, and changes nothing", async () => {
    const { folder } = await runThrough([{ trials: 5, slots: 1, max: 2 }], "narrower");
    const before = readJournal(journalFile(folder)).facts.length;
    const narrower = resolveConfig(configOf({ trials: 9, slots: 1, max: 1.5 }, "narrower"), "bilevel.config.ts");
    await expect(execute(narrower, folder)).rejects.toMatchObject({
      code: "E_CONFIG_CHANGED",
      message: "this run cannot go on with it: earlier trials may lie outside",
      details: {
        path: "bilevel.config.ts › space.parameters.a.max",
        received: "1.5 (number)",
        allowed: "2 (number), as it was",
        hint: expect.stringContaining("write it back, or start another run") as string,
      },
    });
    expect(readJournal(journalFile(folder)).facts).toHaveLength(before);
  });
});
