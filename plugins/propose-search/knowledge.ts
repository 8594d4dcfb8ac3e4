import type { Objective, Outcome, TaskChange, Trial, View } from "../../core/index.ts";
import {
  candidateKey,
  canonical,
  mean,
  placesOf,
  quantile,
  variance,
  type Axis,
  type Values,
} from "../../kit/index.ts";
import { columnsOf, squaresFrom } from "./columns.ts";
import { ascend, priorOf, squaresOf, startOf, type Ascent, type Data } from "./surrogate.ts";

/** One point that was tried: all its measurements, or how it crashed. */
export interface Tried {
  readonly id: number;
  readonly places: readonly number[];
  /** Outcomes, lower is better. */
  readonly losses: readonly number[];
  readonly crash?: string;
}

/** What the search knows of its past: a fold of the finished trials. */
export interface Knowledge {
  tried: Map<number, Tried>;
  keys: Set<string>;
  /** Numbers of the edits that trials had, the empty ones first. */
  codes: Map<string, number>;
  ascent?: Ascent;
  /** Standard deviation of a step, as a share of the range: grows with every success, shrinks with every failure. */
  reach: number;
  /** Trials since the last that was kept. */
  stalled: number;
  fitted?: Fitted;
}

/** What the model is fitted to. */
export interface Fitted {
  /** The trial in the middle. */
  readonly center: number;
  readonly tried: readonly Tried[];
  readonly data: Data;
  readonly squares: readonly Float64Array[];
  readonly toModel: (loss: number) => number;
  readonly toLoss: (y: number) => number;
}

const reaches = { first: 0.15, most: 0.5, least: 0.02, success: 1.5, failure: 0.985 } as const;
/** Points that a model is fitted to at the most: the nearest to the best one. */
const window = 56;
/** Points that are remembered, before those that are neither good nor late are forgotten: what a proposal costs must not grow. */
const mostRemembered = 256;
/** Rounds of the fit after a trial: many while they cost nothing, one after every other trial once the window fills. */
const roundsFor = (points: number, trial: number): number =>
  points >= 0.75 * window ? trial % 2 : Math.max(1, Math.min(10, Math.round((32 / points) ** 2)));

export const nothing = (): Knowledge => ({
  tried: new Map(),
  keys: new Set(),
  codes: new Map([["[]", 0]]),
  reach: reaches.first,
  stalled: 0,
});

/** Another code is another landscape, though not an unknown one: one more axis, whose categories are the edits. */
export const withCode = (axes: readonly Axis[]): Axis[] => [
  ...axes,
  { name: "", path: [], domain: { type: "choice", values: [] }, isCategory: true, levels: [] },
];

export const placesWith = (axes: readonly Axis[], values: Values, code: number): number[] => [
  ...placesOf(axes, values),
  code,
];

/** The number of a candidate's edits; those that no finished trial had are new. */
export const codeOf = ({ codes }: Knowledge, { edits = [] }: TaskChange): number =>
  codes.get(canonical(edits)) ?? codes.size;

/** Takes in one finished trial. `axes`: the space's, without that of the code. */
export function learn(
  known: Knowledge,
  trial: Trial<TaskChange>,
  view: View<TaskChange>,
  axes: readonly Axis[],
): Knowledge {
  const { outcome, repeatOf, confirms, verdict, candidate } = trial;
  if (confirms || !outcome) return known;
  const id = repeatOf ?? trial.id;
  const before = known.tried.get(id);
  known.codes.set(canonical(candidate.edits ?? []), codeOf(known, candidate));
  known.keys.add(candidateKey(candidate));
  const places = before?.places ?? placesWith(axes, candidate.values ?? {}, codeOf(known, candidate));
  const crash = crashOf(outcome, view.objective);
  if (outcome.status === "measured" && (crash === undefined || id === 0)) {
    const loss = view.objective.direction === "minimize" ? outcome.metric : -outcome.metric;
    known.tried.set(id, { id, places, losses: [...(before?.losses ?? []), loss] });
  } else if (crash !== undefined && !before) known.tried.set(id, { id, places, losses: [], crash });
  if (repeatOf === undefined && trial.id !== 0) {
    const isSuccess = verdict?.decision === "keep";
    known.stalled = isSuccess ? 0 : known.stalled + 1;
    if (isSuccess) known.reach = Math.min(reaches.most, known.reach * reaches.success);
    else if (verdict?.decision !== "repeat") known.reach = Math.max(reaches.least, known.reach * reaches.failure);
  }
  if (known.tried.size > mostRemembered) known.tried = remembered(known.tried);
  known.fitted = fittedTo(known, withCode(axes), view.incumbent?.trial.id ?? 0);
  const { data, squares, tried } = known.fitted;
  if (tried.length >= 3) {
    const prior = priorOf(withCode(axes), noiseOf(known.fitted));
    known.ascent = ascend(known.ascent ?? startOf(prior), squares, data, prior, roundsFor(tried.length, trial.id));
  }
  return known;
}

