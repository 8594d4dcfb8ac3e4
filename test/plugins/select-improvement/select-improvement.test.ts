import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Config, Outcome, Plugin, TaskChange, Trial, View } from "../../../core/index.ts";
import {
  confirmed,
  failedCheck,
  selectImprovement,
  type SelectImprovementOptions,
} from "../../../plugins/select-improvement/index.ts";
import { studentT, variance } from "../../../kit/index.ts";
import { innerLoop } from "../../../plugins/inner-loop/index.ts";
import { counting } from "../../support/counting.ts";
import { emptyFolder, run } from "../../support/run.ts";

/** Runs X = 0, 1, 2 …, each measured by this function of X and the seed. */
async function search(
  measure: (x: number, seed: number) => number | Outcome,
  config: Partial<Config> = {},
  options: SelectImprovementOptions = {},
  folder = emptyFolder(),
): Promise<View<TaskChange>> {
  const evaluator: Plugin = {
    name: "measure",
    contract: 1,
    apply: (taps) =>
      taps.evaluate((trial) => {
        const told = measure((trial as Trial<TaskChange>).candidate.values?.X as number, trial.seed);
        return Promise.resolve(
          typeof told === "number"
            ? { status: "measured", metric: told, metrics: { loss: told, memory: 5 }, seconds: 1 }
            : told,
        );
      }),
  };
  const space = { parameters: { X: { type: "int" as const, min: 0, max: 1000, default: 0 } } };
  const { end } = await run(
    { evaluator, space, proposer: counting, selector: selectImprovement(options), levels: [innerLoop()], ...config },
    { folder },
  );
  return end.levels.get("inner") as View<TaskChange>;
}

const of = (view: View<TaskChange>, x: number): Trial<TaskChange>[] =>
  [...view.trials].filter((trial) => trial.candidate.values?.X === x && !trial.confirms);
/** What a check of a shell comes to, and the processes that it wrote down. */
async function leaving(script: string): Promise<{ failure?: string; pids: number[] }> {
  const folder = emptyFolder();
  const failure = await failedCheck(["sh", "-c", script], 1, { folder, once: (_, __, run) => run() });
  return { failure, pids: readFileSync(join(folder, "pids"), "utf8").trim().split("\n").map(Number) };
}

/** False also of what has ended and was not yet collected. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return /^[^Z\s]/.test(stdout);
}

/** Noise that is known: even numbers high, odd ones low. */
const wobble = (seed: number, size: number): number => (seed % 2 === 0 ? size : -size);

