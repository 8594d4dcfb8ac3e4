import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dot, expectedImprovement, normal, solveLower, streamOf, type Axis } from "../../../kit/index.ts";
import {
  factored,
  pairsOf,
  scalesOf,
  squaresOf,
  withPoint,
  type Factor,
} from "../../../plugins/propose-search/covariance.ts";
import { ascend, evidence, priorOf, startOf } from "../../../plugins/propose-search/evidence.ts";
import { crashChance } from "../../../plugins/propose-search/feasibility.ts";
import { Kernels } from "../../../plugins/propose-search/kernels.ts";
import type { Tried } from "../../../plugins/propose-search/knowledge.ts";
import { modelAfter, modelOf, type Model } from "../../../plugins/propose-search/model.ts";
import { Surrogate, type Conditions } from "../../../plugins/propose-search/surrogate.ts";

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
const data = { y, shares: points.map(() => 1) };
const squares = squaresOf(axes, points);
const prior = priorOf(axes);

const factorOf = (theta: readonly number[], of = points, shares = of.map(() => 1)): Factor => {
  const scales = scalesOf(theta);
  return { scales, points: of, lower: factored(scales, shares, pairsOf(squaresOf(axes, of), scales)) };
};
const factor = factorOf(prior.means);

const surrogate = (given: Partial<Conditions>): Surrogate =>
  new Surrogate(new Kernels(), { axes, factor, y, anchor: points[0] as number[], ...given });

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
    const model = surrogate({ factor: factorOf(theta) });
    const unseen = Array.from({ length: 50 }, () => [random(), random(), Math.floor(3 * random()), random()]);
    const spread = unseen.map(truth);
    const errors = unseen.map((point) => model.predict(point).mean + 0.7 - truth(point));
    const squared = (values: number[]): number => values.reduce((sum, value) => sum + value * value, 0);
    const middle = spread.reduce((sum, value) => sum + value, 0) / spread.length;
    expect(squared(errors)).toBeLessThan(0.15 * squared(spread.map((value) => value - middle)));
    expect(theta[3]).toBeGreaterThan(theta[0] as number); // z does nothing, so its length is the longer one
  });

  it("predicts the same whether it is asked near its anchor or not", () => {
    const [one, other] = [surrogate({ anchor: points[3] }), surrogate({ anchor: points[4] })];
    const near = (points[3] as number[]).with(0, 0.9);
    expect(one.predict(near).mean).toBeCloseTo(other.predict(near).mean, 10);
    expect(one.predict(near).sd).toBeCloseTo(other.predict(near).sd, 10);
  });

  it("predicts what the covariance says, for numbers, categories and gaps, with or without a point to spare", () => {
    const place = fc.double({ min: 0, max: 1, noNaN: true });
    const gappy = fc.oneof(place, fc.constant(NaN));
    const anywhere = fc.tuple(place, place, fc.integer({ min: 0, max: 2 }), gappy);
    fc.assert(
      fc.property(fc.array(anywhere, { minLength: 1, maxLength: 12 }), anywhere, anywhere, (known, at, anchor) => {
        const made = factorOf(prior.means, known);
        const outcomes = known.map((_, i) => Math.sin(i));
        const { mean, sd } = surrogate({ factor: made, y: outcomes, anchor }).predict(at);
        const column = factorOf(prior.means, [...known, at]); // its last row: what the point adds
        const row = column.lower.at(-1) as number[];
        const solved = solveLower(made.lower, outcomes);
        expect(mean).toBeCloseTo(dot(row.slice(0, -1), solved), 8);
        expect(sd ** 2).toBeCloseTo((row.at(-1) as number) ** 2 - made.scales.noise - 1e-6, 8);
      }),
    );
  });

  it("is surer beside what is running, and expects nothing else there", () => {
    const at = [0.95, 0.05, 0, 0.5];
    const [without, pending] = [surrogate({}), surrogate({ pending: [at] })];
    expect(pending.predict(at).sd).toBeLessThan(0.5 * without.predict(at).sd);
    expect(pending.predict(at).mean).toBeCloseTo(without.predict(at).mean, 10);
  });

  it("trusts a mean of repeats more than one measurement", () => {
    const at = [0.5, 0.5, 0, 0.5];
    const noisy = prior.means.with(axes.length + 2, 0);
    const [once, often] = [1, 0.1].map((share) =>
      surrogate({ factor: factorOf(noisy, [at], [share]), y: [1] }).predict(at),
    );
    expect(often?.mean).toBeGreaterThan(once?.mean as number);
    expect(often?.sd).toBeLessThan(once?.sd as number);
  });

  it("grows by a point as if it had been there before", () => {
    const grown = points
      .slice(20)
      .reduce((so, point) => withPoint(axes, so, point), factorOf(prior.means, points.slice(0, 20)));
    const [one, other] = [surrogate({ factor: grown }), surrogate({})];
    for (const at of [
      [0.1, 0.9, 2, 0.4],
      [0.5, 0.5, 1, NaN],
    ]) {
      expect(one.predict(at).mean).toBeCloseTo(other.predict(at).mean, 9);
      expect(one.predict(at).sd).toBeCloseTo(other.predict(at).sd, 9);
    }
  });

  it("bears gaps, which no covariance allows for: a parameter that is not there is as far from all its values", () => {
    const line = [NaN, ...Array.from({ length: 26 }, (_, n) => n / 25)].map((z) => [0.5, 0.5, 1, z]);
    const theta = prior.means.with(3, Math.log(2)).with(4, 12).with(6, -20); // long, nothing joint, no noise
    for (const known of [factorOf(theta, line), withPoint(axes, factorOf(theta, line.slice(1)), [0.5, 0.5, 1, NaN])]) {
      const { mean } = surrogate({ factor: known, y: known.points.map(([, , , z = 0]) => z || 0) }).predict([
        0.5, 0.5, 1, 0.3,
      ]);
      expect(mean).toBeCloseTo(0.3, 1);
    }
  });

  it("knows what a point is worth, unless that is less than what is asked for", () => {
    const many = Array.from({ length: 90 }, () => [random(), random(), Math.floor(3 * random()), random()]);
    const model = surrogate({ factor: factorOf(prior.means, many), y: many.map(truth) });
    const best = Math.min(...many.map(truth)) + 0.1;
    const place = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.tuple(place, place, fc.integer({ min: 0, max: 2 }), place), place, (at, share) => {
        const worth = expectedImprovement(model.predict(at), best);
        expect(model.improvement(at, best, 0)).toBeCloseTo(worth, 10);
        const least = 2 * share * worth;
        if (least < 0.999 * worth) expect(model.improvement(at, best, least)).toBeCloseTo(worth, 10);
        if (least > 1.001 * worth) expect(model.improvement(at, best, least)).toBe(0);
      }),
    );
  });
});

