import { BilevelError, nearest, type Objective } from "../../core/index.ts";

type Metrics = Readonly<Record<string, number>>;

/** The first metric whose limit is broken, also where it was not measured; undefined where all are kept. */
export function brokenLimit({ limits = {} }: Objective, metrics: Metrics): string | undefined {
  return Object.entries(limits).find(([name, { min = -Infinity, max = Infinity }]) => {
    const value = metrics[name] ?? NaN;
    return !(value >= min && value <= max);
  })?.[0];
}

/** The same in words. */
export function breachOf(objective: Objective, metrics: Metrics): string | undefined {
  const name = brokenLimit(objective, metrics);
  if (name === undefined) return undefined;
  const [value, { min, max } = {}] = [metrics[name], objective.limits?.[name]];
  if (value === undefined) return `${name} was not measured, and it has a limit`;
  if (min !== undefined && value < min) return `${name} is ${value}, below its limit of ${min}`;
  return max !== undefined && value > max
    ? `${name} is ${value}, above its limit of ${max}`
    : `${name} is ${value}, and it has a limit`;
}

/** @throws E_CONFIG_INVALID where nothing could keep a limit */
export function checkLimits({ limits = {} }: Objective): void {
  for (const [name, { min = -Infinity, max = Infinity }] of Object.entries(limits))
    if (min > max)
      throw new BilevelError("E_CONFIG_INVALID", "leaves no room", {
        path: `objective.limits.${name}.max`,
        received: String(max),
        allowed: `min, ${min}, or more`,
      });
}

/** Whatever the baseline does not print, no trial will: all of them would be dropped. @throws E_BASELINE_FAILED */
export function mustHaveLimited({ limits = {} }: Objective, metrics: Metrics): void {
  const names = Object.keys(metrics);
  const missing = Object.keys(limits).find((name) => !names.includes(name));
  if (missing === undefined) return;
  const near = nearest(missing, names);
  const start = "mend the program or the limit's name and start again with a new name";
  throw new BilevelError("E_BASELINE_FAILED", "the baseline did not measure what has a limit", {
    path: `objective.limits.${missing}`,
    received: names.join(", "),
    allowed: "a metric that the program prints",
    hint: `${near === undefined ? "" : `did you mean ${near}? `}${start}; without this limit, bilevel resume goes on`,
  });
}
