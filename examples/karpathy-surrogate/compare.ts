import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { evaluateFunction, execute, resolveConfig, type TaskChange, type Trial } from "../../index.ts";
import { median } from "../../kit/index.ts";
import multiScaleBandit from "../../plugins/mechanisms/multi-scale-bandit.ts";
import orthogonalDesign from "../../plugins/mechanisms/orthogonal-design.ts";
import tabu from "../../plugins/mechanisms/tabu.ts";
import { groups } from "../../presets/groups.ts";
import measure, { predict } from "./objective.ts";
import { space } from "./space.ts";

/**
 * Compares the paper's groups on the surrogate: compare.ts [seeds] [trials].
 * Prints what the winners are worth, noise-free, and never a configuration.
 */
const [, , seeds = "10", trials = "100"] = process.argv;

for (const [name, levels] of Object.entries(groups)) {
  const worth: number[] = [];
  const kept: Record<string, number> = {};
  for (let seed = 0; seed < Number(seeds); seed++) {
    const folder = mkdtempSync(join(tmpdir(), "surrogate-"));
    const config = {
      objective: { metric: "val_bpb", direction: "minimize" as const },
      space,
      evaluator: evaluateFunction({ function: measure, thread: false }),
      levels: levels({ confirm: 0 }),
      plugins: name === "A" || name === "B" ? [] : [tabu(), multiScaleBandit(), orthogonalDesign()],
      budget: { trials: Number(trials) },
      seed: `surrogate ${seed}`,
    };
    const end = await execute(resolveConfig(config, join(folder, "bilevel.config.ts")), join(folder, "run"));
    const inner = end.levels.get("inner");
    const best = inner?.incumbent?.trial as Trial<TaskChange> | undefined;
    worth.push(predict(best?.candidate.values ?? {}).bpb);
    for (const mechanism of inner?.inForce ?? []) kept[mechanism] = (kept[mechanism] ?? 0) + 1;
    rmSync(folder, { recursive: true });
  }
  const told = Object.entries(kept).map(([mechanism, times]) => `${mechanism} kept in ${times}`);
  console.log(
    `group ${name}: median true val_bpb of the winner ${median(worth).toFixed(4)} over ${seeds} seeds of ${trials} trials (surrogate)`,
    told.join(", "),
  );
}
