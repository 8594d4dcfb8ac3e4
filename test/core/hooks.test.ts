import { describe, expect, it } from "vitest";
import type { Plugin, TaskChange, Touch, Trial } from "../../core/index.ts";
import { level, objective, proposer, shaper, space } from "../support/bowl.ts";
import { ofType, run } from "../support/run.ts";
import { Arms } from "../../core/arm.ts";

const touchesOf = (facts: Parameters<typeof ofType>[0]): Touch[] =>
  ofType(facts, "turn").flatMap((fact) => (fact.trials as Trial[]).flatMap(({ touches }) => touches));

const withPlugins = (...plugins: Plugin[]) => ({ levels: [level({ plugins })], budget: { trials: 4 } });

describe("a tap", () => {
  it("stands in its stage whatever the order of the plugins", async () => {
    const order: string[] = [];
    const stages = ["GUARD", "SHAPE", "SOURCE", "TURN", "BRIEF"] as const;
    const noting: Plugin = {
      name: "noting",
      contract: 1,
      apply: (taps) => stages.forEach((stage) => taps.propose(stage, () => void order.push(stage))),
    };
    await run({ ...withPlugins(noting), budget: { trials: 1 } });
    expect(order).toEqual(["BRIEF", "TURN", "SOURCE", "SHAPE", "GUARD"]);
  });

  it("is told by name in the trial that it changed, and nowhere when it changed nothing", async () => {
    const halving = shaper("halving", (values) => ({ ...values, a: 0.5 }));
    const idle = shaper("idle", (values) => ({ ...values }));
    const { facts } = await run(withPlugins(halving, idle));
    const touches = touchesOf(facts);
    expect(touches).toContainEqual({ tap: "steps", hook: "propose", did: "proposed" });
    expect(touches).toContainEqual({
      tap: "halving",
      hook: "propose",
      did: "changed",
      instead: { values: { a: expect.any(Number) as number } },
    });
    expect(touches.some(({ tap }) => tap === "idle")).toBe(false);
  });

  it("that speaks is told with its text, and its text reaches the proposer", async () => {
    const heard: unknown[] = [];
    const speaking: Plugin = {
      name: "speaking",
      contract: 1,
      apply(taps) {
        taps.propose("BRIEF", (draft) => ({ ...draft, brief: [...draft.brief, { from: "speaking", text: "try b" }] }));
        taps.propose("SOURCE", (draft) => void heard.push(draft.brief));
      },
    };
    const { facts } = await run(withPlugins(speaking));
    expect(heard[0]).toEqual([{ from: "speaking", text: "try b" }]);
    expect(touchesOf(facts)).toContainEqual({ tap: "speaking", hook: "propose", did: "spoke", detail: "try b" });
  });

  it("that refuses sends the draft back, with its reason before the next attempt; after three the loop falls back", async () => {
    const reasons: string[][] = [];
    const refusing: Plugin = {
      name: "refusing",
      contract: 1,
      apply(taps) {
        taps.propose("SOURCE", (_draft, { refused }) => void reasons.push(refused.map(({ reason }) => reason)));
        taps.propose("GUARD", (draft) => ({ ...draft, refused: "not today" }));
      },
    };
    const { facts } = await run({ ...withPlugins(refusing), budget: { trials: 1 } });
    expect(reasons).toEqual([[], ["not today"], ["not today", "not today"]]);
    const [turn] = ofType(facts, "turn").slice(1);
    const hypothesis = "proposals were refused: not today";
    expect((turn?.trials as Trial[])[0]).toMatchObject({ by: "fallback", hypothesis });
  });

  it("may not answer null", async () => {
    const wrong: Plugin = { name: "wrong", contract: 1, apply: (taps) => taps.propose("SHAPE", () => null as never) };
    await expect(run(withPlugins(wrong))).rejects.toMatchObject({
      code: "E_PLUGIN_FAILED",
      message:
        "plugin wrong failed in propose: answered null (null) where a draft, { ...draft, candidate: { values } }, or undefined is allowed",
    });
  });

  it("of a generated plugin that fails is skipped and counted; three strikes take the plugin out", async () => {
    let calls = 0;
    const generated: Plugin = {
      name: "generated",
      contract: 1,
      role: "mechanism",
      origin: "generated",
      apply: (taps) =>
        taps.propose("SHAPE", () => {
          calls++;
          throw new Error("index out of range");
        }),
    };
    const { facts, end } = await run({ levels: [level({ plugins: [generated] })], budget: { trials: 10 } });
    expect(end.levels.get("inner")?.budget.used).toBe(10);
    expect(ofType(facts, "strike").map(({ plugin, reason }) => [plugin, reason])).toEqual(
      Array(3).fill(["generated", "index out of range"]),
    );
    expect(calls).toBe(3);
    expect(touchesOf(facts)).toContainEqual({
      tap: "generated",
      hook: "propose",
      did: "failed",
      detail: "index out of range",
    });
  });

  it("cannot change a finished trial, a draft or the view's past", async () => {
    const meddling: Plugin = {
      name: "meddling",
      contract: 1,
      apply: (taps) =>
        taps.propose("SHAPE", (_draft, { view }) => {
          (view.trials.at(0)?.candidate as TaskChange & { values: Record<string, number> }).values.a = 0;
          return undefined;
        }),
    };
    await expect(run(withPlugins(meddling))).rejects.toMatchObject({ code: "E_PLUGIN_FAILED" });
  });

  it("draws from a stream of its own, so that another plugin's draws change nothing", async () => {
    const greedy: Plugin = {
      name: "greedy",
      contract: 1,
      apply: (taps) => taps.propose("BRIEF", (_draft, { random }) => void random()),
    };
    const candidates = async (plugins: Plugin[]) =>
      ofType((await run(withPlugins(...plugins))).facts, "turn").map((fact) => (fact.trials as Trial[])[0]?.candidate);
    expect(await candidates([greedy])).toEqual(await candidates([]));
  });

  it("is timed: calls and milliseconds of every plugin and hook", async () => {
    const { end } = await run(withPlugins());
    expect(end.costs.get("inner steps propose")?.calls).toBe(4);
    expect(end.costs.get("inner steps propose")?.ms).toBeGreaterThan(0);
    expect(end.costs.get("inner bowl evaluate")?.calls).toBe(5);
  });

  it("on progress stops a trial, but none of a pair, a repeat or the baseline", async () => {
    const stopping: Plugin = { name: "stopping", contract: 1, apply: (taps) => taps.progress(() => "stop") };
    const reporting: Plugin = {
      name: "reporting",
      contract: 1,
      apply: (taps) =>
        taps.evaluate(async (_trial, evaluation) =>
          (await evaluation.report({ step: 1, value: 3 })) === "stop"
            ? { status: "pruned", reason: "stopped", seconds: 0 }
            : { status: "measured", metric: 1, metrics: {}, seconds: 0 },
        ),
    };
    const { end } = await run({
      evaluator: reporting,
      levels: [level({ plugins: [stopping] })],
      budget: { trials: 3 },
    });
    const statuses = [...(end.levels.get("inner")?.trials ?? [])].map(({ outcome }) => outcome?.status);
    expect(statuses).toEqual(["measured", "pruned", "pruned", "pruned"]);
  });
});

