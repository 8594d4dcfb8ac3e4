import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Config, Outcome, Plugin, Space, TaskChange, Trial, Values } from "../../../index.ts";
import {
  evaluateFunction,
  innerLoop,
  proposeCma,
  proposeLocal,
  proposeSearch,
  proposeTpe,
  resolveConfig,
} from "../../../index.ts";
import { axesOf, mean, median, normal, streamOf, valuesKey, violation } from "../../../kit/index.ts";
import { explorationOf, learn, nothing } from "../../../plugins/propose-search/knowledge.ts";
import { run } from "../../support/run.ts";

/** Of every kind: logarithms, whole numbers, powers of two, an ordered and an unordered choice, a tuple, a condition, a constraint. */
const space: Space = {
  parameters: {
    rate: { type: "float", min: 1e-4, max: 1, scale: "log", default: 0.001 },
    layers: { type: "int", min: 1, max: 12, default: 4 },
    batch: { type: "int", min: 8, max: 512, scale: "pow2", default: 64 },
    width: { type: "choice", values: [8, 16, 32, 64], ordered: true, default: 16 },
    kind: { type: "choice", values: ["a", "b", "c"], default: "a" },
    depth: { type: "float", min: 0, max: 1, default: 0.5, when: { kind: ["b", "c"] } },
    betas: {
      type: "tuple",
      items: [
        { type: "float", min: 0.5, max: 0.99 },
        { type: "float", min: 0.9, max: 0.999 },
      ],
      default: [0.9, 0.95],
    },
    decay: { type: "bool", default: false },
  },
  constraints: [
    ({ layers, batch }) => (layers as number) * (batch as number) <= 2048 || "layers times batch is above 2048",
  ],
};

const loss = (values: Values): number =>
  (Math.log10(values.rate as number) + 1.6) ** 2 +
  ((values.layers as number) - 7) ** 2 / 20 +
  (Math.log2(values.batch as number) - 5) ** 2 / 10 +
  (values.kind === "b" ? (values.depth as number) * 0.5 : 0.6) +
  Math.abs(((values.betas as number[])[0] as number) - 0.8) +
  (values.decay ? 0 : 0.3) +
  0.1;

interface Given extends Partial<Config> {
  trials?: number;
  slots?: number;
  measure?: (values: Values, seed: number) => number;
  plugins?: Plugin[];
}

async function search({ trials = 30, slots = 1, measure = loss, plugins = [], ...config }: Given = {}) {
  const { end, facts } = await run({
    space,
    objective: { metric: "loss", direction: "minimize", noise: "none" },
    evaluator: evaluateFunction({ function: (values, { seed }) => measure(values, seed), thread: false }),
    levels: [innerLoop({ confirm: 0, slots, plugins })],
    proposer: proposeSearch(),
    selector: undefined,
    budget: { trials },
    ...config,
  });
  const view = end.levels.get("inner");
  return {
    view,
    facts,
    best: view?.incumbent?.value ?? Infinity,
    trials: [...(view?.trials ?? [])] as Trial<TaskChange>[],
  };
}

const valuesOf = ({ candidate }: Trial<TaskChange>): Values => candidate.values ?? {};
const seeds = ["a", "b", "c", "d", "e", "f", "g"];

