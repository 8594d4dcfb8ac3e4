import { execute, resolveConfig } from "../../core/index.ts";
import { defaults, median, sample, streamOf } from "../../kit/index.ts";
import { evaluateFunction } from "../../plugins/evaluate-function/index.ts";
import { innerLoop } from "../../plugins/inner-loop/index.ts";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { own } from "./methods.ts";
import { mock } from "./mock.ts";
import { bridge, timed } from "./play.ts";

/** Where it is looked: medians over a tenth as many proposals from there on, 20 at least, since they differ from each other. */
const counts = [30, 100, 300, 1000, 3000];
const askedAt = (count: number): number => Math.max(20, count / 10);
/** Of ours, since what else the machine does changes within one. */
const runs = 3;

/** Median milliseconds to propose after 30, 100, … trials with 14 parameters. */
export async function speedOf(method: string, most: number): Promise<Record<string, number>> {
  const { space, measure } = mock(1, { parameters: 14, noise: 0.015, memory: true, conditions: false, offset: 0.25 });
  const wanted = counts.filter((count) => count <= most);
  const round = (value: number): number => Number(value.toFixed(2));
  const proposer = own[method]?.();
  if (!proposer) {
    const random = streamOf("speed");
    const history = Array.from({ length: most }, () => {
      const values = sample(space, random);
      try {
        return { values, loss: measure(values, 42) };
      } catch {
        return { values, loss: 5 };
      }
    });
    const told: Record<string, number> = {};
    for (const count of wanted) {
      await bridge().ask({
        do: "begin",
        sampler: method,
        space,
        baseline: defaults(space),
        seed: 1,
        trials: most,
        slots: 1,
      });
      told[count] = round(
        (await bridge().ask<{ ms: number }>({ do: "time", history: history.slice(0, count), asked: askedAt(count) }))
          .ms,
      );
    }
    return told;
  }
  const all: number[][] = [];
  for (let run = 0; run < runs; run++) {
    const times: number[] = [];
    const folder = mkdtempSync(join(tmpdir(), "bilevel-speed-"));
    const config = {
      objective: { metric: "loss", direction: "minimize" as const },
      space,
      evaluator: evaluateFunction({ function: (values, { seed }) => measure(values, seed), thread: false }),
      proposer: timed(proposer, times),
      levels: [innerLoop({ confirm: 0 })],
      budget: { trials: most + 2 * askedAt(most) },
    };
    try {
      await execute(resolveConfig(config, join(folder, "bilevel.config.ts")), join(folder, "run"));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    all.push(times);
  }
  return Object.fromEntries(
    wanted.map((count) => {
      const there = all.flatMap((times) => {
        const from = Math.min(count, times.length - askedAt(count));
        return times.slice(from, from + askedAt(count));
      });
      return [count, round(median(there))];
    }),
  );
}
