import { bordersOf, cholesky, normalQuantile, normalShare, solveLower, type Axis } from "../../kit/index.ts";

/**
 * The search distribution of CMA-ES (Hansen, The CMA evolution strategy: a
 * tutorial, 2016) on places in [0, 1]. Steps go by the triangular factor of the
 * covariance instead of its symmetric root (Krause, Arbonès and Igel 2016).
 */
export interface Distribution {
  readonly mean: readonly number[];
  readonly sigma: number;
  readonly covariance: readonly (readonly number[])[];
  /** Factors on whole numbers' steps, that keep them from freezing. */
  readonly spread: readonly number[];
  readonly pathSigma: readonly number[];
  readonly pathC: readonly number[];
  /** Of a category, the chance of each of its values. */
  readonly chances: readonly (readonly number[])[];
  readonly generation: number;
  readonly population: number;
}

export const usualPopulation = (dimensions: number): number => 4 + Math.floor(3 * Math.log(Math.max(1, dimensions)));

export function startAt(
  axes: readonly Axis[],
  mean: readonly number[],
  sigma: number,
  population: number,
): Distribution {
  const d = axes.length;
  const zeros = Array.from({ length: d }, () => 0);
  return {
    mean: mean.map((place, j) => (Number.isNaN(place) || axes[j]?.isCategory ? 0.5 : place)),
    sigma,
    covariance: zeros.map((_, i) => zeros.map((__, j) => (i === j ? 1 : 0))),
    spread: zeros.map(() => 1),
    pathSigma: zeros,
    pathC: zeros,
    chances: axes.map(({ isCategory, levels }, j) =>
      isCategory ? levels.map((level) => (level === mean[j] ? 0.5 : 0.5 / Math.max(1, levels.length - 1))) : [],
    ),
    generation: 0,
    population,
  };
}

/** A place of the distribution, not yet rounded. */
export function drawFrom(
  axes: readonly Axis[],
  { mean, sigma, covariance, spread, chances }: Distribution,
  normal: () => number,
  random: () => number,
): number[] {
  const z = mean.map(normal);
  const lower = cholesky(covariance);
  return axes.map(({ isCategory }, j) => {
    if (isCategory) {
      let left = random();
      const each = chances[j] as readonly number[];
      const at = each.findIndex((chance) => (left -= chance) < 0);
      return at < 0 ? each.length - 1 : at;
    }
    const row = lower[j] as readonly number[];
    const step = row.reduce((sum, one, k) => sum + one * (z[k] as number), 0);
    return (mean[j] as number) + sigma * (spread[j] as number) * step;
  });
}

