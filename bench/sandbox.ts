import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArmChange, Config, Plugin, Trial, Turn, View } from "../core/index.ts";
import { execute, openPolicy, resolveConfig } from "../core/index.ts";
import { complete, median, sample, streamOf, type Space, type Values } from "../kit/index.ts";
import { evaluateFunction } from "../plugins/evaluate-function/index.ts";
import { innerLoop } from "../plugins/inner-loop/index.ts";
import { outerLoop } from "../plugins/outer-loop/index.ts";
import { allowed, Machine } from "../plugins/sandbox/machine.ts";
import { Sandbox } from "../plugins/sandbox/index.ts";
import { countOf, flagsOf } from "./flags.ts";

/**
 * What the sandbox costs: bench:sandbox [--json] [--trials N].
 * callUs, batchedCallUs: a call with some 1 KB of text, alone and fifty at a
 * time, median; vmMs: another machine for a mechanism, median; coldMs: thread
 * and first machine; foldMs10000: learning from as many trials; trialMs5: what
 * five sandboxed mechanisms add to a trial at the end of a run that long.
 */
const flags = flagsOf({ json: { type: "boolean" }, trials: { type: "string", default: "10000" } });
const trials = countOf("trials", flags.trials);

const space: Space = {
  parameters: Object.fromEntries(
    Array.from({ length: 10 }, (_, index) => [`p${index}`, { type: "float" as const, min: 0, max: 1, default: 0.5 }]),
  ),
};
const objective = { metric: "loss", direction: "minimize" as const, noise: "none" as const };
const truth = (values: Values): number =>
  Object.values(values).reduce<number>((sum, value) => sum + (Number(value) - 0.3) ** 2, 0);

const mechanism = (
  name: string,
  scale: number,
): string => `import { changed, complete, decode, encode, mechanism, type Space, type Value } from "bilevel/kit";
export default mechanism({
  name: "${name}",
  init: (space: Space) => ({ space, wins: 0, seen: 0 }),
  reflect(state, trial) {
    state.seen++;
    if ((trial.verdict?.gain ?? -1) > 0) state.wins++;
    return state;
  },
  refine({ space, wins, seen }, { candidate }, { parent, number }) {
    if (number % 5 !== ${Math.round(scale * 10) % 5}) return undefined;
    const from = parent.candidate.values ?? {};
    const to = candidate.values ?? {};
    const moved: Record<string, Value> = {};
    for (const name of changed(from, to)) {
      const parameter = space.parameters[name];
      const [start, end] = [from[name], to[name]];
      if (!parameter || start === undefined || end === undefined) continue;
      const [a = 0] = encode(parameter, start);
      const [b = 0] = encode(parameter, end);
      moved[name] = decode(parameter, [a + (${scale} + wins / (seen + 1)) * (b - a)]);
    }
    return { ...candidate, values: complete(space, to, moved) };
  },
});
`;

function pastTrial(id: number): Trial {
  const values = sample(space, streamOf("bench", id));
  const metric = truth(values);
  return {
    id,
    turn: id,
    parent: Math.max(0, id - 1),
    candidate: { values },
    by: "local",
    arm: [],
    seed: 42,
    touches: [],
    outcome: { status: "measured", metric, metrics: { loss: metric }, seconds: 0.1 },
    verdict: { decision: "discard", gain: -0.01, reason: "not better" },
  };
}
const viewOf = (trial: Trial): View => ({
  level: "inner",
  policy: openPolicy,
  trials: {
    length: trial.id + 1,
    at: () => trial,
    last: () => [trial],
    [Symbol.iterator]: () => [trial][Symbol.iterator](),
  },
  trial: () => trial,
  pending: [],
  budget: { trials: 20_000, used: trial.id },
  slots: { count: 1, busy: 1 },
  inForce: [],
  catalogue: [],
  struck: [],
  space,
  objective,
  baseline: 1,
  noiseFloor: 0.01,
  evidence: new Map(),
});

const start = { level: "inner", seed: "bench", space, objective };
const asking = (number: number) => {
  const draft = { candidate: { values: complete(space, {}, sample(space, streamOf("draft", number))) }, brief: [] };
  return (head: object) => ({
    do: "propose" as const,
    tap: "propose:SHAPE" as const,
    head,
    draft,
    turn: { number, parent: 0, refused: [], draws: [number] },
  });
};
async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
async function times(count: number, work: (index: number) => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let index = 0; index < count; index++) taken.push(await timed(() => work(index)));
  return median(taken);
}

