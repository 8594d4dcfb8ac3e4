import type { TaskChange, Trial, View } from "../../core/index.ts";
import { describeChange } from "../../kit/index.ts";
import { onOneLine } from "../../kit/text.ts";
import { resultOf } from "../progress/index.ts";

/** Six decimals, as in Karpathy's table; of a number that they do not tell, all digits. */
const digitsOf = (metric: number): string =>
  metric !== 0 && Math.abs(metric) < 1e-3 ? String(metric) : metric.toFixed(6);

/** In Karpathy's table: kept, thrown away, failed. */
function statusOf({ outcome, verdict, repeatOf, confirms }: Trial): string {
  if (outcome?.status !== "measured") return "crash";
  if (confirms) return "confirm";
  if (repeatOf !== undefined) return "repeat";
  return verdict?.decision === "keep" ? "keep" : "discard";
}

/**
 * All finished trials as a table: the columns of Karpathy's results.tsv first
 * and in his order (commit, the metric, memory_gb, status, description), where
 * a trial's number stands for the commit; then bilevel's own.
 */
export function resultsTable(view: View<TaskChange>): string {
  const { metric } = view.objective;
  const header = [
    "commit",
    metric,
    "memory_gb",
    "status",
    "description",
    "seconds",
    "gain",
    "by",
    "parent",
    "seed",
    "tests",
    "side",
    "result",
  ];
  const rows = [...view.trials].map((trial) => {
    const { id, outcome, verdict, parent, seed, tests, side, by, hypothesis } = trial;
    const measured = outcome?.status === "measured" ? outcome : undefined;
    const memoryMb = measured?.metrics.peak_vram_mb ?? measured?.metrics.memory_mb;
    const from = view.trial(parent)?.candidate ?? {};
    const reason = outcome && "reason" in outcome ? ` (${outcome.reason})` : "";
    const description = id === 0 ? "baseline" : describeChange(from, trial.candidate) || (hypothesis ?? "");
    return [
      `trial-${id}`,
      measured ? digitsOf(measured.metric) : "0.000000",
      memoryMb === undefined ? "0.0" : (memoryMb / 1024).toFixed(1),
      statusOf(trial),
      description + reason,
      outcome?.seconds.toFixed(1) ?? "",
      verdict?.gain?.toPrecision(4) ?? "",
      by,
      parent,
      seed,
      tests ?? "",
      side ?? "",
      resultOf(trial),
    ];
  });
  return [header, ...rows].map((row) => row.map((cell) => onOneLine(String(cell))).join("\t")).join("\n") + "\n";
}
