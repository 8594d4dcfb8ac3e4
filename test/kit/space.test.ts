import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  complete,
  decode,
  defaults,
  distance,
  encode,
  enumerate,
  isActive,
  localMove,
  pointCount,
  sample,
  streamOf,
  valuesKey,
  violation,
  type Domain,
  type Space,
} from "../../kit/index.ts";

const number = fc
  .tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 1, max: 100 }))
  .map(([min, width]) => ({ min, max: min + width }));
const domain: fc.Arbitrary<Domain> = fc.oneof(
  number.map((ends) => ({ type: "float" as const, ...ends })),
  fc
    .integer({ min: 1, max: 60 })
    .map((exponent) => ({ type: "float" as const, min: 1e-3, max: 1e-3 * 1.2 ** exponent, scale: "log" as const })),
  number.map((ends) => ({ type: "int" as const, ...ends })),
  fc
    .integer({ min: 1, max: 8 })
    .map((power) => ({ type: "int" as const, min: 2, max: 2 * 2 ** power, scale: "pow2" as const })),
  fc.constant({ type: "bool" as const }),
  fc
    .uniqueArray(fc.string({ maxLength: 4 }), { minLength: 2, maxLength: 5 })
    .map((values) => ({ type: "choice" as const, values })),
  fc.constant({
    type: "tuple" as const,
    items: [
      { type: "float" as const, min: 0, max: 1 },
      { type: "int" as const, min: 0, max: 9 },
    ],
  }),
);
const space: fc.Arbitrary<Space> = fc
  .array(domain, { minLength: 1, maxLength: 6 })
  .map((domains) => ({ parameters: Object.fromEntries(domains.map((one, index) => [`p${index}`, one])) }));

describe("any space", () => {
  it("has legal defaults, and samples and moves that are legal", () =>
    fc.assert(
      fc.property(space, fc.integer(), (of, seed) => {
        const random = streamOf("space", seed);
        expect(violation(of, defaults(of))).toBeUndefined();
        const drawn = sample(of, random);
        expect(violation(of, drawn)).toBeUndefined();
        expect(violation(of, localMove(of, drawn, random, { step: 0.3 }))).toBeUndefined();
      }),
      { numRuns: 200 },
    ));

  it("gives a value back after encoding and decoding it", () =>
    fc.assert(
      fc.property(domain, fc.integer(), (one, seed) => {
        const value = sample({ parameters: { x: one } }, streamOf("value", seed)).x;
        expect(decode(one, encode(one, value as never))).toEqual(value);
      }),
      { numRuns: 300 },
    ));

  it("has a distance that is zero for equal points alone, and symmetric", () =>
    fc.assert(
      fc.property(space, fc.integer(), (of, seed) => {
        const random = streamOf("distance", seed);
        const [a, b] = [sample(of, random), sample(of, random)];
        expect(distance(of, a, a)).toBe(0);
        expect(distance(of, a, b)).toBeCloseTo(distance(of, b, a), 12);
        if (valuesKey(a) !== valuesKey(b)) expect(distance(of, a, b)).toBeGreaterThan(0);
      }),
      { numRuns: 200 },
    ));
});

describe("a local move", () => {
  it("leaves frozen parameters alone and differs from its parent nearly always", () => {
    const of: Space = {
      parameters: {
        a: { type: "int", min: 0, max: 9 },
        b: { type: "bool" },
        c: { type: "choice", values: ["x", "y"] },
        d: { type: "float", min: 0, max: 1 },
      },
    };
    const random = streamOf("moves");
    const from = { a: 4, b: true, c: "x", d: 0.5 };
    const moves = Array.from({ length: 200 }, () => localMove(of, from, random, { step: 0.12, frozen: ["b"] }));
    expect(moves.every(({ b }) => b === true)).toBe(true);
    expect(moves.filter((move) => valuesKey(move) === valuesKey(from))).toEqual([]);
    const focused = Array.from({ length: 200 }, () => localMove(of, from, random, { step: 0.12, focus: ["a"] }));
    expect(focused.filter(({ a }) => a !== 4).length).toBeGreaterThan(120);
  });
});

describe("conditions and constraints", () => {
  const of: Space = {
    parameters: {
      optimizer: { type: "choice", values: ["adam", "sgd"], default: "adam" },
      momentum: { type: "float", min: 0, max: 1, default: 0.9, when: { optimizer: ["sgd"] } },
      nesterov: { type: "bool", default: false, when: { momentum: [0.9] } },
      batch: { type: "int", min: 8, max: 64, step: 8 },
    },
    constraints: [({ batch }) => (batch as number) < 64 || "batch is too large for the memory"],
  };

  it("hold along chains", () => {
    expect(isActive(of, "nesterov", { optimizer: "sgd", momentum: 0.9 })).toBe(true);
    expect(isActive(of, "nesterov", { optimizer: "adam", momentum: 0.9 })).toBe(false);
    expect(complete(of, defaults(of), { optimizer: "sgd" })).toEqual({
      optimizer: "sgd",
      momentum: 0.9,
      nesterov: false,
      batch: 40,
    });
  });

  it("say what is wrong", () => {
    const base = { optimizer: "adam", batch: 16 };
    expect(violation(of, { ...base, momentum: 0.5 })).toBe("momentum has no meaning with these values of the others");
    expect(violation(of, { ...base, batch: 12 })).toBe("batch is 12: steps of 8 from 8 are allowed");
    expect(violation(of, { ...base, batch: 64 })).toBe("batch is too large for the memory");
    expect(violation(of, { ...base, batch: 72 })).toBe("batch is 72: 8 to 64 is allowed");
    expect(violation(of, { optimizer: "adam" })).toBe("batch has no value");
    expect(violation(of, { ...base, lr: 1 })).toBe("lr is not a parameter");
    expect(
      violation(
        {
          parameters: {},
          constraints: [
            () => {
              throw new Error("oops");
            },
          ],
        },
        {},
      ),
    ).toBe("a constraint failed: oops");
  });

  it("a finite space is enumerated, each legal point once", () => {
    const finite: Space = {
      ...of,
      parameters: { ...of.parameters, momentum: { type: "choice", values: [0.5, 0.9], when: { optimizer: ["sgd"] } } },
    };
    const points = [...enumerate(finite)];
    expect(points).toHaveLength(7 * (1 + 1 + 2)); // adam; sgd with 0.5; sgd with 0.9, two ways; seven batches below 64
    expect(points.length).toBeLessThanOrEqual(pointCount(finite));
    expect(points.every((point) => violation(finite, point) === undefined)).toBe(true);
  });
});