/** Why a point must not be gone to again: the kind of its crash, or the limit that it broke. */
function crashOf(outcome: Outcome, { limits = {} }: Objective): string | undefined {
  if (outcome.status === "crashed") return outcome.kind;
  if (outcome.status !== "measured") return undefined;
  const broken = Object.entries(limits).find(([name, { min = -Infinity, max = Infinity }]) => {
    const value = outcome.metrics[name] ?? NaN;
    return !(value >= min && value <= max);
  });
  return broken && `limit of ${broken[0]}`;
}

function remembered(tried: ReadonlyMap<number, Tried>): Map<number, Tried> {
  const all = [...tried.values()];
  const share = mostRemembered / 4;
  const measured = all.filter(({ losses }) => losses.length > 0);
  const best = measured.toSorted((a, b) => mean(a.losses) - mean(b.losses)).slice(0, share);
  const crashed = all.filter(({ crash }) => crash !== undefined).slice(-share);
  const kept = new Set([...best, ...measured.slice(-share), ...crashed]);
  return new Map(all.filter((one) => kept.has(one) || one.id === 0).map((one) => [one.id, one]));
}

/** The points nearest to a place, at most so many. */
export function nearest(
  axes: readonly Axis[],
  tried: readonly Tried[],
  center: readonly number[],
  most: number,
): readonly Tried[] {
  if (tried.length <= most) return tried;
  const far = new Float64Array(tried.length);
  const squares = new Float64Array(tried.length);
  const places = tried.map((one) => one.places);
  for (const [j, column] of columnsOf(axes, places).entries()) {
    squaresFrom(column, center[j] as number, 1, squares);
    for (let i = 0; i < far.length; i++) far[i] = (far[i] as number) + (squares[i] as number);
  }
  return tried
    .map((one, i) => ({ one, far: far[i] as number }))
    .sort((a, b) => a.far - b.far)
    .slice(0, most)
    .map(({ one }) => one);
}

const pooled = (tried: readonly Tried[]): number => {
  const repeated = tried.filter(({ losses }) => losses.length > 1);
  const freedom = repeated.reduce((sum, { losses }) => sum + losses.length - 1, 0);
  const squares = repeated.reduce((sum, { losses }) => sum + (losses.length - 1) * variance(losses), 0);
  return freedom === 0 ? NaN : Math.sqrt(squares / freedom);
};

/** Standard deviation of one measurement on the model's scale, from repeats; undefined where there are none. */
function noiseOf({ tried, toModel }: Fitted): number | undefined {
  const sd = pooled(tried);
  const best = Math.min(...tried.map(({ losses }) => mean(losses)));
  return Number.isNaN(sd) ? undefined : toModel(best + sd) - toModel(best);
}

/**
 * The points near the one in the middle, for the model: losses in units of
 * their median distance to the best, beyond one unit by the logarithm, since a
 * model of what is good must not spend itself on how bad the bad is; then
 * standardised.
 */
export function fittedTo({ tried: all }: Knowledge, axes: readonly Axis[], center: number): Fitted {
  const measured = [...all.values()].filter(({ losses }) => losses.length > 0);
  const middle = all.get(center)?.places ?? measured[0]?.places ?? [];
  const tried = nearest(axes, measured, middle, window);
  const losses = tried.map((one) => mean(one.losses));
  const best = Math.min(...losses);
  const above = losses.map((loss) => loss - best).filter((gap) => gap > 0);
  const unit = Math.max(above.length > 0 ? quantile(above, 0.5) : 0, pooled(tried) || 0, Number.MIN_VALUE);
  const bent = (loss: number): number => {
    const z = (loss - best) / unit;
    return z > 1 ? 1 + Math.log(z) : z;
  };
  const z = losses.map(bent);
  const shift = mean(z);
  const spread = Math.sqrt((variance(z) * (z.length - 1)) / z.length) || 1;
  const points = tried.map(({ places }) => places);
  return {
    center,
    tried,
    data: { points, y: z.map((one) => (one - shift) / spread), shares: tried.map((one) => 1 / one.losses.length) },
    squares: squaresOf(axes, points),
    toModel: (loss) => (bent(loss) - shift) / spread,
    toLoss: (y) => {
      const one = shift + spread * y;
      return best + unit * (one > 1 ? Math.exp(one - 1) : one);
    },
  };
}
