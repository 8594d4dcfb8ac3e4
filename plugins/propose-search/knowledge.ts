import type { Objective, Outcome, TaskChange, Trial, View } from "../../core/index.ts";
import { candidateKey, canonical, mean, placesOf, type Axis, type Values } from "../../kit/index.ts";
import { barOf, brokenLimit, noiseOf, type Measurement } from "../select-improvement/index.ts";
import { modelAfter, type Model } from "./model.ts";

/** One point that was tried: all its measurements, or how it crashed. */
export interface Tried {
  readonly id: number;
  readonly places: readonly number[];
  /** Outcomes with their seeds, lower is better. */
  readonly measured: readonly Measurement[];
  /** The same without what seeds do to all points alike, and the degrees of freedom that repeats leave. */
  readonly losses: readonly number[];
  readonly freedom: number;
  readonly crash?: string;
  /** It came from anywhere, to see whether the baseline is good. */
  readonly isFar: boolean;
}

/** What the search knows of its past: a fold of the finished trials. */
export interface Knowledge {
  tried: Map<number, Tried>;
  keys: Set<string>;
  /** Numbers of the edits that trials had, the empty ones first. */
  codes: Map<string, number>;
  /** Standard deviation of a step, as a share of the range: grows with every success, shrinks with every failure. */
  reach: number;
  /** Trials since the last that was kept. */
  stalled: number;
  /** What the first points after the baseline came to, a crash as infinity. */
  early: readonly number[];
  model?: Model;
}

const reaches = { first: 0.15, most: 0.5, least: 0.02, success: 1.5, failure: 0.985 } as const;
/** Points that are remembered, before those that are neither good nor late are forgotten: what a proposal costs must not grow. */
const mostRemembered = 256;

export const nothing = (): Knowledge => ({
  tried: new Map(),
  keys: new Set(),
  codes: new Map([["[]", 0]]),
  reach: reaches.first,
  stalled: 0,
  early: [],
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

/** Points measured before the model is asked. */
export const first = 6;
/** Points from anywhere at the most, and the share of them that has to be better than the baseline for the next. */
const mostFar = 7;
const shareFar = 0.4;

const farOf = ({ tried }: Knowledge): Tried[] => [...tried.values()].filter(({ isFar }) => isFar);

/** Whether enough of the points from anywhere were better than the baseline to say that it is not good. */
export function isBaselinePoor(known: Knowledge): boolean {
  const baseline = known.tried.get(0);
  if (!baseline) return false;
  const far = farOf(known);
  const better = far.filter(({ losses }) => losses.length > 0 && mean(losses) < mean(baseline.losses));
  return better.length > shareFar * far.length;
}

/**
 * The exploration weight: how often the uncertainty counts in what is proposed. Once where measurements have no noise;
 * otherwise up to half as often again, by the share of the first points that were better than the baseline: noise makes
 * the model surer than it should be, and the more there is to gain, the less it costs to look further.
 */
export function explorationOf({ tried, early, model }: Knowledge): number {
  const baseline = tried.get(0);
  if (!model?.isNoisy || !baseline || early.length === 0) return 1;
  const start = mean(baseline.losses);
  return 1 + early.filter((loss) => loss < start).length / early.length / 2;
}

/** The kind of what measured well and failed the objective's check. */
const check = "check";

/** What such a point is proposed for, by which it is known again. */
export const question = "from anywhere: is the baseline good?";

/** Whether the next point is to come from anywhere. `running`: how many trials are under way. */
export function isAsking(known: Knowledge, running: number): boolean {
  if (known.tried.size <= 1) return running === 0;
  return farOf(known).length + running < mostFar && isBaselinePoor(known);
}

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
  const crash = crashOf(trial, outcome, view.objective);
  const isFar = before?.isFar ?? trial.hypothesis === question;
  if (outcome.status === "measured" && (crash === undefined || id === 0)) {
    const loss = view.objective.direction === "minimize" ? outcome.metric : -outcome.metric;
    const measured = [...(before?.measured ?? []), { seed: trial.seed, value: loss }];
    known.tried.set(id, { id, places, measured, losses: [loss], freedom: 0, isFar });
    if (measured.length > 1) level(known.tried);
  } else if (crash !== undefined && (!before || crash === check))
    known.tried.set(id, { id, places, measured: [], losses: [], freedom: 0, crash, isFar });
  const point = known.tried.get(id);
  if (id !== 0 && point && !before && known.early.length < first)
    known.early = [...known.early, point.losses[0] ?? Infinity];
  if (repeatOf === undefined && trial.id !== 0) {
    const isSuccess = verdict?.decision === "keep";
    known.stalled = isSuccess ? 0 : known.stalled + 1;
    if (isSuccess) known.reach = Math.min(reaches.most, known.reach * reaches.success);
    else if (verdict?.decision !== "repeat") known.reach = Math.max(reaches.least, known.reach * reaches.failure);
  }
  if (known.tried.size > mostRemembered) known.tried = remembered(known.tried);
  known.model = modelAfter(known.model, known.tried, withCode(axes), id, view.incumbent?.trial.id ?? 0);
  return known;
}

/** Takes out what seeds do to all points, as the selector does, so that repeats are not told from the others by their seeds. */
function level(tried: Map<number, Tried>): void {
  const { levels } = noiseOf(new Map([...tried].map(([id, { measured }]) => [id, measured])));
  for (const [id, { values, freedom }] of levels)
    tried.set(id, { ...(tried.get(id) as Tried), losses: values, freedom });
}

const movedFrom = (from: readonly number[], places: readonly number[]): number[] =>
  places.flatMap((place, axis) => (Object.is(place, from[axis]) ? [] : [axis]));

/** Axes on which points near the start differ from it, finished or `running`; those that came from anywhere differ on all. */
export function movedOf(
  known: Knowledge,
  start: readonly number[],
  running: readonly (readonly number[])[],
): Set<number> {
  const near = [...known.tried.values()].filter(({ isFar }) => !isFar).map(({ places }) => places);
  return new Set([...near, ...running].flatMap((places) => movedFrom(start, places)));
}

/** Why a point must not be gone to again: the kind of its crash, the limit that it broke, that it was stopped early or failed the check. */
function crashOf(trial: Trial<TaskChange>, outcome: Outcome, objective: Objective): string | undefined {
  if (outcome.status === "crashed") return outcome.kind;
  if (outcome.status === "pruned") return outcome.status;
  if (outcome.status !== "measured") return undefined;
  const broken = brokenLimit(objective, outcome.metrics);
  if (broken !== undefined) return `limit of ${broken}`;
  return objective.check && barOf(trial) !== undefined ? check : undefined;
}

function remembered(tried: ReadonlyMap<number, Tried>): Map<number, Tried> {
  const all = [...tried.values()];
  const share = mostRemembered / 4;
  const measured = all.filter(({ losses }) => losses.length > 0).map((one) => ({ one, loss: mean(one.losses) }));
  const best = measured.toSorted((a, b) => a.loss - b.loss).slice(0, share);
  const crashed = all.filter(({ crash }) => crash !== undefined).slice(-share);
  const kept = new Set([...[...best, ...measured.slice(-share)].map(({ one }) => one), ...crashed]);
  return new Map(all.filter((one) => kept.has(one) || one.id === 0).map((one) => [one.id, one]));
}
