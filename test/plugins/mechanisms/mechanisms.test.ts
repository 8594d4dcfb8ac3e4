import { describe, expect, it } from "vitest";
import type { Outcome, Parameter, Plugin, Space, TaskChange, Trial } from "../../../core/index.ts";
import { changed, distance, encode, mean, mechanism, valuesKey, type Value, type Values } from "../../../kit/index.ts";
import { innerLoop } from "../../../plugins/inner-loop/index.ts";
import { outerLoop } from "../../../plugins/outer-loop/index.ts";
import { proposeLocal } from "../../../plugins/propose-local/index.ts";
import { proposeRandom } from "../../../plugins/propose-random/index.ts";
import multiScaleBandit from "../../../plugins/mechanisms/multi-scale-bandit.ts";
import orthogonalDesign from "../../../plugins/mechanisms/orthogonal-design.ts";
import tabu from "../../../plugins/mechanisms/tabu.ts";
import { ofType, run } from "../../support/run.ts";

/** Every kind of parameter, one of them conditional. */
const space: Space = {
  parameters: {
    rate: { type: "float", min: 1e-4, max: 1, scale: "log", default: 0.01 },
    share: { type: "float", min: 0, max: 1, default: 0.5 },
    depth: { type: "int", min: 1, max: 12, default: 4 },
    batch: { type: "int", min: 16, max: 1024, scale: "pow2", default: 64 },
    flag: { type: "bool", default: false },
    kind: { type: "choice", values: ["a", "b", "c"], default: "a" },
    level: { type: "choice", values: [1, 2, 4], ordered: true, default: 2 },
    betas: {
      type: "tuple",
      items: [
        { type: "float", min: 0, max: 1 },
        { type: "float", min: 0.9, max: 0.999 },
      ],
      default: [0.5, 0.95],
    },
    extra: { type: "float", min: 0, max: 1, default: 0.1, when: { flag: [true] } },
  },
};

const smooth: Plugin = {
  name: "smooth",
  contract: 1,
  apply: (taps) =>
    taps.evaluate((trial): Promise<Outcome> => {
      const { rate, share, depth } = (trial as Trial<TaskChange>).candidate.values as Record<string, number>;
      const loss = (Math.log10(rate ?? 0) + 1) ** 2 + ((share ?? 0) - 0.2) ** 2 + ((depth ?? 0) - 9) ** 2 / 20;
      return Promise.resolve({ status: "measured", metric: loss, metrics: {}, seconds: 0 });
    }),
};

const search = async (plugins: Plugin[], extra: object = {}, trials = 60) => {
  const config = {
    space,
    evaluator: smooth,
    objective: { metric: "loss", direction: "minimize" as const, noise: "none" as const },
    levels: [innerLoop({ plugins })],
    budget: { trials },
    ...extra,
  };
  const { end, facts } = await run({ selector: undefined, proposer: undefined, ...config });
  const view = end.levels.get("inner");
  return { view, trials: [...(view?.trials ?? [])] as Trial<TaskChange>[], facts };
};

const touched = (trials: readonly Trial[], tap: string, did: string): number =>
  trials.filter((trial) => trial.touches.some((touch) => touch.tap === tap && touch.did === did)).length;

const valuesIn = (trials: readonly Trial<TaskChange>[], wanted: number): Values =>
  trials.find(({ id }) => id === wanted)?.candidate.values ?? {};

