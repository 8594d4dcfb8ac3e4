import fc from "fast-check";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { replay } from "../../../cli/replay.ts";
import type { Config, Edit, Space, TaskChange, Trial, Values, View } from "../../../core/index.ts";
import { execute, resolveConfig } from "../../../core/index.ts";
import { normal, streamOf, valuesKey } from "../../../kit/index.ts";
import { evaluateFunction } from "../../../plugins/evaluate-function/index.ts";
import { evaluateProcess } from "../../../plugins/evaluate-process/index.ts";
import { changesOfWinner, simplifiedLines, simplifyLoop, type Change } from "../../../plugins/simplify/index.ts";
import { emptyFolder } from "../../support/run.ts";

const unit = { type: "float" as const, min: 0, max: 1, default: 0 };
const objective = { metric: "loss", direction: "minimize" as const };

interface Simplified {
  left: TaskChange;
  lines: string[];
  trials: readonly Trial<TaskChange>[];
  reason: string;
}

/** Takes back, from a winner, everything that differs from 0, in alphabetical order. */
async function simplify(
  loss: (values: Record<string, number>) => number,
  {
    winner,
    noise = 0,
    seed = 1,
    seeds = noise > 0 ? 3 : 1,
    space,
    ...config
  }: {
    winner: Values;
    noise?: number;
    seed?: number;
    seeds?: number;
    space?: Space;
  } & Omit<Partial<Config>, "seed" | "space">,
): Promise<Simplified> {
  const changes: Change[] = Object.keys(winner)
    .sort()
    .map((parameter) => ({ parameter, from: 0, to: winner[parameter] }));
  const measure = (values: Values, { seed: of }: { seed: number }): number => {
    const error = noise === 0 ? 0 : noise * normal(streamOf("noise", seed, of, valuesKey(values)));
    return loss(values as Record<string, number>) + error;
  };
  const options = { winner: { values: winner }, changes, seeds, firstSeed: 100 };
  return outcomeOf(
    {
      objective: noise === 0 ? { ...objective, noise: "none" } : objective,
      space: space ?? { parameters: Object.fromEntries(Object.keys(winner).map((name) => [name, unit])) },
      evaluator: evaluateFunction({ function: measure, thread: false }),
      levels: [simplifyLoop(options)],
      budget: { trials: seeds * changes.length },
      ...config,
    },
    changes,
  );
}

async function outcomeOf(config: Config, changes: readonly Change[], home = emptyFolder()): Promise<Simplified> {
  const run = join(home, "run");
  const resolved = resolveConfig(config, join(home, "bilevel.config.ts"));
  const end = await execute(resolved, run);
  const view = end.levels.get("simplify") as View<TaskChange>;
  expect(await replay(run, resolved.config)).toBeGreaterThan(0);
  return {
    left: view.incumbent?.trial.candidate ?? {},
    lines: simplifiedLines(view, changes),
    trials: [...view.trials],
    reason: end.reason,
  };
}

const moved = ({ values = {} }: TaskChange): string =>
  Object.keys(values)
    .filter((name) => values[name] !== 0)
    .join("");

