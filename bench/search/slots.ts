import { median } from "../../kit/index.ts";
import { drawnFrom, floorOf, groupsOf, resampled, type Interval } from "./estimates.ts";
import type { Played } from "./play.ts";

/** Regrets, measurement by measurement, of the games with one slot and of those with four. */
interface Beside {
  readonly alone: readonly (readonly number[])[];
  readonly four: readonly (readonly number[])[];
}

/** Medians of curves are dear. */
const resamples = 200;

/**
 * How many more measurements four slots take to the regret that one slot has
 * after 80 % of its own: by the median curve of each task, the median over tasks.
 */
export function slotsRatio(ours: readonly Played[]): Interval {
  const tasks = groupsOf(ours, ({ task }) => task)
    .map(curvesOf)
    .filter(({ alone, four }) => alone.length > 0 && four.length > 0);
  const drawn = drawnFrom("slots");
  return resampled(median(tasks.map(ratioOf)), resamples, () =>
    median(drawn(tasks).map(({ alone, four }) => ratioOf({ alone: drawn(alone), four: drawn(four) }))),
  );
}

function curvesOf(games: readonly Played[]): Beside {
  const alone = games.filter(({ slots, trials }) => slots === 1 && trials === 100);
  const four = games.filter(({ slots }) => slots === 4);
  const floor = floorOf([...alone, ...four]);
  const regrets = (list: readonly Played[]): number[][] =>
    list.map((one) => one.curve.map((value) => (value - floor(one)) / (one.baseline - floor(one) || 1)));
  return { alone: regrets(alone), four: regrets(four) };
}

function ratioOf({ alone, four }: Beside): number {
  const aim = middle(alone, 79);
  const first = (curves: Beside["four"]): number => {
    const length = Math.min(...curves.map((curve) => curve.length));
    for (let at = 0; at < length; at++) if (middle(curves, at) <= aim) return at + 1;
    return length + 1; // not reached: one more than there were, a bound from below
  };
  return first(four) / first(alone);
}

const middle = (curves: Beside["four"], at: number): number => median(curves.map((curve) => curve[at] ?? Infinity));
