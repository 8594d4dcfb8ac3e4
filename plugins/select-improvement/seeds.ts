import { mean } from "../../kit/index.ts";

/** One measurement of a candidate. */
export interface Measurement {
  readonly seed: number;
  readonly value: number;
}

/** What a seed adds to every candidate's value, and how much of a degree of freedom each of its measurements spent on it. */
export interface SeedEffect {
  readonly value: number;
  readonly spent: number;
}

/** A candidate's measurements as if all had been on its first seed, and the degrees of freedom that they leave. */
export interface Leveled {
  readonly values: readonly number[];
  readonly freedom: number;
}

/**
 * What seeds do to all candidates alike (a split of the data that is easier, say), relative to the seed of the first
 * measurements. Candidates are compared on that one seed, so a repeat on another must not move the one that was repeated
 * against those that were not.
 *
 * Candidates and seeds are a two-way layout with random effects (Searle, Casella and McCulloch, Variance components, 1992,
 * chapter 4). Of the differences d of repeats to first measurements, the mean square is 2u + 2e and that within a seed 2e,
 * with u the variance of the seeds' effects and e that of the rest; until candidates share a seed each is believed to be a
 * half, which counts as one degree of freedom. A seed's effect is the mean of its n differences times u / (u + e / n), its
 * best linear prediction.
 */
export function seedEffects(candidates: Iterable<readonly Measurement[]>): ReadonlyMap<number, SeedEffect> {
  const differences = new Map<number, number[]>();
  for (const [first, ...repeats] of candidates)
    for (const { seed, value } of repeats)
      differences.set(seed, [...(differences.get(seed) ?? []), value - (first as Measurement).value]);
  const seeds = [...differences];
  const square = mean(seeds.flatMap(([, all]) => all.map((d) => d ** 2)));
  let [within, freedom] = [square / 2, 1];
  for (const [, all] of seeds) {
    const middle = mean(all);
    for (const d of all) within += (d - middle) ** 2;
    freedom += all.length - 1;
  }
  const rest = within / freedom;
  const shared = square - rest;
  return new Map(
    seeds.map(([seed, all]) => {
      const trust = shared > 0 ? shared / (shared + rest / all.length) : 0;
      return [seed, { value: trust * mean(all), spent: trust / all.length }];
    }),
  );
}

/** A candidate's measurements without what their seeds do to all. */
export function leveled(measured: readonly Measurement[], effects: ReadonlyMap<number, SeedEffect>): Leveled {
  const repeats = measured.slice(1).map(({ seed, value }) => ({ value, effect: effects.get(seed) }));
  return {
    values: [
      ...measured.slice(0, 1).map(({ value }) => value),
      ...repeats.map(({ value, effect }) => value - (effect?.value ?? 0)),
    ],
    freedom: repeats.reduce((sum, { effect }) => sum + 1 - (effect?.spent ?? 0), 0),
  };
}