/** After a generation, its points from best to worst: mean, step size, covariance and chances follow the better half. */
export function updated(
  axes: readonly Axis[],
  before: Distribution,
  ranked: readonly (readonly number[])[],
): Distribution {
  const d = axes.length;
  const parents = Math.max(1, Math.floor(ranked.length / 2));
  const raw = Array.from({ length: parents }, (_, i) => Math.log((ranked.length + 1) / 2) - Math.log(i + 1));
  const total = raw.reduce((sum, one) => sum + one, 0);
  const weights = raw.map((one) => one / total);
  const mass = 1 / weights.reduce((sum, one) => sum + one * one, 0);
  const cSigma = (mass + 2) / (d + mass + 5);
  const dSigma = 1 + cSigma + 2 * Math.max(0, Math.sqrt((mass - 1) / (d + 1)) - 1);
  const cC = (4 + mass / d) / (d + 4 + (2 * mass) / d);
  const c1 = 2 / ((d + 1.3) ** 2 + mass);
  const cMu = Math.min(1 - c1, (2 * (mass - 2 + 1 / mass)) / ((d + 2) ** 2 + mass));
  const expected = Math.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d));

  const steps = ranked
    .slice(0, parents)
    .map((places) =>
      places.map((place, j) =>
        axes[j]?.isCategory || Number.isNaN(place)
          ? 0
          : (place - (before.mean[j] as number)) / (before.sigma * (before.spread[j] as number)),
      ),
    );
  const shift = before.mean.map((_, j) =>
    weights.reduce((sum, w, i) => sum + w * ((steps[i] as number[])[j] as number), 0),
  );
  const white = solveLower(cholesky(before.covariance), shift);
  const pathSigma = before.pathSigma.map(
    (p, j) => (1 - cSigma) * p + Math.sqrt(cSigma * (2 - cSigma) * mass) * (white[j] as number),
  );
  const length = Math.sqrt(pathSigma.reduce((sum, one) => sum + one * one, 0));
  const isSteady =
    length / Math.sqrt(1 - (1 - cSigma) ** (2 * (before.generation + 1))) < (1.4 + 2 / (d + 1)) * expected;
  const pathC = before.pathC.map(
    (p, j) => (1 - cC) * p + (isSteady ? Math.sqrt(cC * (2 - cC) * mass) * (shift[j] as number) : 0),
  );
  const rest = 1 - c1 - cMu + (isSteady ? 0 : c1 * cC * (2 - cC));
  const covariance = before.covariance.map((row, i) =>
    row.map(
      (c, j) =>
        rest * c +
        c1 * (pathC[i] as number) * (pathC[j] as number) +
        cMu *
          weights.reduce(
            (sum, w, k) => sum + w * ((steps[k] as number[])[i] as number) * ((steps[k] as number[])[j] as number),
            0,
          ),
    ),
  );
  const rate = cMu + c1;
  const next = {
    ...before,
    mean: before.mean.map((m, j) =>
      Math.min(1, Math.max(0, m + before.sigma * (before.spread[j] as number) * (shift[j] as number))),
    ),
    sigma: Math.min(0.5, before.sigma * Math.exp(Math.min(1, (cSigma / dSigma) * (length / expected - 1)))),
    covariance: covariance.map((row, i) => row.map((c, j) => (i === j ? c + 1e-12 : c))),
    pathSigma,
    pathC,
    chances: before.chances.map((each, j) =>
      withMargin(
        each.map(
          (chance, k) =>
            (1 - rate) * chance +
            rate * weights.reduce((sum, w, i) => sum + ((ranked[i] as readonly number[])[j] === k ? w : 0), 0),
        ),
        1 / (ranked.length * d),
      ),
    ),
    generation: before.generation + 1,
  };
  return withMargins(axes, next, 1 / (ranked.length * d));
}

/** No value's chance below the margin (CatCMA: Hamano et al. 2024). */
function withMargin(chances: readonly number[], margin: number): number[] {
  const least = Math.min(margin, 0.5 / Math.max(1, chances.length));
  const raised = chances.map((chance) => Math.max(chance, least));
  const total = raised.reduce((sum, one) => sum + one, 0);
  return raised.map((one) => one / total);
}

/**
 * A whole number's chance to leave its present value is kept at `margin` or
 * more: its steps are widened and its mean moved until it is (CMA-ES with
 * margin: Hamano, Saito, Nomura and Shirakawa 2022, section 4).
 */
function withMargins(axes: readonly Axis[], given: Distribution, margin: number): Distribution {
  const mean = [...given.mean];
  const spread = [...given.spread];
  for (const [j, { isCategory, levels }] of axes.entries()) {
    if (isCategory || levels.length < 2) continue;
    const sd = given.sigma * (spread[j] as number) * Math.sqrt((given.covariance[j] as readonly number[])[j] as number);
    const borders = bordersOf(levels);
    const at = mean[j] as number;
    const below = borders.findLast((border) => border < at);
    const above = borders.find((border) => border >= at);
    if (below === undefined || above === undefined) {
      const border = (below ?? above) as number;
      const reach = sd * normalQuantile(1 - margin);
      if (Math.abs(at - border) > reach) mean[j] = border + Math.sign(at - border) * reach;
      continue;
    }
    const low = Math.max(margin / 2, normalShare((below - at) / sd));
    const high = Math.max(margin / 2, 1 - normalShare((above - at) / sd));
    const [a, b] = [normalQuantile(1 - Math.min(low, 0.49)), normalQuantile(1 - Math.min(high, 0.49))];
    const wanted = (above - below) / (a + b);
    if (wanted <= sd) continue;
    spread[j] = ((spread[j] as number) * wanted) / sd;
    mean[j] = (below * b + above * a) / (a + b);
  }
  return { ...given, mean, spread };
}

/** Nothing moves any more. */
export const isExhausted = ({ sigma, covariance, pathC }: Distribution): boolean =>
  covariance.every((row, i) => sigma * Math.max(Math.abs(pathC[i] as number), Math.sqrt(row[i] as number)) < 1e-4);