describe("shipped mechanisms act on any space", () => {
  it("tabu refuses what is close to a recent trial, and frees it when its tenure is over", async () => {
    const { trials } = await search([tabu({ tenure: 5, radius: 0.1 })], { proposer: proposeLocal({ step: 0.02 }) });
    expect(touched(trials, "tabu", "refused")).toBeGreaterThan(5);
    for (const [index, trial] of trials.entries()) {
      if (index === 0 || trial.by === "fallback") continue;
      const values = trial.candidate.values as Values;
      const parent = trials.find(({ id }) => id === trial.parent)?.candidate.values as Values;
      const recent = trials
        .slice(Math.max(0, index - 5), index)
        .map(({ candidate }) => candidate.values as Values)
        .filter((one) => valuesKey(one) !== valuesKey(parent));
      for (const other of recent) expect(distance(space, other, values)).toBeGreaterThanOrEqual(0.1);
    }
  });

  it("the bandit over step lengths brings steps to one of its lengths, in their own direction", async () => {
    const { rate, share } = space.parameters as Record<string, Parameter>;
    const floats = { rate, share } as Space["parameters"];
    const { trials } = await search([multiScaleBandit()], { space: { parameters: floats } });
    expect(touched(trials, "multi-scale-bandit", "changed")).toBeGreaterThan(10);
    for (const trial of trials) {
      const touch = trial.touches.find(({ tap, did }) => tap === "multi-scale-bandit" && did === "changed");
      if (!touch || trial.touches.filter(({ did }) => did === "proposed").length > 1) continue; // refused, and drawn again
      const [to, from] = [trial.candidate.values ?? {}, valuesIn(trials, trial.parent)];
      const proposed = { ...to, ...(touch.instead as TaskChange).values };
      const unitOf = (values: Values, name: string) =>
        encode(floats[name] as Parameter, values[name] as Value)[0] ?? NaN;
      const moves = changed(from, proposed).map((name) => {
        const [start, end] = [unitOf(from, name), unitOf(to, name)];
        expect(Math.sign(end - start)).toBe(Math.sign(unitOf(proposed, name) - start));
        return { length: Math.abs(end - start), isAtEnd: end === 0 || end === 1 };
      });
      const length = mean(moves.map((move) => move.length));
      const off = Math.min(...[0.02, 0.06, 0.18, 0.5].map((one) => Math.abs(length - one)));
      if (!moves.some(({ isAtEnd }) => isAtEnd)) expect(off).toBeLessThan(1e-4);
    }
  });

  it("the orthogonal design runs its rows around the best, then the levels that did better", async () => {
    const { trials } = await search([orthogonalDesign()], {}, 80);
    const rows = trials.filter(({ by }) => by === "orthogonal-design");
    expect(rows.length).toBeGreaterThan(8); // five numbers: an array of eight rows, and the prediction
    const losses = rows.map(({ outcome }) => (outcome?.status === "measured" ? outcome.metric : Infinity));
    expect(Math.min(...losses.slice(8))).toBeLessThanOrEqual(Math.min(...losses.slice(0, 8)));
  });

  it("leave alone what a policy on trial freezes", async () => {
    const frozen = ["rate", "share"];
    const freezing: Plugin = {
      name: "freezing",
      contract: 1,
      kinds: ["arm"],
      apply: (taps) =>
        taps.propose("TURN", (draft) => ({ ...draft, by: "freezing", candidate: { of: "inner", policy: { frozen } } })),
    };
    const policy = outerLoop({ name: "policy", changes: "policy", every: 40, plugins: [freezing] });
    const inner = innerLoop({ plugins: [multiScaleBandit(), orthogonalDesign()] });
    const { trials } = await search([], { levels: [inner, policy], proposer: proposeLocal() }, 60);
    const tested = trials.filter(({ side }) => side === "with");
    expect(tested.length).toBeGreaterThan(10);
    for (const { candidate, parent } of tested)
      for (const name of frozen) expect(candidate.values?.[name]).toEqual(valuesIn(trials, parent)[name]);
    expect(touched(tested, "multi-scale-bandit", "changed")).toBeGreaterThan(3);
  });

  it("have the form that anyone's has: options with defaults, a fold, a refusal", async () => {
    const heard: number[] = [];
    const own = mechanism<{ seen: number }, { every: number }>({
      name: "own",
      options: { type: "object", properties: { every: { type: "integer", minimum: 1, default: 3 } } },
      init: (_space, { every }) => ({ seen: 0 * every }),
      reflect(state) {
        state.seen++;
        return state;
      },
      brief: (state) => (heard.push(state.seen), `${state.seen} trials`),
      refine: (_state, _draft, { number, refused }) =>
        number % 3 === 0 && refused.length === 0 ? { refuse: "not now" } : undefined,
    });
    const { trials } = await search([own()], {}, 9);
    expect(heard.slice(0, 2)).toEqual([1, 2]);
    expect(touched(trials, "own", "refused")).toBe(3);
    expect(touched(trials, "own", "spoke")).toBe(9);
  });

  it("say what they are, and whether they propose at all", () => {
    const rest = { init: () => 0, reflect: (seen: number) => seen };
    expect(mechanism({ name: "own", source: "a book", ...rest, prune: () => false })()).toMatchObject({
      name: "own",
      contract: 1,
      role: "mechanism",
      source: "a book",
      kinds: ["task"],
      proposes: false,
      schema: { type: "object", additionalProperties: false },
      options: {},
    });
    for (const method of [{ brief: () => "" }, { propose: () => undefined }, { refine: () => undefined }])
      expect(mechanism({ name: "own", ...rest, ...method })().proposes).toBe(true);
    expect("source" in mechanism({ name: "own", ...rest })()).toBe(false);
    expect(mechanism({ name: "own", kinds: ["arm"], ...rest })().kinds).toEqual(["arm"]);
    const lacking = { name: "own", init: () => 0 } as unknown as Parameters<typeof mechanism>[0];
    expect(() => mechanism(lacking)).toThrow("mechanism own has no reflect()");
  });

  it("stop trials by `prune`, and change verdicts by `select`", async () => {
    const judging = mechanism<number>({
      name: "judging",
      init: () => 0,
      reflect: (seen) => seen + 1,
      prune: (_seen, { id }, progress) => id % 2 === 1 && progress.length > 1,
      select: (seen, verdict, { id }) =>
        id === 2 ? { ...verdict, decision: "discard", reason: `not this one, after ${seen}` } : undefined,
    });
    const reporting: Plugin = {
      name: "reporting",
      contract: 1,
      apply: (taps) =>
        taps.evaluate(async (trial, { report }): Promise<Outcome> => {
          for (let step = 1; step <= 3; step++)
            if ((await report({ step, value: 1 })) === "stop")
              return { status: "pruned", reason: `stopped at ${step}`, seconds: 0 };
          return { status: "measured", metric: -trial.id, metrics: {}, seconds: 0 };
        }),
    };
    const { trials } = await search([judging()], { evaluator: reporting, proposer: proposeRandom() }, 4);
    expect(trials.map(({ verdict }) => [verdict?.decision, verdict?.reason])).toEqual([
      ["keep", "the baseline"],
      ["discard", "stopped at 2"],
      ["discard", "not this one, after 2"],
      ["discard", "stopped at 2"],
      ["keep", "better"],
    ]);
  });
});

