import type { Outcome } from "../../core/index.ts";
import type { Exit } from "./supervisor.ts";

/** A line of output that tells what kind of failure it was. */
export interface FailurePattern {
  kind: string;
  pattern: RegExp;
}

/** Looked at in order; plugins may add their own. */
export const failurePatterns: FailurePattern[] = [
  {
    kind: "oom",
    pattern:
      /out of memory|OutOfMemoryError|MemoryError|Cannot allocate memory|heap limit|std::bad_alloc|RESOURCE_EXHAUSTED/i,
  },
  {
    kind: "diverged",
    pattern:
      /\bFAIL\b.*(diverg|loss|nan)|loss is nan|non-?finite (loss|gradient)|(loss|gradient).*(diverged|exploded)/i,
  },
];

/** Metrics in a form that JSON holds: NaN and infinities as text. */
export const shownMetrics = (metrics: Readonly<Record<string, number>>): Record<string, number | string> =>
  Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [name, Number.isFinite(value) ? value : String(value)]),
  );

/** What an outcome is made of. */
type Ended = Pick<Exit, "code" | "signal" | "ended" | "failed" | "seconds" | "metrics" | "problems" | "lastLines">;

/** What a program said of its end: the last line, but where Node ended it what stands above the stack, its version and its advice. */
function tellingLine(lines: readonly string[]): string | undefined {
  if (!/^Node\.js v\d/.test(lines.at(-1) ?? "")) return lines.at(-1);
  const frame = lines.findIndex((line) => /^at .*:\d+:\d+\)?( \{)?$/.test(line));
  return frame > 0 ? lines[frame - 1] : lines.slice(0, -1).findLast((line) => !line.startsWith("(Use `node"));
}

/** What a finished trial comes to. `tampered`: protected files that are not what they were. */
export function outcomeOf(
  exit: Ended,
  metric: string,
  where: NonNullable<Outcome["where"]>,
  tampered: readonly string[],
): Outcome {
  const base = { seconds: exit.seconds, where };
  const crashed = (kind: string, reason: string): Outcome => ({ ...base, status: "crashed", kind, reason });
  const last = tellingLine(exit.lastLines);
  const said = last === undefined ? "" : `: ${last}`;
  if (exit.failed !== undefined) return crashed("exit", exit.failed);
  if (exit.ended === "diverged") return crashed("diverged", "an intermediate value was not a finite number");
  if (exit.ended === "limit")
    return crashed("timeout", `over the time limit, ended after ${exit.seconds.toFixed(1)} s`);
  if (exit.code !== 0) {
    const failure = failurePatterns.find(({ pattern }) => exit.lastLines.some((line) => pattern.test(line)));
    const how = exit.signal === null ? `exit code ${exit.code}` : `ended by ${exit.signal}`;
    return crashed(failure?.kind ?? (exit.signal === null ? "exit" : "signal"), how + said);
  }
  if (tampered.length > 0) return crashed("tampered", `it changed protected files: ${tampered.slice(0, 5).join(", ")}`);
  const value = exit.metrics[metric];
  const [problem] = exit.problems;
  if (problem !== undefined) return crashed("no-metric", problem);
  if (value === undefined) return crashed("no-metric", `it ended well but printed no ${metric}${said}`);
  if (typeof value !== "number") return crashed("diverged", `${metric} is ${value}`);
  const finite = Object.entries(exit.metrics).filter((one): one is [string, number] => typeof one[1] === "number");
  return { ...base, status: "measured", metric: value, metrics: Object.fromEntries(finite) };
}
