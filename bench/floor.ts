import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fastTasks, type FastTask } from "../cli/mechanism-tasks.ts";
import type { Answered, Config, Model, Outcome, Plugin, Question, TaskChange, Trial } from "../core/index.ts";
import { execute, resolveConfig } from "../core/index.ts";
import { median, normal, streamOf } from "../kit/index.ts";
import { innerLoop } from "../plugins/inner-loop/index.ts";
import { countOf, flagsOf } from "./flags.ts";

/**
 * How much worse a run is with a bad model than without one: median regret
 * (the winner's true loss; the least is 0) after 100 trials on the fast tasks, with
 * propose-hybrid and a model in the process that answers nonsense, or always
 * near the worst corner: bench:floor [--json] [--seeds N].
 */
const flags = flagsOf({ json: { type: "boolean" }, seeds: { type: "string", default: "1000" } });
const seeds = countOf("seeds", flags.seeds);

/** Points of the largest loss, by task. */
const worst: Readonly<Record<string, Readonly<Record<string, number | string | boolean>>>> = {
  valley: Object.fromEntries("abcdefgh".split("").map((name) => [name, 1])),
  rugged: Object.fromEntries("abcdef".split("").map((name) => [name, 1])),
  mixed: { rate: 1e-4, decay: 1, depth: 1, width: 16, form: "relu", norm: false },
};

type Answers = (task: FastTask, number: number, seed: number) => { values: object; hypothesis: string } | undefined;
const kinds: Record<string, Answers | undefined> = {
  search: undefined,
  nonsense: (_task, number) =>
    [undefined, { values: { a: 99, rate: 99 }, hypothesis: "" }, { values: { x: 1 }, hypothesis: "" }][number % 3],
  worstCorner(task, number, seed) {
    const random = streamOf("corner", seed, number);
    const jitter = (name: string, value: unknown): unknown => {
      const domain = task.space.parameters[name];
      if (domain?.type !== "float") return value;
      const share = 0.05 * random() * (value === domain.max ? -1 : 1);
      return domain.scale === "log"
        ? (value as number) * (domain.max / domain.min) ** share
        : (value as number) + share * (domain.max - domain.min);
    };
    return {
      values: Object.fromEntries(
        Object.entries(worst[task.name] ?? {}).map(([name, value]) => [name, jitter(name, value)]),
      ),
      hypothesis: "worse",
    };
  },
};

function model(answer: Answers, task: FastTask, seed: number): Model {
  let asked = 0;
  return {
    name: "bad-model",
    contract: 1,
    async ask<T>(recorder: Parameters<Model["ask"]>[0], question: Question): Promise<Answered<T>> {
      const made = await recorder.once("model", question, () => Promise.resolve(answer(task, asked++, seed) ?? null));
      return made ? { value: made as T } : { failed: "nonsense" };
    },
  };
}

async function regret(task: FastTask, kind: string, seed: number): Promise<number> {
  const evaluator: Plugin = {
    name: "fast",
    contract: 1,
    apply: (taps) =>
      taps.evaluate((trial: Trial<TaskChange>): Promise<Outcome> => {
        const loss = task.loss((trial.candidate.values ?? {}) as Record<string, number>);
        if (loss === undefined)
          return Promise.resolve({ status: "crashed", kind: "oom", reason: "out of memory", seconds: 0 });
        return Promise.resolve({
          status: "measured",
          metric: loss + task.noise * normal(streamOf("noise", seed, trial.id)),
          metrics: {},
          seconds: 0,
        });
      }),
  };
  const answer = kinds[kind];
  const config: Config = {
    objective: { metric: "loss", direction: "minimize", noise: "none" },
    space: task.space,
    evaluator,
    ...(answer ? { llm: model(answer, task, seed) } : {}),
    levels: [innerLoop({ confirm: 0 })],
    budget: { trials: 100 },
    seed: `floor ${seed}`,
  };
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "bilevel-floor-"));
  const end = await execute(resolveConfig(config, join(folder, "bilevel.config.ts")), folder);
  rmSync(folder, { recursive: true });
  const best = end.levels.get("inner")?.incumbent?.trial as Trial<TaskChange> | undefined;
  return task.loss((best?.candidate.values ?? {}) as Record<string, number>) ?? Infinity;
}

const figures: Record<string, number> = {};
for (const kind of Object.keys(kinds)) {
  const all: Record<string, number[]> = {};
  for (let seed = 0; seed < seeds; seed++) {
    const task = fastTasks[seed % fastTasks.length] as FastTask;
    (all[task.name] ??= []).push(await regret(task, kind, seed));
  }
  const medians = Object.entries(all).map(([name, list]) => [name, median(list)] as const);
  // the geometric mean over the tasks: their losses have no common unit
  figures[kind] = Number(
    Math.exp(medians.reduce((sum, [, value]) => sum + Math.log(value), 0) / medians.length).toPrecision(4),
  );
  if (!flags.json)
    console.log(kind.padEnd(12), medians.map(([name, value]) => `${name} ${value.toPrecision(4)}`).join(", "));
}
if (flags.json) console.log(JSON.stringify(figures));
else
  for (const kind of ["nonsense", "worstCorner"])
    console.log(
      `${kind}: ${((figures[kind] ?? NaN) / (figures.search ?? NaN)).toFixed(2)} times the regret of the search alone; aim at most 1.30`,
    );