describe("what is expected of noisy measurements", () => {
  it("is that the signal varies more", () => {
    const signal = axes.length + 1;
    expect(priorOf(axes, { sd: 0.1, freedom: 3 }).means[signal]).toBeCloseTo(Math.log(2), 10);
    expect(priorOf(axes).means[signal]).toBe(0);
  });

  it("is worth as much as with its uncertainty multiplied by the exploration weight, which changes no belief", () => {
    const at = [0.3, 0.2, 1, 0.9];
    const [plain, exploring] = [surrogate({}), surrogate({ exploration: 1.4 })];
    const { mean, sd } = plain.predict(at);
    expect(exploring.predict(at)).toEqual({ mean, sd });
    expect(exploring.improvement(at, -0.5, 0)).toBeCloseTo(expectedImprovement({ mean, sd: 1.4 * sd }, -0.5), 10);
  });
});

/** What is known of measurements whose seeds do nothing to all points alike. */
const measuredTo = (losses: readonly number[]): Pick<Tried, "measured" | "losses" | "freedom"> => ({
  measured: losses.map((value, n) => ({ seed: 42 + n, value })),
  losses,
  freedom: Math.max(0, losses.length - 1),
});

describe("the model from trial to trial", () => {
  const at = (id: number, losses = [truth(points[id % 24] as number[])]): Tried => ({
    id,
    places: (points[id % 24] as number[]).map((place, j) => (j === 0 ? (place + id / 97) % 1 : place)),
    ...measuredTo(losses),
    isFar: false,
  });

  it("is the same between two fits, for new points and for repeats, as one that is made anew", () => {
    const all = new Map(Array.from({ length: 75 }, (_, id) => [id, at(id)]));
    const before = modelOf(all, axes, 3);
    all.set(75, at(75));
    const grown = modelAfter(before, all, axes, 75, 3);
    expect(grown?.ascent).toBe(before?.ascent); // no fit, since the model has as many points as make one dear
    all.set(40, at(40, [0.3, 0.5]));
    for (const [id, model] of [
      [75, grown],
      [40, modelAfter(before, all, axes, 40, 3)],
    ] as const) {
      const known = new Map(model?.tried.map((one) => [one.id, one]));
      expect(known.get(id)).toEqual(all.get(id));
      const anew = modelOf(known, axes, 3, before?.ascent, 0);
      const [one, other] = [model as Model, anew as Model].map(({ factor, y }) =>
        surrogate({ factor, y }).predict([0.3, 0.6, 1, 0.2]),
      );
      expect(one?.mean).toBeCloseTo(other?.mean as number, 8);
      expect(one?.sd).toBeCloseTo(other?.sd as number, 8);
    }
  });

  it("learns the noise from repeats, unless they agree to the digit: such a program may be as rugged as any", () => {
    const rugged = (id: number): Tried => at(id, [truth(points[id % 24] as number[]) + 0.3 * (id % 2)]);
    const repeated = (by: number): Model => {
      const all = new Map(Array.from({ length: 24 }, (_, id) => [id, rugged(id)]));
      const [loss = NaN] = rugged(3).losses;
      all.set(3, at(3, [loss - by, loss + by, loss]));
      return modelOf(all, axes, 3, undefined, 30) as Model;
    };
    const once = modelOf(new Map(Array.from({ length: 24 }, (_, id) => [id, rugged(id)])), axes, 3, undefined, 30);
    for (const by of [0, 1e-6]) {
      expect(repeated(by).isNoisy).toBe(false);
      expect(repeated(by).factor.scales.noise).toBeCloseTo(once?.factor.scales.noise as number, 1);
    }
    expect(repeated(0.01).isNoisy).toBe(true);
    expect(repeated(0.01).factor.scales.noise).toBeLessThan((once?.factor.scales.noise as number) / 3);
  });

  it("is fitted again in time, and where the best point is none of its own", () => {
    const all = new Map(Array.from({ length: 75 }, (_, id) => [id, at(id)]));
    let model = modelOf(all, axes, 3);
    const ascents = new Set([model?.ascent]);
    for (let id = 75; id < 81; id++) {
      all.set(id, at(id));
      ascents.add((model = modelAfter(model, all, axes, id, 3))?.ascent);
    }
    expect(ascents.size).toBeGreaterThan(2);
    for (let id = 81; id < 150; id++) all.set(id, at(id));
    expect(modelAfter(model, all, axes, 149, 120)?.center).toBe(120);
    expect(modelAfter(model, all, axes, 149, 120)?.tried.length).toBe(100);
  });
});

describe("the chance to crash", () => {
  const start = [0.3, 0.3, 0, 0.3];
  const fine = (places: number[]): Tried => ({ id: 0, places, ...measuredTo([1]), isFar: false });
  const crash = (places: number[], kind: string): Tried => ({
    id: 1,
    places,
    ...measuredTo([]),
    crash: kind,
    isFar: false,
  });
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
