import { describe, expect, it } from "vitest";
import type { ArmChange, Fact, TaskChange, Trial, View } from "../../../core/index.ts";
import { innerLoop } from "../../../plugins/inner-loop/index.ts";
import { situation } from "../../../plugins/author-llm/index.ts";
import { frozenAfter } from "../../../plugins/policy-llm/index.ts";
import { outerLoop } from "../../../plugins/outer-loop/index.ts";
import { sound } from "../../support/author.ts";
import { sensible, type Asked } from "../../support/model-server.ts";
import { ofType } from "../../support/run.ts";
import { withModel, promptOf, values } from "../../support/with-model.ts";

describe("research by the model", () => {
  const levels = (every = 6) => [innerLoop({ confirm: 0 }), outerLoop({ name: "research", every })];
  const admissionsOf = (facts: readonly Fact[]) =>
    facts
      .filter(({ type, kind }) => type === "once" && kind === "admission")
      .map(
        ({ result }) =>
          (result as { admission: { name: string; standing?: string; problems: { message: string }[] } }).admission,
      );

  it("goes through four rounds, each on what the one before chose, and puts the file on probation", async () => {
    const { asked, facts } = await withModel({ config: () => ({ levels: levels(), budget: { trials: 20 } }) });
    expect(
      asked
        .filter(({ purpose }) => !["ready", "proposal"].includes(purpose))
        .slice(0, 4)
        .map(({ purpose }) => purpose),
    ).toEqual(["explore", "critique", "specify", "generate"]);
    expect(promptOf(asked.find(({ purpose }) => purpose === "specify"))).toContain("the trust region"); // the second one, as chosen
    expect(admissionsOf(facts)[0]).toMatchObject({ name: "trust-region", standing: expect.any(String) as string });
    expect(ofType(facts, "turn").some(({ tests }) => String(tests).startsWith("trust-region@"))).toBe(true);
  });

  it("gives a refused file back with the reasons, and takes the mended one", async () => {
    const wrong = sound("trust-region").replace("import { ", 'import fs from "node:fs";\nimport { ');
    const answers = (asked: Asked): object =>
      sensible({ values, code: promptOf(asked).includes("This file was refused") ? sound("trust-region") : wrong })(
        asked,
      );
    const { asked, facts } = await withModel({ answers, config: () => ({ levels: levels(), budget: { trials: 12 } }) });
    const mend = asked.find((one) => one.purpose === "generate" && promptOf(one).includes("This file was refused"));
    expect(promptOf(mend)).toContain('"node:fs" cannot be imported: only bilevel/kit can');
    expect(
      admissionsOf(facts)
        .slice(0, 2)
        .map(({ standing }) => !!standing),
    ).toEqual([false, true]);
  });

  it("that chooses nothing leaves the segment without a change", async () => {
    const answers = (asked: Asked): object =>
      asked.purpose === "critique" ? { judgements: ["no"], chosen: 0 } : sensible({ values })(asked);
    const { facts, asked } = await withModel({ answers, config: () => ({ levels: levels(), budget: { trials: 12 } }) });
    expect(asked.some(({ purpose }) => purpose === "specify")).toBe(false);
    expect(
      ofType(facts, "turn", "research").every((fact) =>
        (fact.trials as Trial<ArmChange>[]).every(({ candidate }) => !candidate.install),
      ),
    ).toBe(true);
  });

  it("of policies stays within the limits: five frozen at most, four free, never a value", async () => {
    const answers = (asked: Asked): object =>
      asked.purpose === "policy"
        ? { diagnosis: "d", strategy: "exploit", freeze: ["a", "b", "c", "d", "e", "f"], focus: ["f"] }
        : sensible({ values })(asked);
    const { facts } = await withModel({
      answers,
      config: () => ({
        levels: [innerLoop({ confirm: 0 }), outerLoop({ name: "policy", changes: "policy", every: 6 })],
        budget: { trials: 12 },
      }),
    });
    const [first] = ofType(facts, "turn", "policy").flatMap((fact) =>
      (fact.trials as Trial<ArmChange>[]).filter(({ by }) => by === "model").map(({ candidate }) => candidate),
    );
    expect(first?.policy).toEqual({ frozen: ["a", "b"], focus: ["f"], strategy: "exploit" });
  });
});

describe("the situation that an outer level sees", () => {
  it("is measured over the whole run: failures, repetition, direction, what never moved, slots", async () => {
    const { end } = await withModel({
      config: () => ({ levels: [innerLoop({ confirm: 0, slots: 2 })], budget: { trials: 12 } }),
    });
    const view = end.levels.get("inner") as View<TaskChange>;
    const text = situation(view);
    expect(text).toMatch(/^Goal: minimize loss; baseline 10\.29, best [\d.]+, noise [\d.e-]+\.$/m);
    expect(text).toMatch(/^12 trials proposed of 12, \d+ kept, \d+ since the last gain\.$/m);
    expect(text).toMatch(
      /^Parameters that were changed most often: a 12 \(100 %\), .*; never changed: b, c, d, e, f\.$/m,
    );
    expect(text).toMatch(/^Moved in one direction nearly every time: a down in \d+ % of 12\.$/m);
    expect(text).toMatch(/^Of the last 12 trials, 11 changed the same parameters as another one/m);
    expect(text).toMatch(/^Trials at a time: 2, of which [\d.]+ were in use on average\.$/m);
    expect(view.slots.busy).toBeGreaterThan(1);
  });
});

describe("what a policy may freeze", () => {
  const names = "abcdefghijklm".split("");
  it("is five more at a time, as long as four stay free; releases come last", () => {
    expect(frozenAfter(names, [], names, [])).toEqual(["a", "b", "c", "d", "e"]);
    expect(frozenAfter(names, ["a", "b", "c", "d", "e"], names, [])).toEqual("abcdefghi".split(""));
    expect(frozenAfter(names, "abcdefghi".split(""), ["j"], ["a"])).toEqual("bcdefghi".split(""));
    expect(frozenAfter(["a", "b", "c"], [], ["a"], [])).toEqual([]);
  });
});
