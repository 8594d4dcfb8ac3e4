import type { Plugin, TaskChange, Taps, Trial, Turn } from "../../core/index.ts";
import { axesOf, describeMove, placesOf, sample, valuesAt, violation, type Values } from "../../kit/index.ts";
import { drawn, frozenOf, untried } from "../propose-local/index.ts";
import { logDensity, mixtureOf, pointOf, supportOf, type Mixture, type Support } from "./mixture.ts";

/** Points tried at random before the densities are trusted. */
const first = 10;
/** Points of the good density, of which the best is proposed. */
const looks = 24;
/** A known point, or one against the constraints, is drawn again so often. */
const draws = 11;
/** Points that the densities are made of at the most, the best and the latest. */
const window = 300;

interface Point {
  readonly places: readonly number[];
  readonly loss: number;
}

/**
 * The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio and Kégl
 * 2011): the best tenth of the points, at most 25, makes one density, all
 * others another; of 24 points drawn from the first, the one where the first
 * is highest against the second is proposed. What crashed counts as worst;
 * what is running, too, so that slots keep apart.
 */
export function proposeTpe(): Plugin {
  return {
    name: "propose-tpe",
    contract: 1,
    apply(taps: Taps<TaskChange>) {
      const space = taps.space ?? { parameters: {} };
      const axes = axesOf(space);
      const supports = axes.map(supportOf);
      const sign = taps.objective.direction === "minimize" ? 1 : -1;
      const isNewIn = untried(taps);
      const state = taps.state(
        () => [] as Point[],
        (known, { candidate, outcome, repeatOf, confirms }: Trial<TaskChange>) => {
          if (repeatOf !== undefined || confirms || !outcome) return known;
          const loss = outcome.status === "measured" ? sign * outcome.metric : Infinity;
          known.push({ places: placesOf(axes, candidate.values ?? {}), loss });
          return known;
        },
      );
      taps.propose("SOURCE", (draft, turn: Turn<TaskChange>) => {
        if (draft.candidate !== undefined || !turn.view.space) return undefined;
        const { random, view, parent } = turn;
        const from = parent.candidate.values ?? {};
        const running = view.pending.map(({ candidate }) => candidate.values ?? {});
        const kept = frozenOf(from, view.policy.frozen);
        const points = [
          ...recent(state.value),
          ...running.map((values) => ({ places: placesOf(axes, values), loss: Infinity })),
        ];
        const { good, bad } = divide(supports, points);
        const draw = (): Values => {
          if (state.value.length < first) return { ...sample(space, random), ...kept };
          const looked = Array.from({ length: looks }, () => pointOf(good, random));
          const worth = looked.map((places) => logDensity(good, places) - logDensity(bad, places));
          const best = looked[worth.indexOf(Math.max(...worth))] as number[];
          return { ...valuesAt(space, axes, best, from), ...kept };
        };
        const isNew = isNewIn(view);
        const values = drawn(draw, (one) => isNew(one) && violation(space, one) === undefined, draws);
        return { ...draft, candidate: { values }, by: "propose-tpe", hypothesis: describeMove(from, values) };
      });
    },
  };
}

function recent(points: readonly Point[]): Point[] {
  if (points.length <= window) return [...points];
  const latest = points.slice(-window / 2);
  const best = points
    .slice(0, -window / 2)
    .sort((a, b) => a.loss - b.loss)
    .slice(0, window / 2);
  return [...best, ...latest];
}

function divide(supports: readonly Support[], points: readonly Point[]): { good: Mixture; bad: Mixture } {
  const order = points.map((point, index) => ({ point, index })).sort((a, b) => a.point.loss - b.point.loss);
  const count = Math.min(Math.ceil(0.1 * points.length), 25);
  const inOrder = (list: typeof order): Mixture =>
    mixtureOf(
      supports,
      list.sort((a, b) => a.index - b.index).map(({ point }) => point.places),
    );
  return { good: inOrder(order.slice(0, count)), bad: inOrder(order.slice(count)) };
}