describe.each([
  ["propose-search", proposeSearch],
  ["propose-tpe", proposeTpe],
  ["propose-cma", proposeCma],
] as const)("%s", (name, proposer) => {
  it("proposes legal points on any space, none twice, the same for the same seed", async () => {
    const points = async (seed: string) => (await search({ proposer: proposer(), seed, trials: 60 })).trials;
    const [first, again, other] = [await points("s"), await points("s"), await points("t")];
    const keys = (trials: Trial<TaskChange>[]) => trials.map((trial) => valuesKey(valuesOf(trial)));
    expect(new Set(keys(first)).size).toBe(61);
    expect(first.every((trial) => violation(space, valuesOf(trial)) === undefined)).toBe(true);
    expect(keys(again)).toEqual(keys(first));
    expect(keys(other)).not.toEqual(keys(first));
    expect(first.slice(1).filter(({ by }) => by === name).length).toBeGreaterThan(50);
  });

  it("improves on the baseline", async () => {
    const { best, view } = await search({ proposer: proposer(), trials: 60 });
    expect(best).toBeLessThan(0.7 * (view?.baseline ?? 0));
  });

  it("maximises where the objective says so", async () => {
    const { best } = await search({
      proposer: proposer(),
      trials: 60,
      objective: { metric: "loss", direction: "maximize", noise: "none" },
      measure: (values) => -loss(values),
    });
    expect(-best).toBeLessThan(0.7 * 4);
  });

  it("finds what is good behind a choice, though what the choice brings is bad by default", async () => {
    const branched: Space = {
      parameters: {
        rate: { type: "float", min: 0, max: 1, default: 0.5 },
        kind: { type: "choice", values: ["plain", "deep"], default: "plain" },
        depth: { type: "float", min: 0, max: 1, default: 0.9, when: { kind: ["deep"] } },
      },
    };
    const behind = ({ rate, kind, depth }: Values): number =>
      Math.abs((rate as number) - 0.4) + (kind === "deep" ? 2 * (depth as number) : 1);
    const winners = ["a", "b", "c", "d", "e"].map(async (seed) => {
      const { view } = await search({ proposer: proposer(), space: branched, measure: behind, trials: 40, seed });
      return valuesOf(view?.incumbent?.trial as Trial<TaskChange>).kind;
    });
    expect(await Promise.all(winners)).toEqual(Array(5).fill("deep"));
  });

  it("leaves frozen parameters alone", async () => {
    const frozen: Plugin = {
      name: "freezing",
      contract: 1,
      apply: (taps) =>
        taps.propose("TURN", (draft, turn) => {
          Object.assign(turn.view, { policy: { ...turn.view.policy, frozen: ["rate", "kind"] } });
          return draft;
        }),
    };
    const { trials } = await search({ proposer: proposer(), plugins: [frozen] });
    expect(trials.every((trial) => valuesOf(trial).rate === 0.001 && valuesOf(trial).kind === "a")).toBe(true);
  });

  it("goes on with several slots, and proposes nothing that runs", async () => {
    const { trials } = await search({ proposer: proposer(), slots: 4, trials: 40 });
    expect(new Set(trials.map((trial) => valuesKey(valuesOf(trial)))).size).toBe(41);
  });
});

