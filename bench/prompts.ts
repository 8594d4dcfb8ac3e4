import type { TaskChange, Trial, Turn } from "../core/index.ts";
import { openPolicy } from "../core/index.ts";
import { localMove, streamOf, type Values } from "../kit/index.ts";
import { space } from "../examples/karpathy-surrogate/space.ts";
import { defaults } from "../kit/index.ts";
import { promptOf, system } from "../plugins/propose-llm/index.ts";
import { flagsOf } from "./flags.ts";

/** Size of a proposal's prompt after 30 and after 10,000 trials, in tokens of some four characters: bench:prompts [--json]. */
const flags = flagsOf({ json: { type: "boolean" } });

function tokensAfter(count: number): number {
  const random = streamOf("prompts");
  const trials: Trial<TaskChange>[] = [];
  let values: Values = defaults(space);
  for (let id = 0; id < count; id++) {
    if (id > 0)
      values = localMove(space, trials[Math.max(0, id - 3)]?.candidate.values ?? values, random, { step: 0.12 });
    const metric = 0.99 + 0.02 * random();
    const crashed = id % 7 === 3;
    trials.push({
      id,
      turn: id,
      parent: Math.max(0, id - 3),
      candidate: { values },
      by: "local",
      arm: [],
      seed: 42,
      touches: [],
      outcome: crashed
        ? { status: "crashed", kind: "oom", reason: "CUDA out of memory: ".repeat(20), seconds: 1 }
        : { status: "measured", metric, metrics: { val_bpb: metric }, seconds: 1 },
      verdict: { decision: id % 9 === 0 ? "keep" : "discard", gain: 0.01 - metric / 100, reason: "measured" },
    });
  }
  const [first] = trials as [Trial<TaskChange>];
  const turn = {
    number: count,
    parent: first,
    refused: [],
    view: {
      level: "inner",
      policy: { ...openPolicy, guidance: "short steps" },
      trials: {
        length: count,
        at: (at: number) => trials.at(at),
        last: (n: number) => trials.slice(-n),
        [Symbol.iterator]: () => trials[Symbol.iterator](),
      },
      trial: (id: number) => trials[id],
      pending: [],
      budget: { trials: 20_000, used: count },
      inForce: [],
      catalogue: [],
      struck: [],
      space,
      objective: { metric: "val_bpb", direction: "minimize" },
      baseline: 1,
      noiseFloor: 0.0005,
      incumbent: { trial: first, value: 0.98, se: 0, repeats: 1 },
      evidence: new Map(),
    },
  } as unknown as Turn<TaskChange>;
  return Math.ceil((system.length + promptOf(turn, []).length) / 4);
}

const figures = { tokens30: tokensAfter(30), tokens10000: tokensAfter(10_000) };
if (flags.json) console.log(JSON.stringify(figures));
else
  console.log(
    `${figures.tokens30} tokens after 30 trials, ${figures.tokens10000} after 10,000: ${(figures.tokens10000 / figures.tokens30).toFixed(2)} times; aim at most 1.20`,
  );
