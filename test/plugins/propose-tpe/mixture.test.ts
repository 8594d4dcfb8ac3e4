import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { axesOf, streamOf, type Parameter } from "../../../kit/index.ts";
import { logDensity, mixtureOf, pointOf, supportOf } from "../../../plugins/propose-tpe/mixture.ts";

const on = (parameter: Parameter) => axesOf({ parameters: { x: parameter } }).map(supportOf);
const whole = on({ type: "int", min: 1, max: 5, default: 1 });
const sizes = on({ type: "int", min: 1, max: 9, scale: "log", default: 1 });
const kinds = on({ type: "choice", values: ["a", "b", "c"], default: "a" });
const numbers = on({ type: "float", min: 0, max: 1, default: 0.5 });
const levelsOf = (supports: typeof whole): readonly number[] => supports[0]?.axis.levels ?? [];

describe("the densities of propose-tpe", () => {
  it("sum to one over the values of an axis", () => {
    fc.assert(
      fc.property(fc.constantFrom(whole, sizes, kinds), fc.array(fc.nat(), { maxLength: 40 }), (axes, drawn) => {
        const levels = levelsOf(axes);
        const mixture = mixtureOf(
          axes,
          drawn.map((n) => [n % 7 === 0 ? NaN : (levels[n % levels.length] as number)]),
        );
        const sum = levels.reduce((total, level) => total + Math.exp(logDensity(mixture, [level])), 0);
        expect(sum).toBeCloseTo(1, 5);
      }),
    );
  });

  it("integrate to one over an axis of numbers", () => {
    const mixture = mixtureOf(numbers, [[0.02], [0.3], [0.31], [0.9]]);
    const steps = 20_000;
    let sum = 0;
    for (let n = 0; n < steps; n++) sum += Math.exp(logDensity(mixture, [(n + 0.5) / steps])) / steps;
    expect(sum).toBeCloseTo(1, 5);
  });

  it.each([
    ["whole numbers", whole, [0.25, 0.25, 1]],
    ["categories", kinds, [1, 1, 0]],
  ] as const)("are what points are drawn from: %s", (_, axes, centers) => {
    const mixture = mixtureOf(
      axes,
      centers.map((at) => [at]),
    );
    const random = streamOf("mixture");
    const draws = Array.from({ length: 20_000 }, () => pointOf(mixture, random)[0]);
    for (const level of levelsOf(axes)) {
      const share = draws.filter((at) => at === level).length / draws.length;
      expect(share).toBeCloseTo(Math.exp(logDensity(mixture, [level])), 1.7);
    }
  });

  it("hold the outermost whole number for as likely as any other, and one of two is left now and then", () => {
    const empty = mixtureOf(whole, []);
    for (const level of levelsOf(whole)) expect(logDensity(empty, [level])).toBeCloseTo(Math.log(1 / 5), 10);
    const switched = on({ type: "int", min: 0, max: 1, default: 0 });
    const stuck = mixtureOf(switched, [[0], [0], [0], [0]]);
    expect(Math.exp(logDensity(stuck, [1]))).toBeGreaterThan(0.1);
  });

  it("are narrow where points lie close together, and wide where they do not", () => {
    const near = mixtureOf(numbers, [[0.48], [0.5], [0.52]]);
    const spread = mixtureOf(numbers, [[0.1], [0.5], [0.9]]);
    expect(logDensity(near, [0.5])).toBeGreaterThan(logDensity(spread, [0.5]) + 0.4);
    expect(logDensity(near, [0.95])).toBeLessThan(logDensity(spread, [0.95]) - 0.4);
  });

  it("say nothing of what is inactive", () => {
    const both = [...numbers, ...kinds];
    const mixture = mixtureOf(both, [
      [0.2, NaN],
      [0.3, 1],
    ]);
    expect(pointOf(mixture, streamOf("gaps")).every((place) => !Number.isNaN(place))).toBe(true);
    const [there, elsewhere] = [0.25, 0.9].map((x) => logDensity(mixture, [x, NaN]));
    expect(there).toBeGreaterThan(elsewhere as number);
  });
});