describe("proposers", () => {
  for (const [name, proposer] of [
    ["propose-local", proposeLocal()],
    ["propose-random", proposeRandom()],
  ] as const)
    it(`${name} proposes legal points on any space, none twice, the same for the same seed`, async () => {
      const points = async (seed: string) =>
        (await search([], { proposer, seed }, 80)).trials.map(({ candidate }) => valuesKey(candidate.values as Values));
      const [first, again, other] = [await points("s"), await points("s"), await points("t")];
      expect(new Set(first).size).toBe(81);
      expect(again).toEqual(first);
      expect(other).not.toEqual(first);
    });

  it("the local search improves on the baseline, and on random points", async () => {
    const best = async (proposer: Plugin) => (await search([], { proposer }, 60)).view?.incumbent?.value ?? Infinity;
    const [local, random] = [await best(proposeLocal()), await best(proposeRandom())];
    expect(local).toBeLessThan(1);
    expect(local).toBeLessThan(random);
  });

  it("a small finite space is searched to its end, each point once", async () => {
    const finite: Space = {
      parameters: {
        a: { type: "int", min: 0, max: 3, default: 0 },
        b: { type: "bool", default: false },
        c: { type: "choice", values: ["x", "y", "z"], default: "x", when: { b: [true] } },
      },
    };
    const constant: Plugin = {
      name: "constant",
      contract: 1,
      apply: (taps) => taps.evaluate(() => Promise.resolve({ status: "measured", metric: 1, metrics: {}, seconds: 0 })),
    };
    for (const proposer of [proposeLocal(), proposeRandom()]) {
      const { end, facts } = await run({
        space: finite,
        evaluator: constant,
        objective: { metric: "loss", direction: "minimize", noise: "none" },
        levels: [innerLoop()],
        proposer,
        selector: undefined,
        budget: { trials: 100 },
      });
      expect(end.reason).toBe("every point of the space has been tried");
      expect(ofType(facts, "verdict")).toHaveLength(4 * (1 + 3));
    }
  });
});
