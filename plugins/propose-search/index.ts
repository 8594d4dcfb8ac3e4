import type { Draft, Plugin, TaskChange, Taps, Trial, Turn, View } from "../../core/index.ts";
import { axesOf, describeMove, expectedImprovement, placesOf, shuffle, valuesAt, valuesKey, violation, type Axis, type Space, type Values } from "../../kit/index.ts";
import { crashChance } from "./feasibility.ts";
import { keyOf, lossOf, noiseOf, scaled, scaleOf, unscaled, type Scale, type Tried } from "./history.ts";
import { anyPlace, crossing, denseMove, differenceMove, mixture, sparseMove, type Reach } from "./moves.ts";
import { ascend, priorOf, squaresOf, startOf, Surrogate, type Ascent, type Data } from "./surrogate.ts";
import { tuning } from "./tuning.ts";

const lengths: Readonly<Record<string, number>> = { explore: 2, balanced: 1, exploit: 0.5 };

interface State {
  tried: Map<number, Tried>;
  keys: Set<string>;
  ascent?: Ascent;
  region: number;
  /** Trials since the last that was kept. */
  stalled: number;
  /** What the model knew at the last trial, with this point in the middle. */
  known?: Known;
}

/** The default. */
export function proposeSearch(): Plugin {
  return {
    name: "propose-search",
    contract: 1,
    apply(taps: Taps<TaskChange>) {
      taps.propose("SOURCE", searchMoves(taps));
    },
  };
}

export function searchMoves(taps: Taps<TaskChange>): (draft: Draft<TaskChange>, turn: Turn<TaskChange>) => Draft<TaskChange> | undefined {
  const space = taps.space ?? { parameters: {} };
  const axes = axesOf(space);
  const sign = taps.objective.direction === "minimize" ? 1 : -1;
  const state = taps.state<State>(
    () => ({ tried: new Map(), keys: new Set(), region: tuning.region.start, stalled: 0 }),
    (known, trial: Trial<TaskChange>, view: View<TaskChange>) => learn(known, trial, view, axes, sign),
  );
  return (draft, turn) => {
    if (draft.candidate !== undefined || !turn.view.space) return undefined;
    return { ...draft, ...propose(space, axes, state.value, turn, sign), by: "propose-search" };
  };
}

function learn(state: State, trial: Trial<TaskChange>, view: View<TaskChange>, axes: readonly Axis[], sign: number): State {
  const { outcome, repeatOf, confirms, verdict } = trial;
  if (confirms || !outcome) return state;
  const root = repeatOf ?? trial.id;
  const before = state.tried.get(root);
  const values = trial.candidate.values ?? {};
  state.keys.add(keyOf(trial));
  if (outcome.status === "measured")
    state.tried.set(root, { id: root, values, places: before?.places ?? placesOf(axes, values), losses: [...(before?.losses ?? []), sign * outcome.metric] });
  else if (outcome.status === "crashed" && !before)
    state.tried.set(root, { id: root, values, places: placesOf(axes, values), losses: [], crash: outcome.kind });
  if (repeatOf === undefined && trial.id !== 0) {
    const { grow, shrink, most, least } = tuning.region;
    const isBetter = verdict?.decision === "keep";
    state.region = Math.min(most, state.region * (isBetter ? grow : verdict?.decision === "repeat" ? 1 : shrink));
    state.stalled = isBetter ? 0 : state.stalled + 1;
    if (state.region < least) state.region = tuning.region.reset;
  }
  if (state.tried.size > mostKnown) state.tried = remembered(state.tried);
  const center = view.incumbent?.trial.id ?? 0;
  const known = dataOf(state, axes, center);
  state.known = known;
  const { data, prior, tried, squares } = known;
  if (tried.length >= 3) {
    const rounds = Math.max(1, Math.min(10, Math.round(tuning.rounds * (32 / tried.length) ** 2)));
    state.ascent = ascend(state.ascent ?? startOf(prior), squares, data, prior, rounds);
  }
  return state;
}

/** Points that are remembered, before those that are neither good nor late are forgotten: what a proposal costs must not grow. */
const mostKnown = 256;

