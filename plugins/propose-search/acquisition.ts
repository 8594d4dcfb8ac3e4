import type { TaskChange, Turn } from "../../core/index.ts";
import { shuffle, type Axis } from "../../kit/index.ts";
import { crashChance } from "./feasibility.ts";
import { Kernels } from "./kernels.ts";
import { explorationOf, isBaselinePoor, type Knowledge } from "./knowledge.ts";
import { modelOf, type Model } from "./model.ts";
import { anyPlace, crossing, denseMove, differenceMove, mixture, sparseMove, type Reach } from "./moves.ts";
import { Surrogate } from "./surrogate.ts";

/** Where a proposal starts from, and what may move. */
export interface Around {
  /** With that of the code. */
  readonly axes: readonly Axis[];
  readonly start: readonly number[];
  readonly reach: Reach;
  readonly running: readonly (readonly number[])[];
  /** Places as they will be, conditions applied. */
  whole(places: readonly number[]): readonly number[];
  /** Whether the space's constraints hold there. */
  isLegal(places: readonly number[]): boolean;
}

interface Ranked {
  readonly places: readonly number[];
  worth: number;
  /** Its worth counts the chance to crash, and is none where a constraint forbids it. */
  isSettled: boolean;
}

interface Candidate {
  readonly places: readonly number[];
  /** In words: what is expected of it. Before other candidates are asked for. */
  belief(): string;
}

/** Candidates looked at, by kind; the wide ones only where nothing was kept for `patience` trials, or the baseline is poor. */
const counts = { sparse: 60, crossings: 16, dense: 16, differences: 20, mixtures: 24, anywhere: 10 } as const;
const patience = 6;
/** From the leaders so far, so many more steps, so often; beside other trials more often, since what these find has to be caught up with. */
const climbs = { rounds: 2, roundsBeside: 4, steps: 20, leaders: 4 } as const;
/** Good points that others are made of. */
const elites = 8;
/** How much the chance to run through counts: a crash costs a trial and teaches less than a measurement. */
const caution = 5;
/** What is worth less than this share of the best so far is not looked at any longer. */
const near = 0.5;
/** Shared by all searches of the process, since nothing here waits: a belief is told before anybody else proposes. */
const kernels = new Kernels();
/** Candidates handed on, in case that the first are known or illegal. */
const most = 40;

/**
 * Points around the start, the most promising first: expected improvement on
 * what the best is believed to be worth (Jones, Schonlau and Welch 1998), times
 * a power of the chance to run through (Gelbart, Snoek and Adams 2014).
 */
export function candidatesFrom(
  known: Knowledge,
  around: Around,
  { parent, random, view }: Turn<TaskChange>,
): Candidate[] {
  const { axes, start, reach, running, whole, isLegal } = around;
  const { direction } = view.objective;
  const sign = direction === "minimize" ? 1 : -1;
  const own = known.model as Model;
  const fitted = own.center === parent.id ? own : (modelOf(known.tried, axes, parent.id, own.ascent, 0) as Model);
  const { tried, factor, y, toModel, toLoss } = fitted;
  const model = new Surrogate(kernels, {
    axes,
    factor,
    y,
    pending: running,
    anchor: start,
    exploration: explorationOf(known),
  });
  const chance = crashChance(axes, [...known.tried.values()], start);
  const value = view.incumbent?.trial.id === parent.id ? view.incumbent.value : NaN;
  const reached = Number.isNaN(value) ? model.predict(start).mean : toModel(sign * value);
  // what runs is believed to come out as expected, so what is proposed beside it must promise more
  const best = Math.min(reached, ...running.map((places) => model.predict(places).mean));

  const ranked: Ranked[] = [];
  let leading = 0;
  /** What can only lower a worth is asked of those alone that lead. */
  const settle = (one: Ranked): void => {
    if (!one.isSettled) one.worth *= isLegal(one.places) ? (1 - chance(one.places)) ** caution : 0;
    one.isSettled = true;
  };
  const add = (given: readonly number[]): void => {
    const places = whole(given);
    const worth = model.improvement(places, best, near * leading);
    if (worth === 0) return;
    const one: Ranked = { places, worth, isSettled: false };
    if (worth > leading) {
      settle(one);
      leading = Math.max(leading, one.worth);
    }
    ranked.push(one);
  };
  const order = (leaders: number): void => {
    for (;;) {
      ranked.sort((a, b) => b.worth - a.worth);
      const open = ranked.slice(0, leaders).filter(({ isSettled }) => !isSettled);
      if (open.length === 0) return;
      open.forEach(settle);
    }
  };
  const times = (count: number, make: (n: number) => readonly number[]): void => {
    for (let n = 0; n < count; n++) add(make(n));
  };

  const isWide = known.stalled >= patience || isBaselinePoor(known);
  const good = tried
    .map(({ id, places }, i) => ({ id, places, y: y[i] as number }))
    .sort((a, b) => a.y - b.y)
    .slice(0, elites);
  const others = good.filter(({ id }) => id !== parent.id).map(({ places }) => places);
  times(counts.sparse, () => sparseMove(axes, start, random, reach));
  if (others.length > 1)
    times(counts.crossings, (n) => crossing(start, others[n % others.length] as readonly number[], random, reach.free));
  if (isWide) {
    times(counts.dense, () => denseMove(axes, start, random, reach));
    times(counts.anywhere, () => anyPlace(axes, start, random, reach.free));
  }
  if (isWide && others.length > 1) {
    const all = good.map(({ places }) => places);
    times(counts.differences, () => {
      const [a = start, b = start] = shuffle(random, all);
      return differenceMove(axes, start, a, b, random, reach.free);
    });
    times(counts.mixtures, () => mixture(start, all, random, reach.free));
  }
  const rounds = running.length > 0 ? climbs.roundsBeside : climbs.rounds;
  for (let round = 0; round < rounds && ranked.length > 0; round++) {
    order(climbs.leaders);
    const leaders = ranked.slice(0, climbs.leaders).map(({ places }) => places);
    times(climbs.steps, (n) => {
      const from = leaders[n % leaders.length] as readonly number[];
      return isWide && n % 3 === 2
        ? denseMove(axes, from, random, { ...reach, step: reach.step * 0.3 })
        : sparseMove(axes, from, random, { ...reach, step: reach.step * 0.5 });
    });
  }
  order(climbs.leaders + 1);
  return ranked.slice(0, most).map(({ places }) => ({
    places,
    belief: () => {
      const { mean, sd } = model.predict(places);
      const expected = toLoss(mean);
      const within = Math.max(Math.abs(toLoss(mean + sd) - expected), Math.abs(toLoss(mean - sd) - expected));
      return `predicted ${Number((sign * expected).toPrecision(5))} ± ${Number(within.toPrecision(2))}, chance to crash ${Math.round(100 * chance(places))} %`;
    },
  }));
}
