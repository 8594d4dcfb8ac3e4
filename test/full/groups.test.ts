import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Level } from "../../core/index.ts";
import { execute, resolveConfig } from "../../core/index.ts";
import { outerLoop } from "../../plugins/outer-loop/index.ts";
import { bestOfTwo, evaluator, inert, level, objective, placebo, space, worstOfTwo } from "../support/bowl.ts";
import { emptyFolder } from "../support/run.ts";

const seeds = 100;
const trials = 300;
const catalogue = [bestOfTwo, placebo, worstOfTwo, inert];

const groups: Record<string, () => Level[]> = {
  C: () => [
    level(),
    outerLoop({ name: "policy", changes: "policy", every: 5 }),
    outerLoop({ name: "research", changes: "mechanisms", every: 2 }),
  ],
  D: () => [level(), outerLoop({ name: "research", changes: "mechanisms", every: 10 })],
};

describe(`over ${seeds} seeds of ${trials} trials, with a good, a placebo, a harmful and an inert mechanism in the catalogue`, () => {
  for (const [name, levels] of Object.entries(groups))
    it(`group ${name} ends with the good one in force in at least 80 %, a harmful one never, a placebo in at most 10 %`, async () => {
      const inForce: Record<string, number> = {};
      for (let seed = 0; seed < seeds; seed++) {
        const folder = emptyFolder();
        const config = {
          objective,
          space,
          evaluator: evaluator(0.01, `s${seed}`),
          levels: levels(),
          plugins: catalogue,
          budget: { trials },
          seed: `s${seed}`,
        };
        const { levels: views } = await execute(resolveConfig(config, join(folder, "bilevel.config.ts")), folder);
        for (const mechanism of views.get("inner")?.inForce ?? []) inForce[mechanism] = (inForce[mechanism] ?? 0) + 1;
      }
      console.log(`group ${name}: in force at the end`, inForce);
      expect(inForce["best-of-2"]).toBeGreaterThanOrEqual(0.8 * seeds);
      expect(inForce["worst-of-2"] ?? 0).toBe(0);
      expect(inForce.inert ?? 0).toBe(0);
      expect(inForce.placebo ?? 0).toBeLessThanOrEqual(0.1 * seeds);
    });
});
