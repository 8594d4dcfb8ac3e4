import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  axesOf,
  bordersOf,
  nearestLevel,
  placesOf,
  sample,
  snapPlace,
  streamOf,
  valuesAt,
  type Axis,
  type Space,
} from "../../kit/index.ts";

const space: Space = {
  parameters: {
    rate: { type: "float", min: 1e-5, max: 1, scale: "log", default: 768 ** -0.5 / 10 },
    betas: {
      type: "tuple",
      items: [
        { type: "float", min: 0, max: 1 },
        { type: "float", min: 0, max: 1 },
      ],
      default: [1 - 1 / 7, 1 - 1 / 700],
    },
    width: { type: "int", min: 3, max: 900, scale: "log", default: 77 },
    kind: { type: "choice", values: ["a", "b", "c"], default: "b" },
    power: { type: "float", min: 0, max: 3, default: Math.SQRT2, when: { kind: ["b", "c"] } },
  },
};
const axes = axesOf(space);

describe("the axes of a space", () => {
  it("keep what does not move to the last digit, and write what moves with six", () => {
    const base = { rate: 768 ** -0.5 / 10, betas: [1 - 1 / 7, 1 - 1 / 700], width: 77, kind: "b", power: Math.SQRT2 };
    const places = placesOf(axes, base);
    expect(valuesAt(space, axes, places, base)).toEqual(base);
    const moved = valuesAt(space, axes, places.with(1, 1 / 3), base);
    expect(moved).toEqual({ ...base, betas: [0.333333, 1 - 1 / 700] });
  });

  it("lead from any values to places, and from those to the same values", () =>
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (one, other) => {
        const [values, base] = [sample(space, streamOf("a", one)), sample(space, streamOf("b", other))];
        expect(valuesAt(space, axes, placesOf(axes, values), base)).toEqual(values);
      }),
    ));

  it("have a place for each value where these are few: numbers in [0, 1], categories by their number", () => {
    const of = axesOf({
      parameters: {
        depth: { type: "int", min: 2, max: 6 },
        batch: { type: "int", min: 1, max: 65_536, scale: "pow2" },
        seed: { type: "int", min: 0, max: 5000 },
        rows: { type: "int", min: 0, max: 5000, step: 5 },
        size: { type: "choice", values: ["s", "m", "l"], ordered: true },
        kind: { type: "choice", values: ["a", "b", "c"] },
        flag: { type: "bool" },
        pair: { type: "tuple", items: [{ type: "bool" }, { type: "float", min: 0, max: 1 }] },
      },
    });
    expect(of.map(({ name, path, isCategory }) => [name, ...path, isCategory])).toEqual([
      ["depth", false],
      ["batch", false],
      ["seed", false],
      ["rows", false],
      ["size", false],
      ["kind", true],
      ["flag", true],
      ["pair", 0, true],
      ["pair", 1, false],
    ]);
    const levels = of.map((axis) => axis.levels);
    expect(levels[0]).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect([levels[1]?.length, levels[2]?.length, levels[3]?.length, levels[8]?.length]).toEqual([17, 0, 1001, 0]);
    expect([levels[4], levels[5], levels[6]]).toEqual([
      [0, 0.5, 1],
      [0, 1, 2],
      [0, 1],
    ]);
    const [depth, , seed, , , kind] = of as [Axis, Axis, Axis, Axis, Axis, Axis];
    expect([-1, 0.12, 0.13, 0.3, 0.8, 2].map((place) => snapPlace(depth, place))).toEqual([0, 0, 0.25, 0.25, 0.75, 1]);
    expect([-1, 0.12, 2].map((place) => snapPlace(seed, place))).toEqual([0, 0.12, 1]);
    expect(snapPlace(kind, 2)).toBe(2);
    expect([0.125, 0.375, 0.6, 0.9].map((place) => nearestLevel(depth.levels, place))).toEqual([0, 1, 2, 4]);
    expect(bordersOf(depth.levels)).toEqual([0.125, 0.375, 0.625, 0.875]);
  });

  it("give back every kind of value, a tuple within a tuple and one that became active too", () => {
    const of: Space = {
      parameters: {
        size: { type: "choice", values: ["s", "m", "l"], ordered: true },
        kind: { type: "choice", values: ["a", "b", "c"] },
        flag: { type: "bool" },
        deep: {
          type: "tuple",
          items: [{ type: "bool" }, { type: "tuple", items: [{ type: "int", min: 0, max: 9 }, { type: "bool" }] }],
        },
        late: { type: "int", min: 0, max: 9, default: 3, when: { flag: [true] } },
      },
    };
    const all = axesOf(of);
    const base = { size: "s", kind: "a", flag: false, deep: [true, [1, false]] };
    const other = { size: "l", kind: "c", flag: true, deep: [false, [7, true]], late: 5 };
    expect(valuesAt(of, all, placesOf(all, other), base)).toEqual(other);
    expect(placesOf(all, base).at(-1)).toBeNaN();
    expect(valuesAt(of, all, placesOf(all, base).with(2, 1), base)).toEqual({ ...base, flag: true, late: 3 });
    expect(valuesAt(of, all, placesOf(all, other).with(4, 2 / 9), other)).toEqual({
      ...other,
      deep: [false, [2, true]],
    });
  });
});