describe("a plugin's state", () => {
  it("is folded once per finished trial, in the order of the verdicts, each with the view of its moment", async () => {
    const folded: [number, number][] = [];
    const counting: Plugin = {
      name: "counting",
      contract: 1,
      apply(taps) {
        const count = taps.state(
          () => 0,
          (state, trial, view) => {
            folded.push([trial.id, view.trials.length]);
            return state + 1;
          },
        );
        taps.propose("SHAPE", () => (count.value < 0 ? { brief: [] } : undefined));
      },
    };
    await run(withPlugins(counting));
    expect(folded).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
  });

  it("belongs to the level and the plugin: every arm reads the same", () => {
    const seen: number[] = [];
    const plugin: Plugin = {
      ...proposer,
      apply(taps) {
        seen.push(
          taps.state(
            () => Math.random(),
            (state) => state,
          ).value,
        );
      },
    };
    const watch = { level: "inner", cost: () => ({ calls: 0, ms: 0, waiting: 0 }), strike: () => undefined };
    const parts = { level: "inner", seed: "x", base: [plugin], catalogue: new Map(), space, objective, watch };
    const arms = new Arms(parts, { length: 0, entry: () => ({}) as never });
    const change = { of: "inner", policy: { strategy: "explore" } };
    const plain = arms.arm([], new Map(), new Set());
    const changed = arms.arm(["strategy=explore"], new Map([["strategy=explore", change]]), new Set());
    expect(changed.policy.strategy).toBe("explore");
    expect(seen[0]).toBe(seen[1]);
    expect(arms.arm([], new Map(), new Set())).toBe(plain);
  });
});
