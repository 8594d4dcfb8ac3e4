import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mean } from "../../../kit/index.ts";
import { leveled, seedEffects, type Measurement } from "../../../plugins/select-improvement/seeds.ts";

/** Measurements of one candidate, on the seeds from 42 on. */
const on42 = (...values: number[]): Measurement[] => values.map((value, n) => ({ seed: 42 + n, value }));
const effectOn = (seed: number, ...candidates: Measurement[][]): number =>
  seedEffects(candidates).get(seed)?.value ?? 0;

describe("what seeds do to all candidates alike", () => {
  it("is taken out of the repeats as soon as several candidates tell the same of a seed", () => {
    const candidates = [on42(10, 7.1), on42(4, 0.9, 5.1), on42(2, -1.1, 2.9), on42(6, 3.1, 7)];
    const effects = seedEffects(candidates);
    expect(effects.get(43)?.value).toBeCloseTo(-3, 0);
    expect(effects.get(44)?.value).toBeCloseTo(1, 0);
    for (const candidate of candidates)
      for (const value of leveled(candidate, effects).values) expect(value).toBeCloseTo(candidate[0]?.value ?? NaN, 0);
  });

  it("is nothing where the repeats scatter whatever the seed", () => {
    const candidates = [on42(10, 10.2), on42(4, 3.8), on42(2, 2.1), on42(6, 5.9)];
    expect(seedEffects(candidates).get(43)?.value).toBeCloseTo(0, 10);
    expect(leveled(candidates[1] as Measurement[], seedEffects(candidates))).toEqual({ values: [4, 3.8], freedom: 1 });
  });

  it("is half of what one repeat differs, before another candidate shares its seed", () => {
    expect(effectOn(43, on42(10, 6))).toBe(-2);
    expect(leveled(on42(10, 6), seedEffects([on42(10, 6)]))).toEqual({ values: [10, 8], freedom: 0.5 });
  });

  it("is none where nothing was measured twice, or the repeats agree", () => {
    expect(seedEffects([on42(1), on42(2)]).size).toBe(0);
    expect(leveled(on42(3), new Map())).toEqual({ values: [3], freedom: 0 });
    expect(leveled(on42(3, 3, 3), seedEffects([on42(3, 3, 3)]))).toEqual({ values: [3, 3, 3], freedom: 2 });
  });

  it("moves with the unit, and not with the level of what is measured", () => {
    const value = fc.integer({ min: -1000, max: 1000 });
    const candidate = fc.array(value, { minLength: 2, maxLength: 4 }).map((values) => on42(...values));
    const candidates = fc.array(candidate, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(candidates, value, fc.integer({ min: 1, max: 9 }), (given, shift, unit) => {
        const other = given.map((one) => one.map(({ seed, value }) => ({ seed, value: unit * value + shift })));
        const [before, after] = [seedEffects(given), seedEffects(other)];
        for (const [seed, effect] of before) {
          expect(after.get(seed)?.value).toBeCloseTo(unit * effect.value, 6);
          expect(after.get(seed)?.spent).toBeCloseTo(effect.spent, 8);
        }
      }),
    );
  });

  it("never goes beyond the mean difference, nor spends more freedom than a seed's repeats have", () => {
    const value = fc.double({ min: -10, max: 10, noNaN: true });
    const candidate = fc.array(value, { minLength: 1, maxLength: 4 }).map((values) => on42(...values));
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 1, maxLength: 6 }), (candidates) => {
        for (const [seed, { value, spent }] of seedEffects(candidates)) {
          const shared = candidates.flatMap(([first, ...repeats]) =>
            repeats.flatMap((one) => (one.seed === seed ? [one.value - (first?.value ?? 0)] : [])),
          );
          expect(Math.abs(value)).toBeLessThanOrEqual(Math.abs(mean(shared)) + 1e-9);
          expect(spent * shared.length).toBeGreaterThanOrEqual(0);
          expect(spent * shared.length).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});
