import { describe, expect, it } from "vitest";
import type { ArmChange, Config, Evidence, Fact, Level, Plugin, TaskChange, Trial, Turn } from "../../core/index.ts";

import { outerLoop } from "../../plugins/outer-loop/index.ts";
import {
  bestOfTwo,
  inert,
  level,
  placebo,
  proposer,
  selector,
  shaper,
  step,
  truth,
  valuesOf,
  worstOfTwo,
} from "../support/bowl.ts";
import { ofType, run } from "../support/run.ts";

const policy = () => outerLoop({ name: "policy", changes: "policy", every: 5 });
const research = (every: number) => outerLoop({ name: "research", changes: "mechanisms", every });
const catalogue = [bestOfTwo, worstOfTwo, placebo, inert];

const pairsOf = (facts: readonly Fact[]) =>
  ofType(facts, "turn")
    .map((fact) => fact.trials as Trial<TaskChange>[])
    .filter((trials) => trials.length === 2);

describe("levels stack: the paper's groups are one line each", () => {
  const groups: Record<string, Level[]> = {
    A: [level()],
    B: [level(), policy()],
    C: [level(), policy(), research(2)],
    D: [level(), research(10)],
  };
  for (const [name, levels] of Object.entries(groups))
    it(`group ${name}`, async () => {
      const { end, facts } = await run({ levels, plugins: catalogue, budget: { trials: 60 } });
      expect(end.levels.get("inner")?.budget.used).toBe(60);
      for (const { name: of, every } of levels.slice(1)) {
        const view = end.levels.get(of);
        expect(view?.trials.length).toBeGreaterThan(1);
        const segments = ofType(facts, "segment", levels[levels.findIndex((one) => one.name === of) - 1]?.name);
        expect(
          segments.filter((fact) => String(fact.id).startsWith(`${of} `)).every((fact) => fact.trials === every),
        ).toBe(true);
      }
    });

  it("three levels: the top one changes which mechanisms the middle one picks", async () => {
    const onlyPlacebo: Plugin = {
      name: "prefers-placebo",
      contract: 1,
      role: "mechanism",
      kinds: ["arm"],
      apply: (taps) =>
        taps.propose("TURN", (draft, { view }: Turn<ArmChange>) =>
          view.below?.inForce.includes("placebo")
            ? undefined
            : {
                ...draft,
                by: "prefers-placebo",
                candidate: { of: "inner", install: { from: "plugin", name: "placebo" } },
              },
        ),
    };
    const meta = outerLoop({ name: "meta", changes: "mechanisms", of: "research", every: 2, probation: false });
    const levels = [level(), research(6), meta];
    const { end, facts } = await run({ levels, plugins: [bestOfTwo, placebo, onlyPlacebo], budget: { trials: 120 } });
    expect(end.levels.get("research")?.inForce).toEqual(["prefers-placebo"]);
    expect(end.levels.get("inner")?.catalogue).toEqual(["best-of-2", "placebo"]);
    const picked = [...(end.levels.get("research")?.trials ?? [])].map((trial) => trial.by);
    expect(picked).toContain("prefers-placebo");
    const last = ofType(facts, "turn", "research").at(-1)?.trials as Trial[];
    expect(last[0]?.arm).toEqual(["prefers-placebo"]);
  });

  it("three levels with probation: the top level's pairs are two trials of the middle one", async () => {
    const second = shaperOfChanges("takes-the-last");
    const meta = outerLoop({ name: "meta", changes: "mechanisms", of: "research", every: 2 });
    const { facts } = await run({
      levels: [level(), research(4), meta],
      plugins: [...catalogue, second],
      budget: { trials: 150 },
    });
    const tested = ofType(facts, "turn", "research").filter((fact) => fact.tests === "takes-the-last");
    expect(tested.length).toBeGreaterThan(3);
    expect(tested.some((fact) => (fact.trials as Trial[]).length === 2)).toBe(true);
    expect(ofType(facts, "pair", "research").length).toBe(tested.length);
  });
});

/** A mechanism for research: among the catalogue, always the last name not in force. */
const shaperOfChanges = (name: string): Plugin => ({
  name,
  contract: 1,
  role: "mechanism",
  kinds: ["arm"],
  apply: (taps) =>
    taps.propose("SHAPE", (draft, { view }: Turn<ArmChange>) => {
      const free = view.below?.catalogue.filter((one) => !view.below?.inForce.includes(one)).at(-1);
      return free === undefined
        ? undefined
        : { ...draft, candidate: { of: "inner", install: { from: "plugin", name: free } } };
    }),
});