describe("taking a winner's changes back", () => {
  it("without noise keeps exactly those whose absence costs, whatever their number and order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom<number[]>(-0.2, 0, 0.1, 0.5), { minLength: 1, maxLength: 6 }),
        async (worths) => {
          const winner = Object.fromEntries(worths.map((_, index) => ["abcdef"[index] as string, 1]));
          const loss = (values: Record<string, number>) =>
            1 - worths.reduce((sum, worth, index) => sum + worth * (values["abcdef"[index] as string] ?? 0), 0);
          const { left } = await simplify(loss, { winner });
          expect(moved(left)).toBe(
            "abcdef"
              .split("")
              .filter((_, index) => (worths[index] ?? 0) > 0)
              .join(""),
          );
        },
      ),
      { numRuns: 25 },
    );
  });

  it("with noise never drops what is worth five times the noise, and drops what is worth nothing in most runs", async () => {
    let [idle, dropped] = [0, 0];
    for (let seed = 1; seed <= 40; seed++) {
      const { left } = await simplify(
        ({ a, b, c, d }) => 2 - (a ?? 0) * 0.5 - (c ?? 0) * 0.5 + 0 * ((b ?? 0) + (d ?? 0)),
        {
          winner: { a: 1, b: 1, c: 1, d: 1 },
          noise: 0.1,
          seed,
        },
      );
      expect(moved(left)).toContain("a");
      expect(moved(left)).toContain("c");
      idle += 2;
      dropped += ["b", "d"].filter((name) => !moved(left).includes(name)).length;
    }
    expect(dropped / idle).toBeGreaterThan(0.7); // each is looked at three times, at a level of 5 % each
  });

  it("of two that do the same drops one and then needs the other", async () => {
    const { left, lines } = await simplify(({ a, b }) => 1 - 0.5 * Math.max(a ?? 0, b ?? 0), {
      winner: { a: 1, b: 1 },
    });
    expect(moved(left)).toBe("b");
    expect(lines).toEqual([
      "b 0 → 1: worth 0.5000",
      "a 0 → 1: no effect, dropped",
      "1 of 2 changes are left; loss as with all of them",
    ]);
  });

  it("keeps both of two that help only together", async () => {
    const { left, lines } = await simplify(({ a, b }) => 1 - 0.5 * (a ?? 0) * (b ?? 0), { winner: { a: 1, b: 1 } });
    expect(moved(left)).toBe("ab");
    expect(lines.at(-1)).toBe("2 of 2 changes are left: nothing was taken back");
  });

  it("does not let losses that are each within the noise add up to one beyond it", async () => {
    const winner = Object.fromEntries("abcdefghij".split("").map((name) => [name, 1]));
    let worst = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const { left } = await simplify((values) => 2 - 0.08 * Object.values(values).reduce((sum, one) => sum + one, 0), {
        winner,
        noise: 0.1,
        seed,
      });
      worst = Math.max(worst, 10 - moved(left).length);
    }
    expect(worst).toBeLessThan(6); // 0.4 in all; the interval against the winner is some ± 0.15 by then
  });

  it("takes along what means nothing without it", async () => {
    const space: Space = {
      parameters: {
        mode: { type: "choice", values: [0, 1], default: 0 },
        rate: { ...unit, default: 0.5, when: { mode: [1] } },
      },
    };
    const winner = { mode: 1, rate: 0.25 };
    const changes: Change[] = [
      { parameter: "mode", from: 0, to: 1 },
      { parameter: "rate", to: 0.25 },
    ];
    const { left, lines } = await outcomeOf(
      {
        objective: { ...objective, noise: "none" },
        space,
        evaluator: evaluateFunction({ function: () => 1, thread: false }),
        levels: [simplifyLoop({ winner: { values: winner }, changes, seeds: 1, firstSeed: 1 })],
        budget: { trials: 2 },
      },
      changes,
    );
    expect(left.values).toEqual({ mode: 0 });
    expect(lines[0]).toBe("rate none → 0.25: went with another, dropped");
  });

  it("keeps a change whose absence crashes or breaks a limit", async () => {
    const { lines } = await simplify(
      ({ a, b }) => {
        if (a === 0) throw new Error("it diverged");
        return b === 0 ? 3 : 1;
      },
      { winner: { a: 1, b: 1 }, objective: { ...objective, noise: "none", limits: { loss: { max: 2 } } } },
    );
    expect(lines).toEqual(
      expect.arrayContaining(["a 0 → 1: needed: without it, it diverged", expect.stringMatching(/^b 0 → 1: worth 2/)]),
    );
  });

  it("ends in good order where nothing more can be taken back", async () => {
    const { reason } = await simplify(({ a }) => 1 - (a ?? 0), { winner: { a: 1 }, budget: { trials: 50 } });
    expect(reason).toBe("nothing more can be taken back");
  });
});

describe("taking edits back", () => {
  it("leaves one in as long as another needs it, and drops both where neither is worth anything", async () => {
    const home = emptyFolder();
    mkdirSync(join(home, "task"));
    writeFileSync(
      join(home, "task", "train.js"),
      "const scale = 4;\nconst idle = 1;\nconsole.log(`loss: ${scale}`);\n",
    );
    const edit = (find: string, replace: string): Edit => ({ file: "train.js", find, replace });
    const edits = [edit("idle = 1", "idle = 2"), edit("idle = 2", "idle = 3"), edit("scale = 4", "scale = 2")];
    const changes: Change[] = edits.map((one) => ({ edit: one }));
    const { left, lines, trials } = await outcomeOf(
      {
        task: { folder: "task", command: ["node", "train.js"], editable: ["*.js"], seed: "none" },
        objective,
        evaluator: evaluateProcess({ graceSeconds: 0.2 }),
        levels: [simplifyLoop({ winner: { values: {}, edits }, changes, seeds: 1, firstSeed: 1 })],
        budget: { trials: 3 },
      },
      changes,
      home,
    );
    expect(trials.slice(1).map(({ hypothesis }) => hypothesis)).toEqual([
      'without train.js: "idle = 2" → "idle = 3"', // the first cannot go before it
      'without train.js: "idle = 1" → "idle = 2"',
      'without train.js: "scale = 4" → "scale = 2"',
    ]);
    expect(left.edits).toEqual([edits[2]]);
    expect(lines[0]).toBe('train.js: "scale = 4" → "scale = 2": worth 2.0000');
  });
});

describe("the order by the record", () => {
  it("begins with what gained least on the way to the winner, and leaves out what did not change in the end", () => {
    const trial = (id: number, parent: number, values: Values, gain = 0) =>
      ({ id, parent, candidate: { values }, verdict: { gain } }) as unknown as Trial<TaskChange>;
    const trials = [
      trial(0, 0, { a: 0, b: 0, c: 0, d: 0 }),
      trial(1, 0, { a: 1, b: 0, c: 0, d: 1 }, 0.4),
      trial(2, 1, { a: 1, b: 1, c: 0, d: 1 }, 0.1),
      trial(3, 2, { a: 1, b: 1, c: 1, d: 0 }, 0.6),
    ];
    const view = {
      trial: (id: number) => trials[id],
      incumbent: { trial: trials[3] },
      space: { parameters: { a: unit, b: unit, c: unit, d: unit } },
    } as unknown as View<TaskChange>;
    expect(changesOfWinner(view).map((change) => "parameter" in change && change.parameter)).toEqual(["b", "a", "c"]);
  });
});
