import { describe, expect, it } from "vitest";
import type { Config, Plugin, Space, TaskChange, Trial, Turn, Values } from "../../../index.ts";
import { evaluateFunction, innerLoop, proposeCma, proposeLocal, proposeSearch, proposeTpe } from "../../../index.ts";
import { distance, normal, streamOf, valuesKey, violation } from "../../../kit/index.ts";
import { lasting, ofType, run } from "../../support/run.ts";

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
const seeds = ["a", "b", "c", "d", "e"];

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