describe("a change on probation", () => {
  it("is tested by pairs from one parent with one seed, in a random order, told in the trials", async () => {
    const { facts } = await run({ levels: [level(), research(10)], plugins: [placebo], budget: { trials: 60 } });
    const pairs = pairsOf(facts);
    expect(pairs.length).toBeGreaterThan(10);
    for (const [first, second] of pairs as [Trial<TaskChange>, Trial<TaskChange>][]) {
      expect(new Set([first.side, second.side])).toEqual(new Set(["with", "without"]));
      expect([first.parent, first.seed, first.tests]).toEqual([second.parent, second.seed, second.tests]);
      expect(valuesOf(first)).not.toEqual(valuesOf(second));
      const withIt = first.side === "with" ? first : second;
      expect(withIt.touches.map(({ tap }) => tap)).toContain("placebo");
    }
    const withFirst = pairs.filter(([first]) => first?.side === "with").length / pairs.length;
    expect(withFirst).toBeGreaterThan(0.2);
    expect(withFirst).toBeLessThan(0.8);
  });

  it("that changes no draft costs no second trial and gives no evidence", async () => {
    const { facts, end } = await run({ levels: [level(), research(10)], plugins: [inert], budget: { trials: 90 } });
    expect(pairsOf(facts)).toEqual([]);
    expect(end.levels.get("inner")?.evidence.get("inert")).toMatchObject({ pairs: 0, decision: "undecided" });
  });

  it("whose draft is a known point or refused loses that turn without a trial", async () => {
    const standing = shaper("standing", (_values, { parent }) => valuesOf(parent));
    const { facts, end } = await run({ levels: [level(), research(10)], plugins: [standing], budget: { trials: 40 } });
    expect(end.levels.get("inner")?.evidence.get("standing")?.decision).toBe("revert");
    expect(pairsOf(facts)).toEqual([]);
    expect(
      ofType(facts, "turn").filter((fact) => (fact.copied as string[] | undefined)?.includes("with")).length,
    ).toBeGreaterThan(3);
  });

  it("is kept or dropped on its evidence, which goes on from segment to segment", async () => {
    const { end, facts } = await run({
      levels: [level(), research(4)],
      plugins: [bestOfTwo, worstOfTwo],
      budget: { trials: 120 },
    });
    expect(end.levels.get("inner")?.inForce).toEqual(["best-of-2"]);
    const evidence = ofType(facts, "pair")
      .filter((fact) => fact.tests === "best-of-2")
      .map((fact) => (fact.evidence as Evidence).pairs);
    const steps = [...new Set(evidence)];
    expect(steps).toEqual(steps.map((_, index) => index + 1));
    const verdicts = ofType(facts, "verdict", "research").map(
      (fact) => (fact.verdict as { decision: string }).decision,
    );
    expect(verdicts).toContain("repeat");
    expect(verdicts).toContain("keep");
    expect(verdicts).toContain("revert");
  });

  it("that was kept and turned harmful is tested once more, before anything new, and goes", async () => {
    const turning = shaper("turning", (values, turn) => {
      const other = step(turn);
      const [better, worse] = truth(other) < truth(values) ? [other, values] : [values, other];
      return turn.view.inForce.includes("turning") ? worse : better; // good as long as it is on probation
    });
    const late = Array.from({ length: 20 }, (_, index) =>
      shaper(`late-${index}`, (values, turn) => {
        const other = step(turn);
        return truth(other) < truth(values) ? values : other;
      }),
    );
    const { end, facts } = await run({
      levels: [level(), research(5)],
      plugins: [turning, ...late],
      budget: { trials: 500 },
    });
    const tested = ofType(facts, "segment").flatMap((fact) => (fact.probation as { id: string }[]).map(({ id }) => id));
    const review = tested.indexOf("without turning");
    expect(review).toBeGreaterThan(0);
    expect(tested.slice(review).some((id) => id.startsWith("late"))).toBe(true);
    expect(end.levels.get("inner")?.evidence.get("turning")?.decision).toBe("keep");
    expect(end.levels.get("inner")?.evidence.get("without turning")).toMatchObject({ decision: "keep", needed: 10 });
    expect(end.levels.get("inner")?.inForce).not.toContain("turning");
  });

  it("once kept shapes every later trial, and is named in it", async () => {
    const { end } = await run({ levels: [level(), research(4)], plugins: [bestOfTwo], budget: { trials: 100 } });
    const trials = [...(end.levels.get("inner")?.trials ?? [])];
    expect(trials.at(-1)?.arm).toContain("best-of-2");
  });

  it("without probation is in force at once and stays (the paper's way)", async () => {
    const levels = [level(), outerLoop({ name: "research", changes: "mechanisms", every: 10, probation: false })];
    const { end, facts } = await run({ levels, plugins: [worstOfTwo], budget: { trials: 40 } });
    expect(end.levels.get("inner")?.inForce).toEqual(["worst-of-2"]);
    expect(pairsOf(facts)).toEqual([]);
    expect((ofType(facts, "turn")[1]?.trials as Trial[])[0]?.arm).toEqual(["worst-of-2"]);
  });

  it("with room for one trial only is judged by a coin", async () => {
    const { facts, end } = await run({ levels: [level(), research(10)], plugins: [placebo], budget: { trials: 11 } });
    expect(end.levels.get("inner")?.budget.used).toBe(11);
    const last = ofType(facts, "turn").at(-1);
    expect(last?.coin).toBeDefined();
    expect((last?.trials as Trial[])[0]?.side).toBe(last?.coin);
  });

  it("leaves mechanisms that only judge or stop in force from the start, since no pair can tell their worth", async () => {
    const judging: Plugin = {
      name: "judging",
      contract: 1,
      role: "mechanism",
      proposes: false,
      apply: (taps) => taps.select(() => undefined),
    };
    const { end } = await run({ levels: [level(), research(10)], plugins: [judging, inert], budget: { trials: 10 } });
    expect(end.levels.get("inner")?.inForce).toEqual(["judging"]);
    expect(end.levels.get("inner")?.catalogue).toEqual(["inert"]);
  });

  it("of policy is kept to its limits: 5 frozen at most, 4 active at least", async () => {
    const freezing: Plugin = {
      name: "freezing",
      contract: 1,
      role: "mechanism",
      kinds: ["arm"],
      apply: (taps) =>
        taps.propose("TURN", (draft) => ({
          ...draft,
          by: "freezing",
          candidate: { of: "inner", policy: { frozen: ["a", "b", "c"] } },
        })),
    };
    const levels = [level(), outerLoop({ name: "policy", changes: "policy", every: 5, plugins: [freezing] })];
    const { facts } = await run({ levels, budget: { trials: 12 } });
    const turns = ofType(facts, "turn", "policy").flatMap((fact) => fact.trials as Trial<ArmChange>[]);
    expect(turns.every((trial) => isEmptyChange(trial.candidate))).toBe(true); // six parameters: three frozen leave too few
  });
});

