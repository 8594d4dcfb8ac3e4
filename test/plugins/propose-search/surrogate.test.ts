import { describe, expect, it } from "vitest";
import { normal, streamOf, type Axis } from "../../../kit/index.ts";
import { crashChance } from "../../../plugins/propose-search/feasibility.ts";
import type { Tried } from "../../../plugins/propose-search/knowledge.ts";
import { ascend, evidence, priorOf, squaresOf, startOf, Surrogate } from "../../../plugins/propose-search/surrogate.ts";

const float: Axis = { name: "x", path: [], domain: { type: "float", min: 0, max: 1 }, isCategory: false, levels: [] };
const choice: Axis = {
  name: "c",
  path: [],
  domain: { type: "choice", values: ["a", "b", "c"] },
  isCategory: true,
  levels: [0, 1, 2],
};
const axes: Axis[] = [float, { ...float, name: "y" }, choice, { ...float, name: "z" }];

const random = streamOf("surrogate test");
const points = Array.from({ length: 24 }, () => [
  random(),
  random(),
  Math.floor(3 * random()),
  random() < 0.2 ? NaN : random(),
]);
const truth = ([x = 0, y = 0, c = 0]: readonly number[]): number => 3 * (x - 0.4) ** 2 + x * y + (c === 1 ? 0.5 : 0);
const y = points.map((point) => truth(point) - 0.7 + 0.02 * normal(random));
const data = { points, y, shares: points.map(() => 1) };
const squares = squaresOf(axes, points);
const prior = priorOf(axes);

describe("the surrogate", () => {
  it("knows the gradient of its evidence", () => {
    const theta = startOf(prior).theta.map((value, j) => value + 0.1 * j - 0.2);
    const { gradient } = evidence(squares, data, theta, prior);
    const step = 1e-5;
    theta.forEach((_, j) => {
      const at = (by: number) =>
        evidence(
          squares,
          data,
          theta.map((value, k) => (k === j ? value + by : value)),
          prior,
        ).value;
      expect(gradient[j]).toBeCloseTo((at(step) - at(-step)) / (2 * step), 3);
    });
  });

  it("gains evidence with every few steps of its fit", () => {
    let ascent = startOf(prior);
    const before = evidence(squares, data, ascent.theta, prior).value;
    ascent = ascend(ascent, squares, data, prior, 40);
    expect(evidence(squares, data, ascent.theta, prior).value).toBeGreaterThan(before + 5);
  });

  it("predicts what it has not seen, and finds out which axes matter", () => {
    const { theta } = ascend(startOf(prior), squares, data, prior, 40);
    const model = new Surrogate(axes, data, theta);
    const unseen = Array.from({ length: 50 }, () => [random(), random(), Math.floor(3 * random()), random()]);
    const spread = unseen.map(truth);
    const errors = unseen.map((point) => model.predict(point).mean + 0.7 - truth(point));
    const squared = (values: number[]): number => values.reduce((sum, value) => sum + value * value, 0);
    const middle = spread.reduce((sum, value) => sum + value, 0) / spread.length;
    expect(squared(errors)).toBeLessThan(0.15 * squared(spread.map((value) => value - middle)));
    expect(theta[3]).toBeGreaterThan(theta[0] as number); // z does nothing, so its length is the longer one
  });

  it("predicts the same whether it is asked near its anchor or not", () => {
    const [plain, anchored] = [new Surrogate(axes, data, prior.means), new Surrogate(axes, data, prior.means)];
    const at = points[3] as number[];
    anchored.anchorAt(at);
    const near = at.map((place, j) => (j === 0 ? 0.9 : place));
    expect(anchored.predict(near).mean).toBeCloseTo(plain.predict(near).mean, 10);
    expect(anchored.predict(near).sd).toBeCloseTo(plain.predict(near).sd, 10);
  });

  it("is surer beside what is running, and expects nothing else there", () => {
    const at = [0.95, 0.05, 0, 0.5];
    const [without, pending] = [new Surrogate(axes, data, prior.means), new Surrogate(axes, data, prior.means, [at])];
    expect(pending.predict(at).sd).toBeLessThan(0.5 * without.predict(at).sd);
    expect(pending.predict(at).mean).toBeCloseTo(without.predict(at).mean, 10);
  });

  it("trusts a mean of repeats more than one measurement", () => {
    const twice = { points: [[0.5, 0.5, 0, 0.5]], y: [1] };
    const at = [0.5, 0.5, 0, 0.5];
    const noisy = prior.means.map((value, j) => (j === prior.means.length - 1 ? 0 : value));
    const [once, often] = [1, 0.1].map((share) =>
      new Surrogate(axes, { ...twice, shares: [share] }, noisy).predict(at),
    );
    expect(often?.mean).toBeGreaterThan(once?.mean as number);
    expect(often?.sd).toBeLessThan(once?.sd as number);
  });
});

describe("the chance to crash", () => {
  const start = [0.3, 0.3, 0, 0.3];
  const fine = (places: number[]): Tried => ({ id: 0, places, losses: [1] });
  const crash = (places: number[], kind: string): Tried => ({ id: 1, places, losses: [], crash: kind });
  const ran = [fine(start), fine([0.3, 0.5, 1, 0.3]), fine([0.2, 0.3, 0, 0.6]), fine([0.35, 0.2, 2, 0.3])];

  it("is none before anything crashed", () => {
    expect(crashChance(axes, ran, start)([1, 1, 1, 1])).toBe(0);
  });

  it("grows beyond a crash in its direction, and not in the other", () => {
    const chance = crashChance(axes, [...ran, crash([0.6, 0.3, 0, 0.3], "oom")], start);
    const along = [0.1, 0.3, 0.5, 0.6, 0.8, 1].map((x) => chance([x, 0.3, 0, 0.3]));
    expect(along).toEqual([...along].sort((a, b) => a - b));
    expect(along.at(-1)).toBeGreaterThan(0.6);
    expect(along[0]).toBeLessThan(0.15);
    expect(chance([0.3, 0.3, 0, 0.9])).toBeLessThan(0.4);
  });

  it("is learned for each kind by itself: too large one way, diverging the other", () => {
    const both = [crash([0.7, 0.3, 0, 0.3], "oom"), crash([0.3, 0.3, 0, 0.8], "diverged")];
    const chance = crashChance(axes, [...ran, ...both], start);
    expect(chance([0.9, 0.3, 0, 0.3])).toBeGreaterThan(0.6);
    expect(chance([0.3, 0.3, 0, 0.95])).toBeGreaterThan(0.6);
    expect(chance(start)).toBeLessThan(0.2);
  });
});
