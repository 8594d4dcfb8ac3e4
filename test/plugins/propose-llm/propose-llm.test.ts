import { describe, expect, it } from "vitest";
import { resolveConfig, type Evidence, type Plugin, type TaskChange, type Trial } from "../../../core/index.ts";
import { innerLoop } from "../../../plugins/inner-loop/index.ts";
import { llm } from "../../../plugins/llm/index.ts";
import { outerLoop } from "../../../plugins/outer-loop/index.ts";
import { proposeHybrid, shareOf } from "../../../plugins/propose-hybrid/index.ts";
import { mended, proposeLlm } from "../../../plugins/propose-llm/index.ts";
import { inert, space } from "../../support/bowl.ts";
import { send, sensible, type Asked } from "../../support/model-server.ts";
import { ofType } from "../../support/run.ts";
import { withModel, proposals, promptOf, values } from "../../support/with-model.ts";

describe("a proposal by the model", () => {
  it("sees the goal, the values, the bounds, and what was tried with its results", async () => {
    const { asked } = await withModel({});
    const prompt = promptOf(proposals(asked).at(-1));
    expect(prompt).toContain("Goal: minimize loss");
    expect(prompt).toMatch(/- a = 0\.\d+; a number from 0 to 1; changed \d+ times, kept \d+, mean gain/);
    expect(prompt).toMatch(/- trial 3 \(from \d\): a [\d.]+ → [\d.]+ → [\d.]+, gain/);
    expect(prompt).toContain("never changed");
  });

  it("is asked for again once when it breaks a bound or repeats a trial, and told what it hit", async () => {
    const wrong = (asked: Asked): object => ({
      values: promptOf(asked).includes("Refused in this turn")
        ? values(asked)
        : asked.number % 2 === 0
          ? { a: 7 }
          : { a: 1 },
      hypothesis: "x",
    });
    const { asked, end } = await withModel({
      answers: (one) => (one.purpose === "proposal" ? wrong(one) : sensible({ values })(one)),
      config: () => ({ budget: { trials: 3 } }),
    });
    const again = proposals(asked).filter((one) => promptOf(one).includes("Refused in this turn"));
    expect(again.length).toBeGreaterThan(0);
    expect(promptOf(again[0])).toMatch(/a is 7: 0 to 1 is allowed|this is trial 0 again/);
    expect([...(end.levels.get("inner")?.trials ?? [])].filter(({ by }) => by === "propose-llm").length).toBe(3);
  });

  it("is mended where its meaning is plain", () => {
    const mixed = {
      parameters: {
        lr: { type: "float", min: 0, max: 1 },
        n: { type: "int", min: 1, max: 9 },
        on: { type: "bool" },
        act: { type: "choice", values: ["relu", "gelu"] },
        betas: {
          type: "tuple",
          items: [
            { type: "float", min: 0, max: 1 },
            { type: "float", min: 0, max: 1 },
          ],
        },
      },
    } as const;
    expect(mended(mixed, { lr: "1e-3", n: 5.0, on: "true", act: "GELU ", betas: "(0.9, 0.95)" })).toEqual({
      lr: 0.001,
      n: 5,
      on: true,
      act: "gelu",
      betas: [0.9, 0.95],
    });
    expect(mended(mixed, { lr: "NaN", n: "five", on: "maybe", act: "tanh", other: 1 })).toEqual({
      lr: "NaN",
      n: "five",
      on: "maybe",
      act: "tanh",
      other: 1,
    });
  });

  it("is one call for both sides of a pair where the change on test is inert", async () => {
    const { asked, facts } = await withModel({
      config: () => ({
        levels: [innerLoop({ confirm: 0 }), outerLoop({ name: "research", every: 4 })],
        plugins: [inert],
        budget: { trials: 6 },
      }),
      answers: (one) =>
        one.purpose === "explore"
          ? { bottleneck: "none", hypotheses: [{ title: "t", idea: "i", why: "w", risk: "r" }] }
          : one.purpose === "critique"
            ? { judgements: [], chosen: 0 }
            : sensible({ values })(one),
    });
    const tested = ofType(facts, "turn").filter(({ tests }) => tests === "inert");
    expect(tested.length).toBeGreaterThan(3);
    expect(tested.every((fact) => (fact.trials as Trial[]).length === 1)).toBe(true);
    expect(proposals(asked)).toHaveLength(6);
  });

  it("takes a share of the turns in the hybrid: three of ten at first, one of fifty while it does not win, more while it does", () => {
    const none = { tried: 0, gained: 0 };
    expect(shareOf({ model: none, search: none })).toBe(0.3);
    expect(shareOf({ model: { tried: 30, gained: 0 }, search: { tried: 30, gained: 15 } })).toBe(0.02);
    expect(shareOf({ model: { tried: 30, gained: 20 }, search: { tried: 30, gained: 10 } })).toBe(0.6);
  });

  it("and the search's share a run by default once a model is there", async () => {
    const { end } = await withModel({ config: () => ({ proposer: proposeHybrid(), budget: { trials: 40 } }) });
    const by = [...(end.levels.get("inner")?.trials ?? [])].map((trial) => trial.by);
    expect(by.filter((one) => one === "propose-llm").length).toBeGreaterThan(1);
    expect(by.filter((one) => one === "propose-search").length).toBeGreaterThan(10);
    const resolved = resolveConfig(
      {
        objective: { metric: "loss", direction: "minimize" },
        space,
        evaluator: inert,
        levels: [innerLoop()],
        llm: llm({ model: "x" }),
        budget: { trials: 1 },
      },
      "c.ts",
    );
    expect(resolved.config.proposer?.name).toBe("propose-hybrid");
  });

  it("can be asked for as several different ones: the first that may run is taken", async () => {
    const { asked, end } = await withModel({
      config: () => ({ proposer: proposeLlm({ atOnce: 3 }), budget: { trials: 2 } }),
      answers: ({ purpose, number }) =>
        purpose === "ready"
          ? { ready: true }
          : { changes: [{ a: 7 }, { b: number / 10 }, { c: 0.5 }].map((values) => ({ values, hypothesis: "x" })) },
    });
    expect(promptOf(proposals(asked)[0])).toContain("Propose up to 3 changes that differ from each other");
    expect(proposals(asked)).toHaveLength(2);
    const changes = [...(end.levels.get("inner")?.trials ?? [])].map(({ candidate }) => candidate as TaskChange);
    expect(changes.map(({ values }) => values?.b)).toEqual([1, 0.1, 0.2]);
  });

  it("is told of frozen parameters, in the prompt and where it moves one", async () => {
    const { asked, facts } = await withModel({
      config: () => ({
        levels: [
          innerLoop({ confirm: 0 }),
          outerLoop({ name: "policy", changes: "policy", every: 5, probation: false }),
        ],
        budget: { trials: 8 },
      }),
      answers: ({ purpose, number }) =>
        purpose === "policy"
          ? { diagnosis: "d", strategy: "exploit", freeze: ["f"] }
          : purpose === "ready"
            ? { ready: true }
            : { values: { f: number / 100 }, hypothesis: "x" },
    });
    expect(proposals(asked).map(promptOf).join("\n")).toContain("; frozen, do not change it");
    const refusals = facts.filter(({ kind }) => kind === "refusal").map(({ result }) => result);
    expect(refusals).toContainEqual({ reason: "f is frozen" });
  });

  it("is shown the search's own draft in the hybrid, and counts as the search's where it takes it over", async () => {
    let drafts = 0;
    const { asked, end } = await withModel({
      config: () => ({ proposer: proposeHybrid(), budget: { trials: 12 } }),
      answers: (one) => {
        if (one.purpose === "ready") return { ready: true };
        drafts++;
        const [, line = ""] = /The search itself would try next .*:\n- (.*)/.exec(promptOf(one)) ?? [];
        const moves = [...line.matchAll(/(\w) [\d.]+ → ([\d.e-]+)/g)].map(([, name, to]) => [name, Number(to)]);
        return { values: Object.fromEntries(moves) as object, hypothesis: "as the search says" };
      },
    });
    expect(drafts).toBeGreaterThan(1);
    expect(asked.length).toBe(drafts + 1);
    const by = [...(end.levels.get("inner")?.trials ?? [])].map((trial) => trial.by);
    expect(new Set(by)).toEqual(new Set(["baseline", "propose-search"]));
  });

  it("that fails on one side of a pair makes no evidence: the side that was made runs alone", async () => {
    const speaking: Plugin = {
      name: "speaking",
      contract: 1,
      role: "mechanism",
      apply: (taps) => taps.propose("BRIEF", (draft) => ({ ...draft, brief: [{ from: "speaking", text: "a word" }] })),
    };
    const { facts } = await withModel({
      config: () => ({
        levels: [innerLoop({ confirm: 0 }), outerLoop({ name: "research", every: 6 })],
        plugins: [speaking],
        budget: { trials: 6 },
      }),
      react: (asked) =>
        promptOf(asked).includes("a word") ? (response) => send(response, 503, "", { "retry-after": "0" }) : undefined,
    });
    const tested = ofType(facts, "turn").filter(({ tests }) => tests === "speaking");
    expect(tested.length).toBe(6);
    expect(tested.flatMap(({ trials }) => (trials as Trial[]).map(({ by }) => by))).toEqual(
      Array.from({ length: 6 }, () => "propose-llm"),
    );
    const pairs = ofType(facts, "pair").map(({ evidence }) => (evidence as Evidence).pairs);
    expect(pairs.slice(0, 5)).toEqual([0, 0, 0, 0, 0]); // the last trial has no second one beside it: a coin
  });
});