describe("the rule", () => {
  it("measures the baseline twice more to know the noise, uncharged, and sets a floor", async () => {
    const view = await search((x, seed) => 10 + ([0.1, -0.1, 0.2][seed - 42] ?? 0) + x, { budget: { trials: 60 } });
    expect(of(view, 0).map(({ repeatOf, seed }) => [repeatOf, seed])).toEqual([
      [undefined, 42],
      [0, 43],
      [0, 44],
    ]);
    const sd = Math.sqrt(2 * variance([10.1, 10, 10.15])); // half of what a seed changed may be what it changes for all
    expect(view.noiseFloor).toBeCloseTo(studentT(2 / 3, 1) * sd * Math.sqrt(1 + 1 / 3), 9);
    expect(view.incumbent).toMatchObject({ repeats: 3, se: expect.closeTo(sd / Math.sqrt(3), 9) as number });
    expect(view.baseline).toBeCloseTo(10.083, 2);
  });

  it("measures it once more where trials are few, and at most a tenth of them", async () => {
    expect(of(await search(() => 1, { budget: { trials: 59 } }), 0)).toHaveLength(2);
    expect(of(await search(() => 1, { budget: { trials: 10 } }), 0)).toHaveLength(2);
    expect(of(await search(() => 1, { budget: { trials: 9 } }), 0)).toHaveLength(1);
  });

  it("goes on while one measurement lies apart from the others, and stops once they agree", async () => {
    const measurements = async (values: readonly number[]) =>
      of(await search((x, seed) => (x === 0 ? (values[seed - 42] ?? 10) : 20), { budget: { trials: 60 } }), 0).length;
    expect(await measurements([10, 10.1, 10.2])).toBe(3);
    expect(await measurements([10, 10.1, 12, 12.05])).toBe(4);
    expect(await measurements([10, 10.1, 12, 10.05, 10.02])).toBe(7); // the one stays apart: a tenth of the trials
  });

  it("does not take the noise of a poor baseline for that of what was found", async () => {
    const view = await search(
      (x, seed) => (x === 0 ? 10 + wobble(seed, 2) : 5 - 0.5 * Math.floor(x / 8) + wobble(seed + x, 0.01)),
      {
        budget: { trials: 30 },
      },
    );
    // once a find was measured twice, half a unit is more than what its measurements differ by
    expect(of(view, 8).map(({ verdict }) => verdict?.decision)).toEqual(["repeat", "keep"]);
    for (const x of [16, 25]) expect(of(view, x)[0]?.verdict?.decision).toBe("keep");
  });

  it("keeps what is better on the search's seed, though the best was measured again on an easier one", async () => {
    const easier = (seed: number): number => (seed === 43 ? -3 : 0);
    const view = await search((x, seed) => (x === 0 ? 10 : x < 10 ? 6 : 5) + wobble(seed + x, 0.01) + easier(seed), {
      budget: { trials: 30 },
    });
    expect(of(view, 2).map(({ seed, verdict }) => [seed, verdict?.decision])).toEqual([
      [42, "keep"],
      [43, "keep"],
    ]);
    expect(of(view, 2)[1]?.verdict?.estimate?.value).toBeGreaterThan(5.5); // not 4.5, their mean
    expect(of(view, 10)[0]?.verdict?.decision).toBe("keep");
  });

  it("keeps the baseline to compare with, though a repeat of it fails", async () => {
    const view = await search(
      (x, seed) =>
        x === 0 && seed === 43 ? { status: "crashed", kind: "exit", reason: "exit code 1", seconds: 0 } : 10 - x,
      { budget: { trials: 20 } },
    );
    expect(of(view, 0)[1]?.verdict).toMatchObject({ decision: "keep", reason: "the baseline, although exit code 1" });
    expect(view.baseline).toBe(10);
  });

  it("keeps a gain beyond the noise, and measures it once more when it stands; its value is shrunk", async () => {
    const standing = (trials: number) =>
      search((x, seed) => (x === 3 ? 5 + wobble(seed + 1, 0.1) : x === 0 ? 10 + wobble(seed, 0.1) : 10.1), {
        budget: { trials },
      });
    const early = [...(await standing(12)).trials].find(({ candidate }) => candidate.values?.X === 3)?.id ?? NaN;
    expect(of(await standing(early + 4), 3)).toHaveLength(1);
    const view = await standing(20);
    const [first, again] = of(view, 3);
    expect([first?.verdict?.decision, again?.verdict?.decision]).toEqual(["keep", "keep"]);
    expect(again?.id).toBe((first?.id ?? 0) + 7);
    expect(view.incumbent?.trial.candidate.values?.X).toBe(3);
    expect(view.incumbent).toMatchObject({ repeats: 2 });
    expect(view.incumbent?.value).toBeGreaterThan(5); // the mean is 5: toward the prior, the baseline
    expect(view.incumbent?.value).toBeLessThan(5.05);
  });

  it("measures what is close to the noise again before it believes it, and drops what was luck", async () => {
    const view = await search(
      (x, seed) => (x === 3 ? (seed === 42 ? 10 : 10.2) : x === 0 ? 10 + wobble(seed, 0.1) : 10.1),
      { budget: { trials: 20 } },
    );
    const [first, ...again] = of(view, 3);
    expect(first?.verdict?.decision).toBe("repeat");
    expect(again.at(-1)?.verdict?.decision).toBe("discard");
    expect(view.incumbent?.trial.id).toBe(0);
  });

  it("drops a lucky winner when its repeat shows it, and the one before is best again", async () => {
    const view = await search((x, seed) => (x === 5 ? 8 : x === 8 ? (seed === 42 ? 6 : 13) : 10) + wobble(seed, 0.05), {
      budget: { trials: 30 },
    });
    expect(of(view, 8)[0]?.verdict?.decision).toBe("keep");
    expect(view.incumbent?.trial.candidate.values?.X).toBe(5);
  });

  it("assumes no noise where nothing was measured twice", async () => {
    const view = await search((x, seed) => 10 - x / 100 + wobble(seed, 0.1), { budget: { trials: 9 } });
    expect([...view.trials].every(({ verdict }) => verdict?.decision === "keep")).toBe(true);
    expect(view.incumbent).toMatchObject({ value: expect.closeTo(10.01, 9) as number, se: 0, repeats: 1 });
  });

  it("shrinks a value toward its parent's by what the spread of the gains so far owes to noise", async () => {
    const view = await search((x, seed) => (x === 4 ? 9.5 : 10 + x / 10) + wobble(seed, 0.1), {
      budget: { trials: 14 },
    });
    const [parent, sd] = [10.05, 0.1]; // of 10.1 and 9.9, with half of the difference the seed's
    const gains = [2, 3].map((x) => of(view, x)[0]?.verdict?.gain ?? NaN);
    const own = parent - 9.6;
    const spread = [...gains, own].reduce((sum, gain) => sum + gain ** 2, 0) / 3;
    expect(of(view, 4)[0]?.verdict?.estimate).toEqual({
      value: expect.closeTo(parent - (spread / (spread + sd ** 2)) * own, 9) as number,
      se: expect.closeTo(1 / Math.sqrt(1 / spread + 1 / sd ** 2), 9) as number,
      repeats: 1,
    });
  });

  it("asks once for a best that stands to be measured again, however many trials run beside it", async () => {
    const view = await search((x, seed) => (x === 3 ? 5 : 10) + wobble(seed, 0.1), {
      levels: [innerLoop({ slots: 4 })],
      budget: { trials: 30 },
    });
    expect(of(view, 3)).toHaveLength(2);
  });

  it("takes the one before for the best again where the repeat of a best fails", async () => {
    const crash: Outcome = { status: "crashed", kind: "oom", reason: "out of memory", seconds: 0 };
    const view = await search((x, seed) => (x === 3 ? (seed === 42 ? 5 : crash) : 10 + wobble(seed, 0.1)), {
      budget: { trials: 20 },
    });
    expect(of(view, 3).map(({ verdict }) => verdict?.decision)).toEqual(["keep", "discard"]);
    expect(view.incumbent?.trial.id).toBe(0);
  });

  it("repeats nothing where the task is free of noise, and keeps what is better at all", async () => {
    const view = await search((x) => 10 - x / 1e6, {
      objective: { metric: "loss", direction: "minimize", noise: "none" },
      budget: { trials: 15 },
    });
    expect([...view.trials].filter(({ repeatOf }) => repeatOf !== undefined)).toEqual([]);
    expect([...view.trials].every(({ verdict }) => verdict?.decision === "keep")).toBe(true);
    expect(view.noiseFloor).toBe(0);
  });

  it("spends at most a tenth of the budget on measuring again, and never more than the budget", async () => {
    const view = await search((x, seed) => (x > 0 && seed === 42 ? 9.93 : 10) + wobble(seed, x === 0 ? 0.1 : 0), {
      budget: { trials: 40 },
    });
    const again = [...view.trials].filter(
      ({ repeatOf, confirms }) => repeatOf !== undefined && repeatOf !== 0 && !confirms,
    );
    expect(again.length).toBeLessThanOrEqual(5);
    expect(again.length).toBeGreaterThan(2);
    expect(view.budget).toEqual({ trials: 40, used: 40 });
  });

  it("maximizes where the objective says so", async () => {
    const view = await search((x, seed) => (x === 5 ? 20 : 10 + (x === 0 ? wobble(seed, 0.1) : 0)), {
      objective: { metric: "loss", direction: "maximize" },
      budget: { trials: 20 },
    });
    expect(view.incumbent?.trial.candidate.values?.X).toBe(5);
    expect(of(view, 5)[0]?.verdict?.gain).toBeCloseTo(10, 0);
  });

  it("tells the gain over the trial's own parent, and nothing of what was not measured", async () => {
    const view = await search(
      (x) => (x === 2 ? { status: "crashed", kind: "oom", reason: "out of memory", seconds: 0 } : 10 + x),
      { budget: { trials: 5 } },
    );
    expect(of(view, 2)[0]?.verdict).toEqual({ decision: "discard", reason: "out of memory" });
    expect(of(view, 3)[0]?.verdict).toMatchObject({ decision: "discard", gain: -3, reason: "not better" });
  });
});

