import type { Plugin, TaskChange, Taps, Trial, Turn } from "../../core/index.ts";
import {
  axesOf,
  describeMove,
  integer,
  placesOf,
  sample,
  snapPlace,
  truncatedDensity,
  truncatedQuantile,
  valuesAt,
  violation,
  type Axis,
  type Values,
} from "../../kit/index.ts";
import { drawn, frozenOf, untried } from "../propose-local/index.ts";

/** Points tried at random before the densities are trusted. */
const first = 10;
/** Points of the good density, of which the best is proposed. */
const looks = 24;
/** A known point, or one against the constraints, is drawn again so often. */
const draws = 11;
/** Trials that count in full; older ones count less. */
const fresh = 25;
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
 * is highest against the second is proposed. Kernels are joint over the
 * parameters (Falkner, Klein and Hutter 2018), their bandwidths Scott's rule
 * times a fifth of the range, with the whole space as a kernel of its own
 * (Watanabe 2023). What crashed counts as worst; what is running, too, so that
 * slots keep apart.
 */
export function proposeTpe(): Plugin {
  return {
    name: "propose-tpe",
    contract: 1,
    apply(taps: Taps<TaskChange>) {
      const space = taps.space ?? { parameters: {} };
      const axes = axesOf(space);
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
        const { good, bad } = divide(points);
        const draw = (): Values => {
          if (state.value.length < first) return { ...sample(space, random), ...kept };
          const looked = Array.from({ length: looks }, () => pointOf(axes, good, random));
          const worth = looked.map((places) => logDensity(axes, good, places) - logDensity(axes, bad, places));
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

/** A mixture of kernels, one at each point, and the last one everywhere. */
interface Mixture {
  readonly centers: readonly (readonly number[])[];
  readonly weights: readonly number[];
  readonly width: number;
}

function divide(points: readonly Point[]): { good: Mixture; bad: Mixture } {
  const order = points.map((point, index) => ({ point, index })).sort((a, b) => a.point.loss - b.point.loss);
  const count = Math.min(Math.ceil(0.1 * points.length), 25);
  const inOrder = (list: typeof order): Mixture =>
    mixture(list.sort((a, b) => a.index - b.index).map(({ point }) => point.places));
  return { good: inOrder(order.slice(0, count)), bad: inOrder(order.slice(count)) };
}

function mixture(centers: readonly (readonly number[])[]): Mixture {
  const n = centers.length;
  const d = centers[0]?.length ?? 1;
  const raw = centers.map((_, index) =>
    n <= fresh || index >= n - fresh ? 1 : 1 / n + ((1 - 1 / n) * index) / (n - fresh),
  );
  const total = raw.reduce((sum, weight) => sum + weight, 0) + 1;
  return {
    centers,
    weights: [...raw, 1].map((weight) => weight / total),
    width: 0.2 * Math.max(1, n) ** (-1 / (d + 4)),
  };
}

function pointOf(axes: readonly Axis[], { centers, weights, width }: Mixture, random: () => number): number[] {
  let left = random();
  let index = 0;
  while (index < weights.length - 1 && left >= (weights[index] as number)) left -= weights[index++] as number;
  const center = centers[index];
  return axes.map((axis, j) => {
    const { isCategory, levels } = axis;
    const at = center?.[j];
    if (isCategory) {
      const stays = at !== undefined && !Number.isNaN(at) && random() < 1 - width;
      return stays ? at : integer(random, levels.length);
    }
    const place =
      at === undefined || Number.isNaN(at)
        ? random()
        : truncatedQuantile({ mean: at, sd: width, low: 0, high: 1 }, random());
    return snapPlace(axis, place);
  });
}

function logDensity(axes: readonly Axis[], { centers, weights, width }: Mixture, places: readonly number[]): number {
  let sum = 0;
  for (const [index, weight] of weights.entries()) {
    const center = centers[index];
    let density = weight;
    for (let j = 0; j < axes.length && density > 0; j++) {
      const { isCategory, levels } = axes[j] as Axis;
      const [at, place] = [center?.[j], places[j] as number];
      const isOpen = at === undefined || Number.isNaN(at) || Number.isNaN(place);
      if (isCategory) density *= isOpen ? 1 / levels.length : (at === place ? 1 - width : 0) + width / levels.length;
      else if (!isOpen) density *= truncatedDensity({ mean: at, sd: width, low: 0, high: 1 }, place);
    }
    sum += density;
  }
  return Math.log(Math.max(sum, Number.MIN_VALUE));
}
