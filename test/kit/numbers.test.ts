import { describe, expect, it } from "vitest";
import {
  hashOf,
  latinHypercube,
  mean,
  median,
  normal,
  normalQuantile,
  orthogonalArray,
  quantile,
  sobol,
  streamOf,
  studentT,
  truncatedDensity,
  truncatedQuantile,
  variance,
} from "../../kit/index.ts";

describe("random numbers", () => {
  it("are a function of their key", () => {
    const draw = (...key: (string | number)[]) => Array.from({ length: 4 }, streamOf(...key));
    expect(draw("a", 1)).toEqual(draw("a", 1));
    expect(draw("a", 1)).not.toEqual(draw("a", 2));
    expect(draw("a", 1)).not.toEqual(draw("a1"));
    expect(hashOf("x")).not.toBe(hashOf("y"));
  });

  it("are uniform, and normal ones have mean 0 and variance 1", () => {
    const random = streamOf("moments");
    const uniform = Array.from({ length: 20_000 }, random);
    expect(mean(uniform)).toBeCloseTo(0.5, 1);
    expect(variance(uniform)).toBeCloseTo(1 / 12, 2);
    const bins = Array.from(
      { length: 10 },
      (_, bin) => uniform.filter((value) => Math.floor(value * 10) === bin).length,
    );
    expect(bins.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0)).toBeLessThan(27.9); // chi-square, 9 degrees, 0.001
    const normals = Array.from({ length: 20_000 }, () => normal(random));
    expect(Math.abs(mean(normals))).toBeLessThan(0.03);
    expect(variance(normals)).toBeCloseTo(1, 1);
    const first = Array.from({ length: 2000 }, (_, key) => streamOf("keys", key)());
    expect(mean(first)).toBeCloseTo(0.5, 1);
  });
});

describe("statistics against published tables", () => {
  it("Student's t", () => {
    const table: [share: number, freedom: number, value: number][] = [
      [0.975, 1, 12.706205],
      [0.75, 2, 0.816497],
      [0.975, 2, 4.302653],
      [0.6, 3, 0.276671],
      [0.975, 3, 3.182446],
      [0.55, 4, 0.13383],
      [0.9, 4, 1.533206],
      [0.999, 4, 7.173182],
      [0.75, 5, 0.726687],
      [0.95, 5, 2.015048],
      [0.75, 10, 0.699812],
      [0.975, 10, 2.228139],
      [0.9995, 10, 4.586894],
      [0.6, 30, 0.255605],
      [0.995, 30, 2.749996],
      [0.975, 120, 1.97993],
    ];
    for (const [share, freedom, value] of table) expect(Math.abs(studentT(share, freedom) - value)).toBeLessThan(5e-6);
    expect(studentT(0.025, 10)).toBeCloseTo(-2.228, 3);
  });

  it("the normal distribution", () => {
    for (const [share, value] of [
      [0.5, 0],
      [0.975, 1.959964],
      [0.995, 2.575829],
      [0.01, -2.326348],
      [0.841345, 1],
    ] as const)
      expect(normalQuantile(share)).toBeCloseTo(value, 5);
  });

  it("the truncated normal distribution", () => {
    // mean, sd, ends, a place with its density, a share with its quantile: by SciPy 1.17's truncnorm
    for (const [mean, sd, low, high, at, density, share, quantile] of [
      [0, 1, -1, 2, 0.5, 0.430085076, 0.25, -0.349641429],
      [0.3, 0.2, 0, 1, 0.1, 1.296790219, 0.9, 0.563866911],
      [-0.5, 0.1, 0, 1, 0.01, 31.300840611, 0.5, 0.013201833],
      [1.4, 0.2, 0, 1, 0.95, 6.975707198, 0.05, 0.789647313],
    ] as const) {
      const cut = { mean, sd, low, high };
      expect(truncatedDensity(cut, at) / density).toBeCloseTo(1, 2); // 0.2 % off five deviations out, where normalShare ends
      expect(truncatedQuantile(cut, share)).toBeCloseTo(quantile, 3);
      expect([truncatedQuantile(cut, 0), truncatedQuantile(cut, 1), truncatedDensity(cut, high + 1e-9)]).toEqual([
        expect.closeTo(low, 3),
        expect.closeTo(high, 3),
        0,
      ]);
    }
  });

  it("quantiles (type 7), median, variance", () => {
    expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75);
    expect(median([3, 1, 2])).toBe(2);
    expect(variance([2, 4, 4, 4, 5, 5, 7, 9])).toBeCloseTo(32 / 7, 12);
    expect([variance([1, 3]), variance([3]), variance([])]).toEqual([2, 0, 0]);
    expect([mean([]), median([]), quantile([7], 0.9)]).toEqual([NaN, NaN, 7]);
  });
});

