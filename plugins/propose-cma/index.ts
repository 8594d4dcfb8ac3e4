import type { Plugin, TaskChange, Taps, Trial, Turn } from "../../core/index.ts";
import {
  axesOf,
  describeMove,
  normal,
  placesOf,
  streamOf,
  valuesAt,
  valuesKey,
  violation,
  type Axis,
  type Values,
} from "../../kit/index.ts";
import { drawFrom, isExhausted, startAt, updated, usualPopulation, type Distribution } from "./distribution.ts";

/** Steps at the start, as a share of the range: from a baseline that is good, and after a restart. */
const nearSigma = 0.2;
const farSigma = 0.3;

interface State {
  distribution: Distribution;
  generation: { places: readonly number[]; loss: number }[];
  keys: Set<string>;
  restarts: number;
}

/**
 * CMA-ES with a margin for whole numbers, begun at the baseline; when it has
 * come to rest it starts again anywhere with twice the population (Auger and
 * Hansen 2005). A generation is any `population` points of its own that were
 * measured, whatever distribution they were drawn from, so slots need not wait
 * for each other; what crashed ranks last.
 */
export function proposeCma(): Plugin {
  return {
    name: "propose-cma",
    contract: 1,
    apply(taps: Taps<TaskChange>) {
      const space = taps.space ?? { parameters: {} };
      const axes = axesOf(space);
      const sign = taps.objective.direction === "minimize" ? 1 : -1;
      const population = usualPopulation(axes.length);
      const state = taps.state<State>(
        () => ({
          distribution: startAt(
            axes,
            axes.map(() => 0.5),
            nearSigma,
            population,
          ),
          generation: [],
          keys: new Set(),
          restarts: 0,
        }),
        (known, { id, candidate, outcome, repeatOf, confirms }: Trial<TaskChange>) => {
          if (repeatOf !== undefined || confirms || !outcome) return known;
          const values = candidate.values ?? {};
          known.keys.add(valuesKey(values));
          const places = placesOf(axes, values);
          if (id === 0) known.distribution = startAt(axes, places, nearSigma, population);
          else
            known.generation.push({ places, loss: outcome.status === "measured" ? sign * outcome.metric : Infinity });
          return known.generation.length < known.distribution.population ? known : grown(known, axes, taps.seed);
        },
      );
      taps.propose("SOURCE", (draft, turn: Turn<TaskChange>) => {
        if (draft.candidate !== undefined || !turn.view.space) return undefined;
        const { random, view, parent } = turn;
        const from = parent.candidate.values ?? {};
        const running = new Set(view.pending.map((trial) => valuesKey(trial.candidate.values ?? {})));
        const kept = Object.fromEntries(
          view.policy.frozen.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])),
        );
        const next = (): Values => {
          const places = drawFrom(axes, state.value.distribution, () => normal(random), random);
          return {
            ...valuesAt(
              space,
              axes,
              places.map((place, j) => inside(axes[j] as Axis, place)),
              from,
            ),
            ...kept,
          };
        };
        let values = next();
        const isKnown = (): boolean =>
          state.value.keys.has(valuesKey(values)) ||
          running.has(valuesKey(values)) ||
          violation(space, values) !== undefined;
        for (let look = 0; look < 30 && isKnown(); look++) values = next();
        return { ...draft, candidate: { values }, by: "propose-cma", hypothesis: describeMove(from, values) };
      });
    },
  };
}

const inside = ({ isCategory, levels }: Axis, place: number): number => {
  if (isCategory) return place;
  if (levels.length === 0) return Math.min(1, Math.max(0, place));
  return levels.reduce((best, level) => (Math.abs(level - place) < Math.abs(best - place) ? level : best));
};

function grown(state: State, axes: readonly Axis[], seed: string): State {
  const ranked = state.generation.toSorted((a, b) => a.loss - b.loss).map(({ places }) => places);
  const distribution = updated(axes, state.distribution, ranked);
  if (!isExhausted(distribution)) return { ...state, distribution, generation: [] };
  const restarts = state.restarts + 1;
  const random = streamOf("propose-cma", seed, restarts);
  const anywhere = axes.map(({ isCategory, levels }) => (isCategory ? Math.floor(random() * levels.length) : random()));
  return {
    ...state,
    distribution: startAt(axes, anywhere, farSigma, distribution.population * 2),
    generation: [],
    restarts,
  };
}