async function calls() {
  const sandbox = new Sandbox();
  const code = mechanism("bench", 0.5);
  const machine = new Machine(sandbox, code, start);
  const coldMs = await timed(() => machine.describe());
  const vmMs = await times(30, async () => {
    const other = new Machine(sandbox, code, start);
    await other.describe();
  });
  const first = pastTrial(0);
  machine.note(first, viewOf(first));
  const callUs = 1000 * (await times(2000, (index) => machine.call(asking(index), viewOf(first), allowed.refine)));
  const fifty = Array.from({ length: 50 }, (_, index) => asking(index));
  const batchedCallUs = (1000 * (await times(60, () => machine.callAll(fifty, viewOf(first), allowed.refine)))) / 50;
  const folding = new Machine(sandbox, code, start);
  await folding.call(() => ({ do: "probe" }), undefined, allowed.propose);
  const past = Array.from({ length: 10_000 }, (_, id) => pastTrial(id));
  for (const trial of past) folding.note(trial, viewOf(trial));
  const foldMs10000 = await timed(() => folding.call(() => ({ do: "probe" }), undefined, allowed.propose));
  await sandbox.close();
  return { callUs, batchedCallUs, vmMs, coldMs, foldMs10000 };
}

/** A run with so many generated mechanisms in force from its first trials on: milliseconds per trial of its first and its last thousand. */
async function inRun(mechanisms: number): Promise<{ first: number; last: number }> {
  const codes = Array.from({ length: mechanisms }, (_, index) => mechanism(`shaper-${index}`, 0.3 + 0.3 * index));
  const author: Plugin = {
    name: "author",
    contract: 1,
    kinds: ["arm"],
    apply: (taps) =>
      taps.propose("TURN", (draft, { view }: Turn<ArmChange>) => {
        const code = codes[view.trials.length];
        return code === undefined
          ? undefined
          : {
              ...draft,
              by: "author",
              candidate: { of: "inner", install: { from: "code", name: "written", code, idea: "bench" } },
            };
      }),
  };
  const at: number[] = [];
  const clock: Plugin = {
    name: "clock",
    contract: 1,
    open(run) {
      run.on((fact) => {
        if (fact.type === "outcome" && fact.level === "inner") at.push(performance.now());
      });
      return Promise.resolve();
    },
  };
  const config: Config = {
    objective,
    space,
    evaluator: evaluateFunction({ function: (values: Values) => ({ loss: truth(values) }), thread: false }),
    levels: [innerLoop({ confirm: 0 }), outerLoop({ every: 100, probation: false, plugins: [author] })],
    budget: { trials },
  };
  const folder = mkdtempSync(join(tmpdir(), "bilevel-bench-"));
  await execute(resolveConfig(config, join(folder, "bilevel.config.ts")), join(folder, "run"), { observers: [clock] });
  rmSync(folder, { recursive: true });
  const span = Math.min(1000, Math.floor(trials / 4));
  const begin = Math.min(1000, span); // the mechanisms are written in the first five hundred trials
  return {
    first: ((at[begin + span] ?? 0) - (at[begin] ?? 0)) / span,
    last: ((at.at(-1) ?? 0) - (at.at(-1 - span) ?? 0)) / span,
  };
}

const { callUs, batchedCallUs, vmMs, coldMs, foldMs10000 } = await calls();
const [without, five] = [await inRun(0), await inRun(5)];
const round = (value: number): number => Number(value.toPrecision(3));
const figures = {
  callUs: round(callUs),
  batchedCallUs: round(batchedCallUs),
  vmMs: round(vmMs),
  coldMs: round(coldMs),
  foldMs10000: round(foldMs10000),
  trialMs5: round(five.last - without.last),
  trialMs5First: round(five.first - without.first),
};
const aims: Record<string, number> = {
  callUs: 400,
  batchedCallUs: 200,
  vmMs: 10,
  coldMs: 600,
  foldMs10000: 2000,
  trialMs5: 5,
};
if (flags.json) console.log(JSON.stringify(figures));
else
  for (const [name, value] of Object.entries(figures))
    console.log(
      `${name.padEnd(14)} ${String(value).padStart(8)}  ${aims[name] === undefined ? "" : `aim ${aims[name]}${value > aims[name] ? ", missed" : ""}`}`,
    );
