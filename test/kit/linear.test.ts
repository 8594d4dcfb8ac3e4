import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  cholesky,
  choleskyAppend,
  choleskyInverse,
  expectedImprovement,
  gaussianProcess,
  leastSquares,
  multiply,
  normal,
  normalShare,
  solve,
  streamOf,
  transpose,
} from "../../kit/index.ts";

const size = 5;
/** Symmetric and positive definite: a aᵀ + 1. */
const definite = fc
  .array(fc.array(fc.integer({ min: -8, max: 8 }), { minLength: size, maxLength: size }), {
    minLength: size,
    maxLength: size,
  })
  .map((a) => multiply(a, transpose(a)).map((row, i) => row.map((value, j) => value + (i === j ? 1 : 0))));
const vector = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: size, maxLength: size });

describe("linear algebra", () => {
  it("splits a positive definite matrix into its triangles", () =>
    fc.assert(
      fc.property(definite, (a) => {
        const lower = cholesky(a).map((row) => [...row, ...Array<number>(size - row.length).fill(0)]);
        multiply(lower, transpose(lower)).forEach((row, i) =>
          row.forEach((value, j) => expect(value).toBeCloseTo(a[i]?.[j] ?? NaN, 6)),
        );
      }),
    ));

  it("solves equations", () =>
    fc.assert(
      fc.property(definite, vector, (a, x) => {
        const b = multiply(
          a,
          x.map((value) => [value]),
        ).map(([value]) => value ?? NaN);
        solve(a, b).forEach((value, i) => expect(value).toBeCloseTo(x[i] ?? NaN, 5));
      }),
    ));

  it("lets a triangle grow by a row, as if it had been split anew", () =>
    fc.assert(
      fc.property(definite, (a) => {
        const start = cholesky(a.slice(0, size - 1).map((row) => row.slice(0, size - 1)));
        const grown = choleskyAppend(start, a[size - 1] ?? []);
        cholesky(a).forEach((row, i) => row.forEach((value, j) => expect(grown[i]?.[j]).toBeCloseTo(value, 6)));
      }),
    ));

  it("inverts by a triangle", () =>
    fc.assert(
      fc.property(definite, (a) => {
        multiply(a, choleskyInverse(cholesky(a))).forEach((row, i) =>
          row.forEach((value, j) => expect(value).toBeCloseTo(i === j ? 1 : 0, 5)),
        );
      }),
    ));

  it("finds a plane through points on it", () => {
    const rows = [
      [1, 0, 1],
      [1, 1, 0],
      [1, 2, 5],
      [1, 3, -1],
    ];
    const fitted = leastSquares(
      rows,
      rows.map(([a = 0, b = 0, c = 0]) => 2 * a - b + 0.5 * c),
    );
    expect(fitted.map((value) => Number(value.toFixed(6)))).toEqual([2, -1, 0.5]);
  });

  it("says so where a matrix is not positive definite", () => {
    expect(() =>
      cholesky([
        [1, 2],
        [2, 1],
      ]),
    ).toThrow(/not positive definite/);
  });
});

describe("a Gaussian process", () => {
  const random = streamOf("process");
  const points = Array.from({ length: 40 }, () => [random(), random()]);
  const truth = ([x = 0, y = 0]: readonly number[]): number => Math.sin(5 * x) + (y - 0.4) ** 2;

  it("goes through what it saw, and predicts what lies between better than the mean does", () => {
    const process = gaussianProcess(points, points.map(truth));
    for (const point of points.slice(0, 5)) expect(process.predict(point).mean).toBeCloseTo(truth(point), 1);
    const others = Array.from({ length: 50 }, () => [random(), random()]);
    const errors = others.map((point) => Math.abs(process.predict(point).mean - truth(point)));
    expect(Math.max(...errors)).toBeLessThan(0.35);
    expect(errors.reduce((a, b) => a + b, 0) / 50).toBeLessThan(0.05);
  });

  it("is unsure where it saw nothing, and finds the noise that there is", () => {
    const corner = points.map(([x = 0, y = 0]) => [x / 4, y / 4]);
    const process = gaussianProcess(corner, corner.map(truth));
    expect(process.predict([1, 1]).sd).toBeGreaterThan(5 * process.predict([0.1, 0.1]).sd);
    const noise = streamOf("noise");
    const noisy = gaussianProcess(
      points,
      points.map((point) => truth(point) + 0.3 * normal(noise)),
      { noises: [1e-6, 0.1] },
    );
    expect(noisy.noise).toBe(0.1);
  });

  it("far from everything says what the mean does, and no more of the spread than is not noise", () => {
    const process = gaussianProcess([[0], [0.01]], [0, 2], { lengths: [0.1], noises: [0.5] });
    expect(process.predict([50])).toEqual({ mean: expect.closeTo(1, 9) as number, sd: expect.closeTo(1, 9) as number });
    expect(gaussianProcess([[0], [1]], [3, 3]).predict([0.5]).mean).toBe(3);
  });

  it("takes 2 to 128 points", () => {
    expect(() => gaussianProcess([[0]], [1])).toThrow(RangeError);
    const many = Array.from({ length: 129 }, (_, i) => [i / 129]);
    expect(() =>
      gaussianProcess(
        many,
        many.map(() => 1),
      ),
    ).toThrow(/128/);
  });

  it("values an improvement as published: half of it where it is even", () => {
    expect(normalShare(1.96)).toBeCloseTo(0.975, 4);
    expect(expectedImprovement({ mean: 0, sd: 1 }, 0)).toBeCloseTo(0.3989, 4);
    expect(expectedImprovement({ mean: 1, sd: 0 }, 3)).toBe(2);
    expect(expectedImprovement({ mean: 3, sd: 0 }, 1)).toBe(0);
    expect(expectedImprovement({ mean: 1, sd: 2 }, 0.5)).toBeCloseTo(0.572689, 5);
    expect(expectedImprovement({ mean: 0, sd: 0.5 }, 1)).toBeCloseTo(1.004245, 5);
  });
});