function remembered(tried: ReadonlyMap<number, Tried>): Map<number, Tried> {
  const all = [...tried.values()];
  const measured = all.filter(({ losses }) => losses.length > 0);
  const best = measured.toSorted((a, b) => lossOf(a) - lossOf(b)).slice(0, mostKnown / 4);
  const crashed = all.filter(({ crash }) => crash !== undefined).slice(-mostKnown / 4);
  const kept = new Set([...best, ...measured.slice(-mostKnown / 4), ...crashed]);
  return new Map(all.filter((one) => kept.has(one) || one.id === 0).map((one) => [one.id, one]));
}

interface Known {
  center: number;
  data: Data;
  squares: readonly Float64Array[];
  prior: ReturnType<typeof priorOf>;
  tried: Tried[];
  scale: Scale;
  /** Of the standardised outcomes. */
  middle: number;
  spread: number;
}

/** What the model is fitted to: the points nearest to the center, not more than the window. */
function dataOf(state: State, axes: readonly Axis[], centerId: number): Known {
  const all = [...state.tried.values()].filter(({ losses }) => losses.length > 0);
  const center = state.tried.get(centerId)?.places ?? [];
  const far = ({ places }: Tried): number => axes.reduce((sum, { isCategory }, j) => {
    const step = (places[j] as number) - (center[j] as number);
    return sum + (isCategory ? (step === 0 ? 0 : 0.25) : step === step ? Math.abs(step) : 0.25);
  }, 0);
  const window = tuning.window;
  const tried = all.length <= window ? all : all.map((one) => ({ one, at: far(one) })).sort((a, b) => a.at - b.at).slice(0, window).map(({ one }) => one);
  const { variance, freedom } = noiseOf(tried);
  const losses = tried.map(lossOf);
  const scale = scaleOf(losses, Math.sqrt(variance));
  const z = losses.map((loss) => scaled(scale, loss));
  const middle = z.reduce((sum, one) => sum + one, 0) / z.length;
  const spread = Math.sqrt(z.reduce((sum, one) => sum + (one - middle) ** 2, 0) / z.length) || 1;
  const data = { points: tried.map(({ places }) => places), y: z.map((one) => (one - middle) / spread), shares: tried.map((one) => 1 / one.losses.length) };
  const prior = priorOf(axes, freedom > 0 ? Math.sqrt(variance) / scale.unit / spread : undefined);
  return { center: centerId, data, squares: squaresOf(axes, data.points), prior, tried, scale, middle, spread };
}

