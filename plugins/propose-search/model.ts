import { mean, quantile, variance, type Axis } from "../../kit/index.ts";
import { squareOf } from "./columns.ts";
import { factored, pairsOf, scalesOf, squaresOf, withPoint, type Factor } from "./covariance.ts";
import { ascend, priorOf, startOf, type Ascent, type Noise } from "./evidence.ts";
import type { Tried } from "./knowledge.ts";

/** What proposals are ranked by: the points near the best one, and how their outcomes vary together. */
export interface Model extends Scale {
  /** The trial in the middle. */
  readonly center: number;
  /** In the order of the factor's points. */
  readonly tried: readonly Tried[];
  readonly factor: Factor;
  readonly ascent: Ascent;
  /** Whether repeats differed, at the fit. */
  readonly isNoisy: boolean;
  /** Trials since the fit. */
  readonly age: number;
}

/** Outcomes as the model sees them. */
interface Scale {
  readonly y: readonly number[];
  readonly toModel: (loss: number) => number;
  readonly toLoss: (y: number) => number;
}

/** Repeats that differ by less, of the outcomes' standard deviation, tell nothing. */
const agreement = 1e-3;
/** Points that the model is fitted to at the most: the nearest to the best one. */
const window = 100;
/** Up to so many points there is a fit after every trial; with more it lasts as long as it costs, by the cube. */
const cheap = 56;
const roundsFor = (points: number): number => Math.max(1, Math.min(10, Math.round((32 / points) ** 2)));
const lifetimeOf = (points: number): number => Math.max(1, Math.round((points / cheap) ** 3));

/** The model after one more trial, of that id. `center`: the trial of the best point. */
export function modelAfter(
  model: Model | undefined,
  all: ReadonlyMap<number, Tried>,
  axes: readonly Axis[],
  id: number,
  center: number,
): Model | undefined {
  const isIn = center === id || model?.tried.some((one) => one.id === center);
  const age = (model?.age ?? 0) + 1;
  const trial = all.get(id);
  const at = model?.tried.findIndex((one) => one.id === id) ?? -1;
  const isLost = at >= 0 && trial?.losses.length === 0;
  if (!model || !isIn || isLost || age >= lifetimeOf(model.tried.length))
    return modelOf(all, axes, center, model?.ascent);
  const aged = { ...model, center, age };
  if (trial && at >= 0) {
    const tried = model.tried.map((one) => all.get(one.id) ?? one); // a repeat tells of its seed, so of other repeats
    const factor = factorOf(tried, model.ascent, squaresOf(axes, pointsOf(tried)));
    return { ...aged, ...scaleOf(tried), tried, factor };
  }
  if (trial?.losses.length !== 1) return aged;
  const tried = [...model.tried, trial];
  return { ...aged, ...scaleOf(tried), tried, factor: withPoint(axes, model.factor, trial.places) };
}

/** A model of the points nearest to that of the trial `center`; its fit goes on from another's. */
export function modelOf(
  all: ReadonlyMap<number, Tried>,
  axes: readonly Axis[],
  center: number,
  from?: Ascent,
  rounds?: number,
): Model | undefined {
  const measured = [...all.values()].filter(({ losses }) => losses.length > 0);
  if (measured.length < 3) return undefined;
  const tried = nearest(axes, measured, all.get(center)?.places ?? (measured[0] as Tried).places, window);
  const scale = scaleOf(tried);
  const squares = squaresOf(axes, pointsOf(tried));
  const noise = noiseOf(tried, scale);
  const prior = priorOf(axes, noise);
  const data = { y: scale.y, shares: sharesOf(tried) };
  const ascent = ascend(from ?? startOf(prior), squares, data, prior, rounds ?? roundsFor(tried.length));
  return {
    ...scale,
    center,
    tried,
    ascent,
    isNoisy: noise !== undefined,
    age: 0,
    factor: factorOf(tried, ascent, squares),
  };
}

const pointsOf = (tried: readonly Tried[]): (readonly number[])[] => tried.map(({ places }) => places);
const sharesOf = (tried: readonly Tried[]): number[] => tried.map(({ losses }) => 1 / losses.length);

function factorOf(tried: readonly Tried[], { theta }: Ascent, squares: readonly Float64Array[]): Factor {
  const scales = scalesOf(theta);
  return { scales, points: pointsOf(tried), lower: factored(scales, sharesOf(tried), pairsOf(squares, scales)) };
}

/** The points nearest to a place, at most so many, the nearest first. */
export function nearest(
  axes: readonly Axis[],
  tried: readonly Tried[],
  center: readonly number[],
  most: number,
): readonly Tried[] {
  const far = new Float64Array(tried.length);
  for (let i = 0; i < far.length; i++) far[i] = farFrom(axes, center, (tried[i] as Tried).places);
  const limit = far.toSorted()[most - 1] ?? Infinity;
  const within = [...tried.keys()].filter((i) => (far[i] as number) <= limit);
  return within
    .sort((a, b) => (far[a] as number) - (far[b] as number))
    .slice(0, most)
    .map((i) => tried[i] as Tried);
}

function farFrom(axes: readonly Axis[], center: readonly number[], places: readonly number[]): number {
  let sum = 0;
  for (let j = 0; j < places.length; j++)
    sum += squareOf((axes[j] as Axis).isCategory, center[j] as number, places[j] as number);
  return sum;
}

/** Of one measurement, pooled over the repeats; undefined where there are none. */
function pooled(tried: readonly Tried[]): Noise | undefined {
  const repeated = tried.filter(({ losses }) => losses.length > 1);
  const freedom = repeated.reduce((sum, one) => sum + one.freedom, 0);
  const squares = repeated.reduce((sum, { losses }) => sum + (losses.length - 1) * variance(losses), 0);
  return freedom === 0 ? undefined : { sd: Math.sqrt(squares / freedom), freedom };
}

/**
 * The same on the model's scale; undefined where the repeats agree as well. A program that draws all its luck from a seed
 * of its own repeats itself to the digit, and is no smoother for it: how rugged it is the other points have to tell.
 */
function noiseOf(tried: readonly Tried[], { toModel }: Scale): Noise | undefined {
  const noise = pooled(tried);
  if (!noise) return undefined;
  const best = Math.min(...tried.map(({ losses }) => mean(losses)));
  const sd = toModel(best + noise.sd) - toModel(best);
  return sd < agreement ? undefined : { ...noise, sd };
}

/**
 * Losses in units of their median distance to the best, beyond one unit by the
 * logarithm, since a model of what is good must not spend itself on how bad the
 * bad is; then standardised.
 */
function scaleOf(tried: readonly Tried[]): Scale {
  const losses = tried.map((one) => mean(one.losses));
  const best = Math.min(...losses);
  const above = losses.map((loss) => loss - best).filter((gap) => gap > 0);
  const unit = Math.max(above.length > 0 ? quantile(above, 0.5) : 0, pooled(tried)?.sd ?? 0, Number.MIN_VALUE);
  const bent = (loss: number): number => {
    const z = (loss - best) / unit;
    return z > 1 ? 1 + Math.log(z) : z;
  };
  const z = losses.map(bent);
  const shift = mean(z);
  const spread = Math.sqrt((variance(z) * (z.length - 1)) / z.length) || 1;
  return {
    y: z.map((one) => (one - shift) / spread),
    toModel: (loss) => (bent(loss) - shift) / spread,
    toLoss: (y) => {
      const one = shift + spread * y;
      return best + unit * (one > 1 ? Math.exp(one - 1) : one);
    },
  };
}
