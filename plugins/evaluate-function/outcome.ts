import type { Outcome } from "../../core/index.ts";

/** What an objective function gives back: the metric, or metrics by name. */
export type Answer = number | Readonly<Record<string, number>>;

/** The outcome of a function that returned. */
export function outcomeOf(answer: unknown, metric: string, seconds: number): Outcome {
  const metrics = typeof answer === "number" ? { [metric]: answer } : answer;
  if (typeof metrics !== "object" || metrics === null)
    return {
      status: "crashed",
      kind: "no-metric",
      reason: `it returned ${answer === null ? "null" : typeof answer}, not a number or metrics by name`,
      seconds,
    };
  const value = (metrics as Record<string, unknown>)[metric];
  if (typeof value !== "number")
    return { status: "crashed", kind: "no-metric", reason: `it returned no ${metric}`, seconds };
  if (!Number.isFinite(value)) return { status: "crashed", kind: "diverged", reason: `${metric} is ${value}`, seconds };
  const finite = Object.entries(metrics).filter(([, one]) => Number.isFinite(one)) as [string, number][];
  return { status: "measured", metric: value, metrics: Object.fromEntries(finite), seconds };
}
