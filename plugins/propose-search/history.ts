import type { TaskChange, Trial, Values } from "../../core/index.ts";
import { canonical, quantile, valuesKey } from "../../kit/index.ts";
import { tuning } from "./tuning.ts";

/** One point that was tried: all its measurements, or how it crashed. */
export interface Tried {
  readonly id: number;
  readonly values: Values;
  readonly places: readonly number[];
  /** Outcomes, lower is better. */
  readonly losses: readonly number[];
  readonly crash?: string;
}

/** How outcomes become the model's: see `scaleOf`. */
export interface Scale {
  readonly best: number;
  readonly unit: number;
}

const lossOf = ({ losses }: Tried): number => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
export { lossOf };

/** The pooled variance of repeated measurements, and its degrees of freedom. */
export function noiseOf(tried: Iterable<Tried>): { variance: number; freedom: number } {
  let [squares, freedom] = [0, 0];
  for (const one of tried) {
    if (one.losses.length < 2) continue;
    const middle = lossOf(one);
    for (const loss of one.losses) squares += (loss - middle) ** 2;
    freedom += one.losses.length - 1;
  }
  return { variance: freedom === 0 ? 0 : squares / freedom, freedom };
}

/**
 * Losses are told to the model in units of the typical distance to the best,
 * and beyond one unit by their logarithm: a model of what is good must not
 * spend itself on how bad the bad is.
 */
export function scaleOf(losses: readonly number[], noiseSd: number): Scale {
  const best = Math.min(...losses);
  const above = losses.map((loss) => loss - best).filter((gap) => gap > 0);
  const unit = Math.max(above.length > 0 ? quantile(above, tuning.unit) : 0, noiseSd, Number.MIN_VALUE);
  return { best, unit };
}

export const scaled = ({ best, unit }: Scale, loss: number): number => {
  const z = (loss - best) / unit;
  return z > 1 ? 1 + Math.log(z) : z;
};

export const unscaled = ({ best, unit }: Scale, y: number): number => best + unit * (y > 1 ? Math.exp(y - 1) : y);

export const keyOf = ({ candidate: { values = {}, edits = [] } }: Trial<TaskChange>): string =>
  valuesKey(values) + (edits.length > 0 ? canonical(edits) : "");
