import { integer, mean, quantile, streamOf } from "../../kit/index.ts";
import type { Played } from "./play.ts";

/** A share or a mean with its 95 % interval, by resampling (Efron 1979). */
export interface Interval {
  value: number;
  low: number;
  high: number;
}

const resamples = 2000;

export const digits = (value: number): number => Number(value.toPrecision(5));

export const interval = (values: readonly number[], key: string): Interval => intervalOver([values], key);

/** Of what was played on several tasks: tasks are drawn, then the games of each, since those of one task are alike. */
export function intervalOver(byTask: readonly (readonly number[])[], key: string): Interval {
  const groups = byTask.filter((games) => games.length > 0);
  const drawn = drawnFrom(key);
  return resampled(mean(groups.flat()), resamples, () => mean(drawn(groups).flatMap(drawn)));
}

/** Draws as many of a list, with replacement. */
export function drawnFrom(key: string): <T>(list: readonly T[]) => T[] {
  const random = streamOf("report", key);
  return (list) => list.map(() => list[integer(random, list.length)] as (typeof list)[number]);
}

/** An estimate, and the interval that `count` draws of it leave; NaN where there is nothing to draw from. */
export function resampled(value: number, count: number, draw: () => number): Interval {
  if (Number.isNaN(value)) return { value, low: NaN, high: NaN };
  const all = Array.from({ length: count }, draw);
  return { value: digits(value), low: digits(quantile(all, 0.025)), high: digits(quantile(all, 0.975)) };
}

export const groupsOf = <T>(list: readonly T[], key: (one: T) => string): T[][] => {
  const groups = new Map<string, T[]>();
  for (const one of list) groups.set(key(one), [...(groups.get(key(one)) ?? []), one]);
  return [...groups.values()];
};

/** The least known of each game: the optimum, or the best that anybody reached on this task. */
export function floorOf(list: readonly Played[]): (one: Played) => number {
  const least = Math.min(...list.map(({ value }) => value));
  return ({ best }) => best ?? least;
}
