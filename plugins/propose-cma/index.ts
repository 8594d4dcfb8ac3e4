import type { Plugin, TaskChange, Taps, Trial, Turn } from "../../core/index.ts";
import {
  axesOf,
  describeMove,
  normal,
  placesOf,
  snapPlace,
  streamOf,
  valuesAt,
  violation,
  type Axis,
  type Values,
} from "../../kit/index.ts";
import { drawn, frozenOf, untried } from "../propose-local/index.ts";
import { drawFrom, isExhausted, startAt, updated, usualPopulation, type Distribution } from "./distribution.ts";

/** Steps at the start, as a share of the range: from a baseline that is good, and after a restart. */
const nearSigma = 0.2;
const farSigma = 0.3;
const name = "propose-cma";
/** A known point, or one against the constraints, is drawn again so often. */
const draws = 31;

interface State {
  distribution: Distribution;
  generation: { places: readonly number[]; loss: number }[];
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
    name,
    contract: 1,
    apply(taps: Taps<TaskChange>) {
      const space = taps.space ?? { parameters: {} };
      const axes = axesOf(space);
      const sign = taps.objective.direction === "minimize" ? 1 : -1;
      const population = usualPopulation(axes.length);
      const isNewIn = untried(taps);
      const state = taps.state<State>(
        () => ({
          distribution: startAt(
            axes,
            axes.map(() => 0.5),
            nearSigma,
            population,
          ),
          generation: [],
          restarts: 0,
        }),
        (known, { id, by, candidate, outcome, repeatOf, confirms }: Trial<TaskChange>) => {
          if (repeatOf !== undefined || confirms || !outcome || (id !== 0 && by !== name)) return known;
          const places = placesOf(axes, candidate.values ?? {});
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
        const kept = frozenOf(from, view.policy.frozen);
        const draw = (): Values => {
          const places = drawFrom(axes, state.value.distribution, () => normal(random), random);
          const snapped = axes.map((axis, j) => snapPlace(axis, places[j] as number));
          return { ...valuesAt(space, axes, snapped, from), ...kept };
        };
        const isNew = isNewIn(view);
        const values = drawn(draw, (one) => isNew(one) && violation(space, one) === undefined, draws);
        return { ...draft, candidate: { values }, by: name, hypothesis: describeMove(from, values) };
      });
    },
  };
}

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
