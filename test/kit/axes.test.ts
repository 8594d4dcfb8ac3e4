import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { axesOf, placesOf, sample, streamOf, valuesAt, type Space } from "../../kit/index.ts";

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
});