function propose(space: Space, axes: readonly Axis[], state: State, turn: Turn<TaskChange>, sign: number): Pick<Draft<TaskChange>, "candidate" | "hypothesis"> {
  const { policy, pending } = turn.view;
  const { random } = turn;
  const from = turn.parent.candidate.values ?? {};
  const start = placesOf(axes, from);
  const free = axes.flatMap(({ name, levels }, axis) => (policy.frozen.includes(name) || Number.isNaN(start[axis]) || levels.length === 1 ? [] : [axis]));
  const reach: Reach = { step: state.region * (lengths[policy.strategy] ?? 1), free, chances: free.map((axis) => (policy.focus.includes((axes[axis] as Axis).name) ? 4 : 1)) };
  const running = pending.filter((trial) => trial.repeatOf === undefined);
  const taken = new Set([...running.map(keyOf), ...turn.refused.flatMap(({ candidate }) => (candidate?.values ? [valuesKey(candidate.values)] : []))]);
  const deciding = new Set(Object.values(space.parameters).flatMap(({ when }) => Object.keys(when ?? {})));
  const switches = axes.flatMap(({ name }, axis) => (deciding.has(name) ? [axis] : []));
  /** Without what a moved choice made inactive, with defaults for what became active. */
  const whole = (places: readonly number[]): readonly number[] =>
    switches.some((axis) => places[axis] !== start[axis]) ? placesOf(axes, valuesAt(space, axes, places, from)) : places;
  const isNew = (values: Values): boolean => !state.keys.has(valuesKey(values)) && !taken.has(valuesKey(values)) && violation(space, values) === undefined;
  const told = (values: Values, belief = describeMove(from, values)) => ({ candidate: { values }, hypothesis: belief });
  if (free.length === 0) return { candidate: { values: from } };
  const known = state.known?.center === turn.parent.id ? state.known : dataOf(state, axes, turn.parent.id);
  const plain = () => {
    let values = from;
    for (let look = 0; look < 20; look++) {
      values = valuesAt(space, axes, sparseMove(axes, start, random, reach), from);
      if (isNew(values)) break;
    }
    return told(values);
  };
  if (known.tried.length < tuning.first || !state.ascent || random() < tuning.plain) return plain();
  const model = new Surrogate(axes, known.data, state.ascent.theta, running.map((trial) => placesOf(axes, trial.candidate.values ?? {})), known.squares);
  const chance = crashChance(axes, [...state.tried.values()], start);
  const { incumbent } = turn.view;
  const value = incumbent?.trial.id === turn.parent.id ? sign * incumbent.value : undefined;
  const best = tuning.plugin || value === undefined || Number.isNaN(value) ? model.predict(start).mean : (scaled(known.scale, value) - known.middle) / known.spread;
  model.anchorAt(start);
  const ranked: { places: readonly number[]; worth: number; isWhole?: boolean }[] = [];
  let most = 0;
  const add = (given: readonly number[]): void => {
    const places = whole(given);
    // what cannot come near the best so far is not worth its full prediction
    if (expectedImprovement(model.outlook(places), best) < 0.25 * most) return;
    const worth = expectedImprovement(model.settle(), best);
    most = Math.max(most, worth);
    ranked.push({ places, worth });
  };
  /** The chance to run through is dear, and can only lower a worth: so it is asked for those alone that lead. */
  const lead = (count: number): void => {
    for (;;) {
      ranked.sort((a, b) => b.worth - a.worth);
      const open = ranked.slice(0, count).filter((one) => !one.isWhole);
      if (open.length === 0) return;
      for (const one of open) {
        one.worth *= (1 - chance(one.places)) ** tuning.crash.power;
        one.isWhole = true;
      }
    }
  };
  for (let n = 0; n < tuning.moves; n++) add(sparseMove(axes, start, random, reach));
  const isWide = state.stalled >= tuning.patience;
  if (isWide) for (let n = 0; n < tuning.dense; n++) add(denseMove(axes, start, random, reach));
  const elite = known.tried.map((one, i) => ({ places: one.places, id: one.id, y: known.data.y[i] as number })).sort((a, b) => a.y - b.y).slice(0, tuning.elite);
  const others = elite.filter(({ id }) => id !== turn.parent.id);
  if (others.length > 1) {
    for (let n = 0; n < tuning.crossings; n++) add(crossing(start, (others[n % others.length] as (typeof others)[number]).places, random, free));
    if (isWide) for (let n = 0; n < tuning.differences; n++) {
      const [a, b] = shuffle(random, elite);
      if (a && b) add(differenceMove(axes, start, a.places, b.places, random, free));
    }
  }
  if (isWide && elite.length > 2) for (let n = 0; n < tuning.mixes; n++) add(mixture(start, elite.map(({ places }) => places), random, free));
  if (isWide) for (let n = 0; n < tuning.global; n++) add(anyPlace(axes, start, random, free));
  for (let round = 0; round < tuning.climbs; round++) {
    lead(4);
    const leaders = ranked.slice(0, 4);
    if (leaders.length === 0) break;
    for (let n = 0; n < tuning.steps; n++) {
      const leader = (leaders[n % leaders.length] as (typeof ranked)[number]).places;
      add(isWide && n % 3 === 2 ? denseMove(axes, leader, random, { ...reach, step: reach.step * 0.3 }) : sparseMove(axes, leader, random, { ...reach, step: reach.step * 0.5 }));
    }
  }
  lead(5);
  for (const { places } of ranked.slice(0, 40)) {
    const values = valuesAt(space, axes, places, from);
    if (!isNew(values)) continue;
    const { mean, sd } = model.predict(places);
    const back = (y: number): number => sign * unscaled(known.scale, known.middle + known.spread * y);
    const expected = back(mean);
    return told(values, `predicted ${expected.toPrecision(5)} ± ${Math.abs(back(mean + sd) - expected).toPrecision(2)}, ${Math.round(100 * chance(places))} % to crash`);
  }
  return plain();
}