describe("propose-search", () => {
  const medianOf = async (given: (seed: string) => Given): Promise<number> => {
    const ends: number[] = [];
    for (const seed of seeds) ends.push((await search({ seed, ...given(seed) })).best);
    return median(ends);
  };

  it("is the default, and does better than a local search", async () => {
    const config = {
      objective: { metric: "loss", direction: "minimize" as const },
      space,
      evaluator: evaluateFunction(),
    };
    const resolved = resolveConfig({ ...config, levels: [innerLoop()], budget: { trials: 1 } }, "c.ts");
    expect(resolved.config.proposer?.name).toBe("propose-search");
    const ours = await medianOf(() => ({ trials: 40 }));
    const local = await medianOf(() => ({ trials: 40, proposer: proposeLocal() }));
    expect(ours).toBeLessThan(local);
  });

  /** Its defaults have more digits than a move writes. */
  const box: Space = {
    parameters: Object.fromEntries(
      Array.from({ length: 12 }, (_, n) => [
        `x${n}`,
        { type: "float" as const, min: 0, max: 1, default: Math.SQRT1_2 / 5 },
      ]),
    ),
  };

  /** On how many parameters the points before the model's first differ from what was the best before them. */
  const widths = async (measure: (values: Values) => number, trials = 5): Promise<number[]> => {
    const { trials: all } = await search({ space: box, measure, trials });
    return all.slice(1).map(({ id, candidate }) => {
      const before = all.filter((one) => one.id < id).reduce((a, b) => (metricOf(b) < metricOf(a) ? b : a));
      return Object.entries(candidate.values ?? {}).filter(([name, value]) => value !== before.candidate.values?.[name])
        .length;
    });
  };

  it("asks once whether the baseline is good, by a point from anywhere, and stays near it where it is", async () => {
    const [far, ...near] = await widths((values) =>
      Object.values(values).reduce<number>((sum, x) => sum + (x as number), 0),
    );
    expect(far).toBe(12);
    expect(Math.max(...near)).toBeLessThanOrEqual(3);
  });

  it("looks along other parameters with each of the small steps before its model, with several slots too", async () => {
    for (const [slots, seed] of [1, 4].flatMap((slots) => seeds.map((seed) => [slots, seed] as const))) {
      const { trials } = await search({ space: box, measure: () => 1, trials: 5, slots, seed });
      const moved = trials
        .slice(2)
        .flatMap(({ candidate }) =>
          Object.entries(candidate.values ?? {}).flatMap(([name, value]) =>
            value === box.parameters[name]?.default ? [] : [name],
          ),
        );
      expect(moved.length).toBeGreaterThanOrEqual(slots === 1 ? 4 : 2);
      expect(new Set(moved).size).toBe(moved.length);
    }
  });

  it("goes on with points from anywhere, seven at the most, while enough are better than the baseline", async () => {
    const all = await widths((values) => -Object.values(values).reduce<number>((sum, x) => sum + (x as number), 0), 12);
    expect(all.slice(0, 7)).toEqual(Array(7).fill(12));
    expect(Math.min(...all.slice(7))).toBeLessThan(12);
  });

  it("does not come back to them for what moves near the baseline find, wide or with a choice that brings others", async () => {
    const distance = (values: Values): number =>
      Object.values(values).reduce<number>((sum, x) => sum + ((x as number) - 0.3) ** 2, 0);
    const asked = async (given: Given): Promise<number[]> =>
      (await search(given)).trials.flatMap(({ id, hypothesis }) =>
        hypothesis?.startsWith("from anywhere") ? [id] : [],
      );
    for (const slots of [1, 4]) expect(await asked({ space: box, measure: distance, trials: 40, slots })).toEqual([1]);
    for (let seed = 0; seed < 30; seed++) {
      const ids = await asked({ trials: 10, seed: String(seed) });
      expect(ids).toEqual(ids.map((_, n) => n + 1));
    }
  });

  it("says what it believes: a value with its uncertainty, and the chance to crash", async () => {
    const { trials } = await search({ trials: 40 });
    const told = trials.filter(({ hypothesis }) => hypothesis?.startsWith("predicted"));
    expect(told.length).toBeGreaterThan(30);
    const errors = told.slice(-15).map(({ hypothesis = "", outcome }) => {
      const [, value, within, crash] = /^predicted (\S+) ± (\S+), chance to crash (\d+) %$/.exec(hypothesis) ?? [];
      expect(Number(crash)).toBe(0);
      return Math.abs(Number(value) - (outcome?.status === "measured" ? outcome.metric : NaN)) / Number(within);
    });
    expect(median(errors)).toBeLessThan(3);
  });

  it("learns where trials crash, though it would be better there", async () => {
    const measure = (values: Values): number => {
      if ((values.layers as number) * (values.width as number) > 96) throw new Error("out of memory");
      return loss(values) - 0.02 * (values.layers as number) - 0.01 * (values.width as number);
    };
    const crashed = async (proposer: Plugin): Promise<number> => {
      let count = 0;
      for (const seed of seeds) {
        const { trials } = await search({ seed, trials: 60, measure, proposer });
        count += trials.filter(({ outcome }) => outcome?.status === "crashed").length;
      }
      return count / (60 * seeds.length);
    };
    const [ours, blind] = [await crashed(proposeSearch()), await crashed(proposeTpe())];
    expect(ours).toBeLessThan(0.8 * blind);
  });

  it("keeps away from what breaks a limit, as from what crashes", async () => {
    const evaluator: Plugin = {
      name: "with-memory",
      contract: 1,
      apply: (taps) =>
        taps.evaluate((trial) => {
          const values = valuesOf(trial as Trial<TaskChange>);
          const memory = (values.layers as number) * (values.batch as number);
          const metric = loss(values) - memory / 1000;
          return Promise.resolve({ status: "measured", metric, metrics: { loss: metric, memory }, seconds: 0 });
        }),
    };
    /** Of the second half of the trials, those above. */
    const above = async (limits: NonNullable<Config["objective"]["limits"]>): Promise<number> => {
      const objective = { metric: "loss", direction: "minimize" as const, noise: "none" as const, limits };
      const shares: number[] = [];
      for (const seed of seeds) {
        const { trials } = await search({ evaluator, objective, trials: 60, seed });
        const late = trials.slice(31).map(({ outcome }) => outcome as Outcome & { status: "measured" });
        shares.push(late.filter(({ metrics }) => (metrics.memory ?? 0) > 400).length / late.length);
      }
      return mean(shares);
    };
    expect(await above({})).toBeGreaterThan(0.9);
    expect(await above({ memory: { max: 400 } })).toBeLessThan(0.3); // the best there is lies at the limit
  });

  it("looks for what is legal where the constraints leave no room for what would be better", async () => {
    const float = { type: "float", min: 0, max: 1, default: 0.2 } as const;
    const names = Array.from({ length: 12 }, (_, n) => `x${n}`);
    const parameters = Object.fromEntries(names.map((name) => [name, float]));
    const sum = (values: Values): number => names.slice(0, 4).reduce((all, name) => all + (values[name] as number), 0);
    const measure = (values: Values): number =>
      names.reduce((all, name) => all + ((values[name] as number) - 0.7) ** 2, 0);
    const constrained = { parameters, constraints: [(values: Values) => sum(values) <= 1.2 || "too much"] };
    const believed: number[] = [];
    for (const seed of seeds) {
      const { trials } = await search({ space: constrained, measure, seed, trials: 50 });
      const late = trials.slice(10);
      believed.push(late.filter(({ hypothesis }) => hypothesis?.startsWith("predicted")).length / late.length);
    }
    expect(mean(believed)).toBeGreaterThan(0.95); // of the others nothing is expected: the model's were all illegal
  });

  it("learns from what was stopped early, as from what crashes: it asks once whether the baseline is good", async () => {
    const distance = (values: Values): number =>
      Object.values(values).reduce<number>((sum, x) => sum + ((x as number) - 0.2) ** 2, 0);
    const outcomeOf = (value: number): Outcome =>
      value > 0.05
        ? { status: "pruned", reason: "it goes badly", seconds: 0 }
        : { status: "measured", metric: value, metrics: { loss: value }, seconds: 0 };
    const evaluator: Plugin = {
      name: "stopping",
      contract: 1,
      apply: (taps) =>
        taps.evaluate((trial: Trial<TaskChange>) => Promise.resolve(outcomeOf(distance(valuesOf(trial))))),
    };
    for (const seed of seeds) {
      const { trials, best, view } = await search({ space: box, evaluator, trials: 40, seed });
      expect(trials.filter(({ hypothesis }) => hypothesis?.startsWith("from anywhere")).length).toBe(1);
      expect(best).toBeLessThan(0.95 * (view?.baseline ?? 0));
    }
  });

  it("keeps away from what fails the check, as from what crashes, though it measures best, and whenever it fails", async () => {
    const late = async (isWrong: (values: Values) => boolean, noise: number): Promise<number> => {
      const evaluator: Plugin = {
        name: "marking",
        contract: 1,
        apply: (taps) =>
          taps.evaluate((trial: Trial<TaskChange>, { folder }): Promise<Outcome> => {
            const values = valuesOf(trial);
            if (isWrong(values)) writeFileSync(join(folder, "wrong"), "");
            const metric = -(values.x0 as number) + noise * normal(streamOf("check", trial.seed, valuesKey(values)));
            return Promise.resolve({ status: "measured", metric, metrics: { loss: metric }, seconds: 0 });
          }),
      };
      const objective = { metric: "loss", direction: "minimize" as const, check: ["test", "!", "-e", "wrong"] };
      const shares: number[] = [];
      for (const seed of seeds) {
        const { trials } = await search({ space: box, evaluator, objective, trials: 40, seed });
        const shown = trials.slice(21);
        shares.push(shown.filter((trial) => (valuesOf(trial).x0 as number) > 0.5).length / shown.length);
      }
      return mean(shares);
    };
    const wrong = (values: Values): boolean => (values.x0 as number) > 0.5;
    expect(await late(() => false, 0)).toBe(1);
    expect(await late(wrong, 0)).toBeLessThan(0.9); // the best there is lies at 0.5
    expect(await late(wrong, 0.1)).toBeLessThan(0.5); // some fail when they are measured again
  });

  it("is not led astray by noise: repeats count as more of the same point", async () => {
    const noise = 0.1;
    const measure = (values: Values, seed: number): number =>
      loss(values) + noise * normal(streamOf("noise", seed, valuesKey(values)));
    const truths: number[] = [];
    for (const seed of seeds) {
      const { view } = await search({
        seed,
        trials: 60,
        measure,
        objective: { metric: "loss", direction: "minimize" },
      });
      truths.push(loss(valuesOf(view?.incumbent?.trial as Trial<TaskChange>)));
    }
    expect(median(truths)).toBeLessThan(1);
  });

  it("looks further where measurements are noisy, the more of the first six points were better than the baseline", async () => {
    const exploration = async (loss: (values: Values) => number, noise: number): Promise<number> => {
      const measure = (values: Values, seed: number): number =>
        loss(values) + noise * normal(streamOf("noise", seed, valuesKey(values)));
      const { view, trials } = await search({
        space: box,
        trials: 12,
        measure,
        objective: { metric: "loss", direction: "minimize" },
      });
      const known = nothing();
      for (const trial of trials) learn(known, trial, view as never, axesOf(box));
      return explorationOf(known);
    };
    const isStart = (values: Values): boolean =>
      Object.entries(values).every(([name, value]) => value === box.parameters[name]?.default);
    expect(await exploration((values) => (isStart(values) ? 1 : 0.5), 0.01)).toBe(1.5);
    expect(await exploration((values) => (isStart(values) ? 0.5 : 1), 0.01)).toBe(1);
    expect(await exploration((values) => (isStart(values) ? 1 : 0.5), 0)).toBe(1);
    const points = new Set<string>();
    const everySecondCrashes = (values: Values): number => {
      if (isStart(values)) return 1;
      points.add(valuesKey(values));
      if ([...points].indexOf(valuesKey(values)) % 2 === 1) throw new Error("diverged");
      return 0.5;
    };
    expect(await exploration(everySecondCrashes, 0.01)).toBe(1.25);
  });

  it("costs no more once it has seen a lot: what it fits is bounded, and so is what it remembers", async () => {
    const known = nothing();
    const { view, trials } = await search({ trials: 400, proposer: proposeLocal() });
    const axes = axesOf(space);
    for (const trial of trials) learn(known, trial, view as never, axes);
    expect(known.tried.size).toBeLessThanOrEqual(256);
    expect(known.model?.tried.length).toBeLessThanOrEqual(102); // a hundred, and those since the fit
    expect(known.keys.size).toBe(401);
    const best = trials.reduce((a, b) => (metricOf(b) < metricOf(a) ? b : a));
    expect(known.tried.has(best.id)).toBe(true);
  });
});

const metricOf = ({ outcome }: Trial): number => (outcome?.status === "measured" ? outcome.metric : Infinity);