describe("designs", () => {
  it("Sobol points begin as published", () => {
    const published = [
      [0, 0, 0],
      [0.5, 0.5, 0.5],
      [0.75, 0.25, 0.25],
      [0.25, 0.75, 0.75],
      [0.375, 0.375, 0.625],
      [0.875, 0.875, 0.125],
      [0.625, 0.125, 0.875],
      [0.125, 0.625, 0.375],
    ];
    expect(published.map((_, index) => sobol(index, 3))).toEqual(published);
  });

  it("Sobol points fill every slice of every dimension evenly, scrambled too", () => {
    for (const key of [undefined, "scrambled"])
      for (let dimension = 0; dimension < 21; dimension++) {
        const slices = Array.from({ length: 64 }, (_, index) =>
          Math.floor((sobol(index, 21, key)[dimension] as number) * 64),
        );
        expect(new Set(slices).size).toBe(64);
      }
  });

  it("a Latin hypercube has one point in each slice", () => {
    const points = latinHypercube(10, 4, streamOf("latin"));
    for (let dimension = 0; dimension < 4; dimension++)
      expect(points.map((point) => Math.floor((point[dimension] as number) * 10)).sort()).toEqual([
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
      ]);
    const corners = points.filter(([a = 0, b = 0]) => Math.abs(a - b) < 0.1);
    expect(corners.length).toBeLessThan(8); // the slices of two dimensions are paired at random
  });

  it("orthogonal arrays have the rows and columns of Taguchi's and strength 2", () => {
    const arrays: [factors: number, levels: 2 | 3 | 4 | 5, rows: number][] = [
      [3, 2, 4],
      [4, 2, 8],
      [8, 2, 12],
      [7, 2, 8],
      [11, 2, 12],
      [15, 2, 16],
      [19, 2, 20],
      [23, 2, 24],
      [31, 2, 32],
      [4, 3, 9],
      [5, 3, 27],
      [13, 3, 27],
      [5, 4, 16],
      [6, 4, 64],
      [6, 5, 25],
    ];
    for (const [factors, levels, rows] of arrays) {
      const array = orthogonalArray(factors, levels);
      expect([array.length, array[0]?.length]).toEqual([rows, factors]);
      for (let a = 0; a < factors; a++)
        for (let b = a + 1; b < factors; b++) {
          const counts = new Map<string, number>();
          for (const row of array) counts.set(`${row[a]} ${row[b]}`, (counts.get(`${row[a]} ${row[b]}`) ?? 0) + 1);
          expect([...counts.values()]).toEqual(Array(levels * levels).fill(rows / (levels * levels)));
        }
    }
    expect(() => orthogonalArray(40, 2)).toThrow(RangeError);
  });

  it("L8 and L9 are the published ones up to names of levels and columns", () => {
    const L9 = ["1111", "1222", "1333", "2123", "2231", "2312", "3132", "3213", "3321"].map((row) =>
      row.split("").map((level) => Number(level) - 1),
    );
    const built = orthogonalArray(4, 3);
    const shapeOf = (array: number[][]) =>
      array
        .map((row, i) => array.slice(i + 1).map((other) => row.filter((level, at) => level === other[at]).length))
        .flat()
        .sort();
    expect(shapeOf(built)).toEqual(shapeOf(L9)); // any two rows agree in exactly one column
    expect(new Set(shapeOf(orthogonalArray(7, 2)))).toEqual(new Set([3])); // of L8 in exactly three
  });
});