describe("limits and the check", () => {
  const limited = (limits: Record<string, { min?: number; max?: number }>, metrics = {}) =>
    search((x) => ({ status: "measured", metric: 10 - x, metrics: x > 0 ? metrics : { memory: 5 }, seconds: 1 }), {
      objective: { metric: "loss", direction: "minimize", noise: "none", limits },
      budget: { trials: 2 },
    });

  it("a breach of a limit, or a metric that is missing, is a discard with its reason", async () => {
    const reason = async (limit: { min?: number; max?: number }, metrics = {}) =>
      of(await limited({ memory: limit }, metrics), 1)[0]?.verdict?.reason;
    expect(await reason({ max: 4 }, { memory: 5 })).toBe("memory is 5, above its limit of 4");
    expect(await reason({ min: 6 }, { memory: 5 })).toBe("memory is 5, below its limit of 6");
    expect(await reason({ min: 6 })).toBe("memory was not measured, and it has a limit");
    for (const kept of [{ max: 5 }, { min: 5 }, { min: 5, max: 5 }, { min: -1 }])
      expect(await reason(kept, { memory: 5 })).toBe("better");
  });

  it("a limit on what the baseline does not measure ends the run at once, and it goes on without that limit", async () => {
    const folder = emptyFolder();
    const go = (limits?: Record<string, { max: number }>) =>
      search(
        (x) => 10 - x,
        { objective: { metric: "loss", direction: "minimize", noise: "none", limits }, budget: { trials: 2 } },
        {},
        folder,
      );
    await expect(go({ memry: { max: 4 } })).rejects.toMatchObject({
      code: "E_BASELINE_FAILED",
      details: {
        path: "objective.limits.memry",
        received: "loss, memory",
        hint: expect.stringMatching(/^did you mean memory\? .* without this limit, bilevel resume goes on$/) as string,
      },
    });
    const view = await go();
    expect([...view.trials].map(({ id, verdict }) => [id, verdict?.decision])).toEqual([
      [0, "keep"],
      [1, "keep"],
      [2, "keep"],
    ]);
  });

  it("a limit that nothing could keep is refused before the first trial", async () => {
    await expect(limited({ memory: { min: 6, max: 5 } })).rejects.toMatchObject({
      code: "E_CONFIG_INVALID",
      details: { path: "objective.limits.memory.max", received: "5", allowed: "min, 6, or more" },
    });
  });

  it("the baseline is what everything is compared with, whatever the limits; its line says so", async () => {
    const view = await search((x) => 10 - x, {
      objective: { metric: "loss", direction: "minimize", noise: "none", limits: { memory: { max: 4 } } },
      budget: { trials: 2 },
    });
    expect(view.incumbent?.trial.id).toBe(0);
    expect(of(view, 0)[0]?.verdict?.reason).toBe("the baseline, although memory is 5, above its limit of 4");
  });

  it("the check runs as well before what was measured again is kept", async () => {
    const near = (x: number, seed: number) =>
      x === 3 ? (seed === 42 ? 10 : 9.9) : x === 0 ? 10 + wobble(seed, 0.1) : 10.1;
    const checked = (check: string[]) =>
      search(near, { objective: { metric: "loss", direction: "minimize", check }, budget: { trials: 20 } });
    const decisions = (view: View<TaskChange>) => of(view, 3).map(({ verdict }) => verdict?.decision);
    expect(decisions(await checked(["true"]))).toEqual(["repeat", "keep"]);
    expect(decisions(await checked(["false"]))).toEqual(["repeat", "discard"]);
  });

  it("the check runs before a keep, once; what fails it is dropped with its last line", async () => {
    const checked = (check: string[]) =>
      search((x) => 10 - x, {
        objective: { metric: "loss", direction: "minimize", noise: "none", check },
        budget: { trials: 1 },
      });
    expect(of(await checked(["sh", "-c", "echo wrong answer; exit 3"]), 1)[0]?.verdict).toMatchObject({
      decision: "discard",
      reason: "the check failed (exit code 3): wrong answer",
    });
    expect(of(await checked(["true"]), 1)[0]?.verdict?.decision).toBe("keep");
    expect(of(await checked(["./no-such-check"]), 1)[0]?.verdict?.reason).toContain("the check could not be run");
  });

  it("the check has the environment of the run; of all that it says, on either stream, the last line is told", async () => {
    const folder = emptyFolder();
    const script = 'echo first; echo "$HOME $PATH" >&2; exit 4';
    const failure = await failedCheck(["sh", "-c", script], 1, { folder, once: (_, __, run) => run() });
    expect(failure).toBe(`the check failed (exit code 4): ${process.env.HOME ?? ""} ${process.env.PATH ?? ""}`.trim());
    const silent = await failedCheck(["sh", "-c", "kill -9 $$"], 1, { folder, once: (_, __, run) => run() });
    expect(silent).toBe("the check failed (ended by SIGKILL)");
  });

  it("a check that is not on PATH is refused before the first trial", async () => {
    const objective = { metric: "loss", direction: "minimize", check: ["no-such-check"] } as const;
    await expect(search((x) => 10 - x, { objective })).rejects.toMatchObject({
      code: "E_TASK_INVALID",
      details: { path: "objective.check[0]", received: "no-such-check", allowed: "a program on PATH" },
    });
  });

  it("the check is over when its program ends, and takes along what that left behind", async () => {
    const { failure, pids } = await leaving("sleep 300 & echo $! >> pids; echo still here; exit 3");
    expect(failure).toBe("the check failed (exit code 3): still here");
    expect(pids.filter(isAlive)).toEqual([]);
  });

  it.runIf(existsSync("/usr/bin/setsid"))("also where something left its group and holds the output", async () => {
    const { failure, pids } = await leaving("setsid sleep 300 & echo $! >> pids; exit 0");
    expect(failure).toBeUndefined();
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

describe("the final comparison", () => {
  it("measures winner and baseline in turns on seeds that the search never used, inside the budget", async () => {
    const view = await search((x, seed) => (x === 5 ? 5 : 10) + wobble(seed, 0.1), { budget: { trials: 30 } });
    const final = [...view.trials].filter(({ confirms }) => confirms);
    const winner = view.incumbent?.trial.id;
    expect(final.map(({ repeatOf, seed }) => [repeatOf, seed])).toEqual([
      [winner, 1042],
      [0, 1042],
      [0, 1043],
      [winner, 1043],
      [winner, 1044],
      [0, 1044],
    ]);
    expect(view.budget).toEqual({ trials: 30, used: 30 });
    expect(confirmed(view)).toMatchObject({ n: 3, confirmed: true, gain: expect.closeTo(5, 6) as number });
  });

  it("does not confirm what only the search's seed liked", async () => {
    const view = await search((x, seed) => (x === 5 && seed < 1000 ? 5 : 10) + wobble(seed * 3 + x, 0.1), {
      budget: { trials: 30 },
    });
    expect(confirmed(view)).toMatchObject({ n: 3, confirmed: false });
  });

  it("does not confirm a winner that fails on a fresh seed", async () => {
    const crash: Outcome = { status: "crashed", kind: "oom", reason: "out of memory", seconds: 0 };
    const view = await search((x, seed) => (x === 5 ? (seed === 1043 ? crash : 5) : 10), { budget: { trials: 30 } });
    expect(confirmed(view)).toBeUndefined(); // no noise was seen, so nothing is left to confirm
    const noisy = await search((x, seed) => (x === 5 ? (seed === 1043 ? crash : 5) : 10 + wobble(seed, 0.1)), {
      budget: { trials: 30 },
    });
    expect(confirmed(noisy)).toMatchObject({ n: 2, confirmed: false, gain: expect.closeTo(5, 0) as number });
  });

  describe("by what was measured in it", () => {
    const final = (repeatOf: number, seed: number, metric?: number) =>
      ({
        repeatOf,
        confirms: true,
        seed,
        outcome:
          metric === undefined
            ? { status: "crashed", kind: "oom", reason: "out of memory", seconds: 1 }
            : { status: "measured", metric, metrics: {}, seconds: 1 },
      }) as unknown as Trial;
    const view = (trials: readonly Trial[], direction = "minimize") =>
      ({
        trials,
        noiseFloor: 0.5,
        incumbent: { trial: { id: 7 } },
        objective: { metric: "loss", direction },
      }) as unknown as View;

    it("on one seed asks for a gain above the noise floor", () => {
      const on = (winner: number) => confirmed(view([final(0, 1042, 10), final(7, 1042, winner)]));
      expect(on(9.4)).toMatchObject({ n: 1, confirmed: true });
      expect(on(9.6)).toMatchObject({ n: 1, confirmed: false });
    });

    it("on more asks for a gain whose interval lies above zero, by Student's t; pairs are those of one seed", () => {
      const pairs = (gains: readonly number[]) =>
        gains.flatMap((gain, index) => [final(0, index, 10 + index), final(7, index, 10 + index - gain)]);
      const clear = confirmed(view(pairs([0.3, 0.2, 0.4])));
      expect(clear).toEqual({
        baseline: expect.closeTo(11, 9) as number,
        winner: expect.closeTo(10.7, 9) as number,
        gain: expect.closeTo(0.3, 9) as number,
        se: expect.closeTo(0.1 / Math.sqrt(3), 9) as number,
        n: 3,
        confirmed: true,
      });
      expect(confirmed(view(pairs([0.3, 0.1, 0.5])))?.confirmed).toBe(false); // 0.3 ± 2.92 * 0.115
      expect(confirmed(view(pairs([0.3, 0.12, 0.48])))?.confirmed).toBe(false);
      expect(confirmed(view(pairs([0.3, 0.13, 0.47])))?.confirmed).toBe(true);
      expect(confirmed(view(pairs([-0.3, -0.2, -0.4]), "maximize"))).toMatchObject({ confirmed: true });
      const alone = [...pairs([0.3, 0.2]), final(0, 2, 50), final(7, 3, 1), final(9, 4, 1)];
      expect(confirmed(view(alone))).toMatchObject({ n: 2, gain: expect.closeTo(0.25, 9) as number });
      expect(confirmed(view([final(0, 2, 50), final(7, 3, 1)]))).toBeUndefined();
    });

    it("does not confirm where a run of the winner failed, whatever came after; one of the baseline may", () => {
      const good = [0, 1, 2].flatMap((seed) => [final(0, seed, 10), final(7, seed, 9)]);
      expect(confirmed(view([final(7, 3), ...good, final(0, 3)]))).toMatchObject({ n: 3, confirmed: false });
      expect(confirmed(view([final(0, 3), ...good, final(7, 3, 9)]))).toMatchObject({ n: 3, confirmed: true });
    });
  });

  it("is left out where nothing was better or nothing is noisy", async () => {
    expect(confirmed(await search((x) => 10 + x, { budget: { trials: 30 } }))).toBeUndefined();
    expect(
      confirmed(
        await search((x) => 10 - x, {
          objective: { metric: "loss", direction: "minimize", noise: "none" },
          budget: { trials: 30 },
        }),
      ),
    ).toBeUndefined();
  });
});
