import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  candidateKey,
  changed,
  complete,
  coordinates,
  decode,
  defaults,
  describeChange,
  describeMove,
  distance,
  encode,
  enumerate,
  isActive,
  localMove,
  mean,
  pointCount,
  sample,
  snap,
  streamOf,
  valuesKey,
  valuesOf,
  variance,
  violation,
  type Domain,
  type Parameter,
  type Space,
  type Values,
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

describe("the arithmetic of a space", () => {
  const of: Space = {
    parameters: {
      lr: { type: "float", min: 0.01, max: 1, scale: "log" },
      depth: { type: "int", min: 2, max: 12 },
      optimizer: { type: "choice", values: ["adam", "sgd", "lion"] },
      size: { type: "choice", values: ["s", "m", "l"], ordered: true },
      flag: { type: "bool" },
      betas: {
        type: "tuple",
        items: [
          { type: "float", min: 0, max: 1 },
          { type: "float", min: 0, max: 1 },
        ],
      },
      momentum: { type: "float", min: 0, max: 1, when: { optimizer: ["sgd"] } },
    },
  };
  const base = { lr: 0.1, depth: 4, optimizer: "adam", size: "s", flag: false, betas: [0.8, 0.9] };

  it("sums steps as shares of the ranges; another category, or a parameter that one point lacks, is a quarter", () => {
    const stepTo = (change: object): number => distance(of, base, { ...base, ...change });
    expect(stepTo({ lr: 1 })).toBeCloseTo(0.5, 12);
    expect(stepTo({ depth: 9 })).toBeCloseTo(0.5, 12);
    expect(stepTo({ optimizer: "lion" })).toBe(0.25);
    expect(stepTo({ flag: true })).toBe(0.25);
    expect(stepTo({ size: "l" })).toBeCloseTo(2 / 3, 12);
    expect(stepTo({ betas: [0.8, 0.5] })).toBeCloseTo(0.2, 12);
    expect(stepTo({ optimizer: "sgd", momentum: 0.5 })).toBe(0.5);
    expect(distance(of, { ...base, optimizer: "sgd", momentum: 0.5 }, base)).toBe(0.5);
  });

  it("lays every point out in equally many coordinates: a cell for each category, the middle for what is inactive", () => {
    const point = [0.5, 0.2, 1, 0, 0, 1 / 6, 0.25, 0.8, 0.9, 0.5].map((one) => expect.closeTo(one, 12) as number);
    expect(coordinates(of, base)).toEqual(point);
    const other = { ...base, optimizer: "sgd", momentum: 0.3 };
    expect(coordinates(of, other).slice(2, 5)).toEqual([0, 1, 0]);
    expect(coordinates(of, other).at(-1)).toBe(0.3);
  });

  it("names what two points have otherwise, also what only one of them has", () => {
    expect(changed(base, { ...base, betas: [0.8, 0.9] })).toEqual([]);
    expect(changed(base, { ...base, depth: 5, optimizer: "sgd", momentum: 0.5 })).toEqual([
      "depth",
      "optimizer",
      "momentum",
    ]);
    expect(changed({ ...base, momentum: 0.5 }, base)).toEqual(["momentum"]);
  });

  it("takes the order of values for nothing, and edits of the code for another candidate", () => {
    const [values, edits] = [{ a: 1, b: 2 }, [{ file: "train.py" }]];
    expect(candidateKey({ values })).toBe(candidateKey({ values: { b: 2, a: 1 }, edits: [] }));
    expect(candidateKey({ values, edits })).not.toBe(candidateKey({ values }));
  });

  it("has its baseline in the middle of every range: of each item, on its scale", () => {
    expect(defaults(of)).toMatchObject({ lr: 0.1, depth: 7, optimizer: "sgd", size: "m", betas: [0.5, 0.5] });
    expect(complete(of, base, { depth: 5 })).toEqual({ ...base, depth: 5 });
    expect(complete(of, base, { optimizer: "sgd" })).toEqual({ ...base, optimizer: "sgd", momentum: 0.5 });
  });

  it("gives the nearest value that is allowed", () => {
    expect([0, 0.5, 1].map((unit) => decode(of.parameters.optimizer as Domain, [unit]))).toEqual([
      "adam",
      "sgd",
      "lion",
    ]);
    expect([0, 1].map((unit) => decode({ type: "bool" }, [unit]))).toEqual([false, true]);
    expect([-1, 0, 0.5, 1, 2].map((unit) => decode(of.parameters.lr as Domain, [unit]))).toEqual([
      0.01, 0.01, 0.1, 1, 1,
    ]);
    expect(decode(of.parameters.betas as Domain, [0.25, 0.75])).toEqual([0.25, 0.75]);
    const by4 = { type: "int", min: 2, max: 16, step: 4 } as const; // 2, 6, 10, 14
    expect([0, 5, 9, 15, 16, 99].map((raw) => snap(by4, raw))).toEqual([2, 6, 10, 14, 14, 14]);
    const pow2 = { type: "int", min: 4, max: 64, scale: "pow2" } as const;
    expect([1, 5, 6, 7, 23, 25, 99].map((raw) => snap(pow2, raw))).toEqual([4, 4, 4, 8, 16, 32, 64]);
    expect(snap({ type: "float", min: 0, max: 0.3333333 }, 1)).toBe(0.333333);
  });

  it("counts and lists the values of a domain, both ends included", () => {
    const domains: [Domain, unknown[]][] = [
      [{ type: "int", min: 2, max: 5 }, [2, 3, 4, 5]],
      [{ type: "int", min: 2, max: 16, step: 4 }, [2, 6, 10, 14]],
      [{ type: "int", min: 4, max: 32, scale: "pow2" }, [4, 8, 16, 32]],
      [{ type: "bool" }, [false, true]],
      [{ type: "choice", values: ["x", 3] }, ["x", 3]],
    ];
    for (const [domain, values] of domains) {
      expect([...valuesOf(domain)]).toEqual(values);
      expect(pointCount({ parameters: { x: domain } })).toBe(values.length);
    }
    const pair: Domain = { type: "tuple", items: domains.slice(0, 2).map(([domain]) => domain) };
    expect([...valuesOf(pair)]).toHaveLength(16);
    expect(pointCount({ parameters: { pair, flag: { type: "bool" } } })).toBe(32);
    expect(pointCount(of)).toBe(Infinity);
    expect([...valuesOf(of.parameters.lr as Domain)]).toEqual([]);
  });

  it("samples every category equally often, and draws again what a constraint refuses", () => {
    const { optimizer, flag, depth, betas } = of.parameters as Record<string, Parameter>;
    const parameters = { optimizer, flag, depth, betas } as Space["parameters"];
    const constraints: Space["constraints"] = [({ depth }) => (depth as number) > 9 || "too shallow"];
    const random = streamOf("sample");
    const drawn = Array.from({ length: 300 }, () => sample({ parameters, constraints }, random));
    expect(drawn.every(({ depth }) => (depth as number) > 9)).toBe(true);
    const share = (test: (values: Values) => boolean): number => drawn.filter(test).length / drawn.length;
    for (const one of ["adam", "sgd", "lion"])
      expect(Math.abs(share((values) => values.optimizer === one) - 1 / 3)).toBeLessThan(0.1);
    expect(Math.abs(share((values) => values.flag === true) - 1 / 2)).toBeLessThan(0.1);
    for (const item of [0, 1])
      expect(Math.abs(share(({ betas: drawn }) => Number((drawn as number[])[item]) > 0.5) - 1 / 2)).toBeLessThan(0.1);
  });
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
    const preferred = focused.filter(({ a }) => a !== 4).length;
    expect(preferred).toBeGreaterThan(160); // 178 are to be expected where seven draws of ten are among those in focus
    expect(preferred).toBeLessThan(195);
  });

  it("moves one, two or three parameters, in 40, 35 and 25 % of the moves", () => {
    const names = ["a", "b", "c", "d", "e"];
    const floats: Space = {
      parameters: Object.fromEntries(names.map((name) => [name, { type: "float", min: 0, max: 1 }])),
    };
    const random = streamOf("how many");
    const counts = [0, 0, 0, 0];
    for (let n = 0; n < 1000; n++) {
      const from = defaults(floats);
      const count = changed(from, localMove(floats, from, random, { step: 0.1 })).length;
      counts[count] = (counts[count] ?? 0) + 1;
    }
    expect(counts[0]).toBe(0);
    for (const [index, share] of [0.4, 0.35, 0.25].entries())
      expect(Math.abs((counts[index + 1] ?? 0) / 1000 - share)).toBeLessThan(0.05);
    const one: Space = { parameters: { a: { type: "float", min: 0, max: 1 } } };
    const steps = Array.from(
      { length: 1000 },
      () => (localMove(one, { a: 0.5 }, random, { step: 0.1 }).a as number) - 0.5,
    );
    expect(Math.abs(mean(steps))).toBeLessThan(0.015);
    expect(Math.sqrt(variance(steps))).toBeCloseTo(0.1, 1);
  });

  it("goes by the kind of the parameter: to an end and no further, by one at least, one notch, back at the ends", () => {
    const reached = (domain: Domain, from: unknown, step = 0.01) => {
      const random = streamOf("kinds");
      const of = { parameters: { x: domain } };
      const found = new Set(
        Array.from({ length: 200 }, () => JSON.stringify(localMove(of, { x: from as never }, random, { step }).x)),
      );
      return [...found].map((one) => JSON.parse(one) as unknown).sort();
    };
    expect(reached({ type: "float", min: 0, max: 1 }, 0.9999)).toContain(1);
    expect(reached({ type: "int", min: 0, max: 100 }, 50, 0.001)).toEqual([49, 51]);
    expect(reached({ type: "int", min: 0, max: 100 }, 50, 0.2).length).toBeGreaterThan(30);
    expect(reached({ type: "int", min: 0, max: 100, step: 10 }, 0)).toEqual([10]);
    expect(reached({ type: "int", min: 0, max: 100, step: 10 }, 100)).toEqual([90]);
    const power: Domain = { type: "int", min: 2, max: 8, scale: "pow2" };
    expect([2, 4, 8].map((from) => reached(power, from))).toEqual([[4], [2, 8], [4]]);
    const ordered: Domain = { type: "choice", values: ["a", "b", "c"], ordered: true };
    expect(["a", "b", "c"].map((from) => reached(ordered, from))).toEqual([["b"], ["a", "c"], ["b"]]);
    expect(reached({ type: "choice", values: ["a", "b", "c"] }, "a")).toEqual(["b", "c"]);
    expect(reached({ type: "bool" }, true)).toEqual([false]);
    expect(reached({ type: "tuple", items: [{ type: "bool" }, power] }, [true, 4])).toEqual([
      [false, 4],
      [true, 2],
      [true, 8],
    ]);
  });

  it("is told as one line, and so are the files that were edited", () => {
    expect(describeMove({ a: 1, b: "x", c: [1] }, { a: 2, c: [1], d: true })).toBe(
      'a 1 → 2, b "x" → none, d none → true',
    );
    const edits = [{ file: "model.py", find: "a", replace: "b" }];
    expect(describeChange({ values: { a: 1 } }, { values: { a: 2 }, edits })).toBe("a 1 → 2, edits model.py");
    expect(describeChange({ edits }, { edits: [...edits, { file: "train.py", find: "c", replace: "d" }] })).toBe(
      "edits train.py",
    );
    expect(describeChange({ edits }, {})).toBe("takes back edits of model.py");
    expect(describeChange({ values: { a: 1 }, edits }, { values: { a: 1 }, edits })).toBe("");
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
    expect(violation(of, { ...base, batch: 4 })).toBe("batch is 4: 8 to 64 is allowed");
    expect(violation(of, { ...base, batch: 16.5 })).toBe("batch is 16.5: a whole number is allowed");
    expect(violation(of, { ...base, batch: "16" })).toBe('batch is "16": a number is allowed');
    expect(violation(of, { ...base, batch: Infinity })).toContain("a number is allowed");
    expect(violation(of, { ...base, lr: 1 })).toBe("lr is not a parameter");
    const only = (domain: Domain, value: unknown) => violation({ parameters: { x: domain } }, { x: value as never });
    expect(only({ type: "int", min: 4, max: 64, scale: "pow2" }, 12)).toBe("x is 12: a power of two is allowed");
    expect(only({ type: "choice", values: ["a", 1] }, "1")).toBe('x is "1": one of "a", 1 is allowed');
    expect(only({ type: "bool" }, 1)).toBe("x is 1: true or false is allowed");
    const pair: Domain = { type: "tuple", items: [{ type: "bool" }, { type: "float", min: 0, max: 1 }] };
    expect(only(pair, [true, 1])).toBeUndefined();
    expect(only(pair, [true])).toBe("x is [true]: 2 items are allowed");
    expect(only(pair, [true, 2])).toBe("x is [true,2]: item 1: 0 to 1 is allowed");
    expect(only(pair, [1, 2])).toBe("x is [1,2]: item 0: true or false is allowed");
    expect(only({ type: "choice", values: [[1, 2]] }, [1, 2])).toBeUndefined();
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