const isEmptyChange = ({ policy: told, install, remove }: ArmChange): boolean =>
  !told && !install && remove === undefined;

describe("two changes on probation at once", () => {
  it("are each judged as if alone: planted effects are estimated without bias", async () => {
    // each turn's loss is a sum of planted effects and noise, so the truth of each change is known
    const shift = (name: string, by: number): Plugin =>
      shaper(name, (values) => ({ ...values, [by > 0 ? "a" : "b"]: Math.abs(by) }));
    const planted = { helper: 0.3, harm: -0.2 };
    const effects: Record<string, number[]> = { helper: [], harm: [] };
    for (let seed = 0; seed < 24; seed++) {
      const noise: Plugin = {
        name: "planted",
        contract: 1,
        apply: (taps) =>
          taps.evaluate((trial) => {
            const { a, b, c } = valuesOf(trial as Trial<TaskChange>) as Record<string, number>;
            const effect = (a === 0.3 ? planted.helper : 0) + (b === 0.2 ? planted.harm : 0);
            return Promise.resolve({
              status: "measured",
              metric: 10 - effect + 0.5 * ((c ?? 0) - 0.5),
              metrics: {},
              seconds: 0,
            });
          }),
      };
      const fresh: Plugin = {
        ...proposer,
        apply: (taps) =>
          taps.propose("SOURCE", (draft, turn: Turn<TaskChange>) => ({
            ...draft,
            candidate: { values: { ...step(turn), c: Number(turn.random().toPrecision(6)) } },
          })),
      };
      const never: Plugin = {
        ...selector,
        apply: (taps) =>
          taps.select((_v, trial) => ({
            decision: trial.id === 0 ? "keep" : "discard",
            estimate: { value: 10, se: 0, repeats: 1 },
            reason: "",
          })),
      };
      const undecided = (of: string, name: string) => ({
        ...outerLoop({ name: of, changes: "mechanisms" as const, every: of === "one" ? 40 : 1 }),
        judge: outerLoop().judge,
        plugins: [chooses(name)],
      });
      const config: Partial<Config> = {
        evaluator: noise,
        proposer: fresh,
        selector: never,
        levels: [level(), undecided("one", "helper"), undecided("two", "harm")],
        plugins: [shift("helper", planted.helper), shift("harm", planted.harm)],
        budget: { trials: 40 },
        seed: `planted ${seed}`,
      };
      const { facts } = await run(config);
      for (const trials of pairsOf(facts)) {
        const side = (of: string) => trials.find((trial) => trial.side === of)?.outcome;
        const measured = new Map(
          ofType(facts, "outcome").map((fact) => [fact.trial, (fact.outcome as { metric: number }).metric]),
        );
        expect(side("with")).toBeUndefined(); // planned trials carry no outcome; it is read from its own fact
        const value = (of: string) => measured.get(trials.find((trial) => trial.side === of)?.id) ?? NaN;
        effects[trials[0]?.tests ?? ""]?.push(value("without") - value("with"));
      }
    }
    for (const [name, effect] of Object.entries(planted)) {
      const seen = effects[name] ?? [];
      const mean = seen.reduce((sum, one) => sum + one, 0) / seen.length;
      const se = Math.sqrt(seen.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (seen.length - 1) / seen.length);
      expect(seen.length).toBeGreaterThan(60);
      expect(Math.abs(mean - effect)).toBeLessThan(3 * se + 1e-9);
    }
  });
});

/** Makes an outer level propose that mechanism and no other. */
const chooses = (name: string): Plugin => ({
  name: `chooses ${name}`,
  contract: 1,
  kinds: ["arm"],
  apply: (taps) =>
    taps.propose("TURN", (draft) => ({
      ...draft,
      by: "test",
      candidate: { of: "inner", install: { from: "plugin", name } },
    })),
});
