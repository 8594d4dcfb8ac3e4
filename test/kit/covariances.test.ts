import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cauchy, cholesky, matern, rationalQuadratic, rationalQuadraticSlope } from "../../kit/index.ts";

const all = {
  matern: (r: number) => matern(r),
  cauchy: (r: number) => cauchy(r * r),
  rationalQuadratic: (r: number) => rationalQuadratic(r * r),
};

describe("covariances", () => {
  it("have the values of their formulas", () => {
    // (1 + √5 r + 5 r² / 3) exp(-√5 r), and (1 + r² / 2α) ^ -α with α = 2
    expect(matern(1)).toBeCloseTo(0.523994, 6);
    expect(matern(0.5)).toBeCloseTo(0.828649, 6);
    expect(rationalQuadratic(1)).toBeCloseTo(0.64, 12);
    expect(rationalQuadratic(4)).toBeCloseTo(0.25, 12);
    expect(cauchy(1)).toBe(0.5);
  });

  it.each(Object.entries(all))("%s is one where points meet, falls with the distance, and is positive", (_, of) => {
    expect(of(0)).toBe(1);
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 20, noNaN: true }),
        fc.double({ min: 0.01, max: 5, noNaN: true }),
        (r, more) => {
          expect(of(r + more)).toBeLessThan(of(r));
          expect(of(r + more)).toBeGreaterThan(0);
        },
      ),
    );
  });

  it.each(Object.entries(all))(
    "%s makes a covariance of any points: no combination of them has a variance below zero",
    (_, of) => {
      const points = fc.array(fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: 3, maxLength: 3 }), {
        minLength: 2,
        maxLength: 12,
      });
      fc.assert(
        fc.property(points, (list) => {
          const rows = list.map((a, i) =>
            list.map((b, j) => of(Math.hypot(...a.map((x, k) => x - (b[k] as number)))) + (i === j ? 1e-8 : 0)),
          );
          expect(() => cholesky(rows)).not.toThrow();
        }),
      );
    },
  );

  it("the slope of the rational quadratic is its derivative", () => {
    for (const s of [0, 0.3, 2, 9])
      expect(rationalQuadraticSlope(s)).toBeCloseTo(
        (rationalQuadratic(s + 1e-5) - rationalQuadratic(s - 1e-5)) / 2e-5,
        8,
      );
  });
});
