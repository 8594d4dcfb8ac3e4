import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  ArmChange,
  Config,
  Evidence,
  Generated,
  Outcome,
  Plugin,
  Space,
  Trial,
  TaskChange,
  Turn,
} from "../core/index.ts";
import { changeId, execute, resolveConfig } from "../core/index.ts";
import { normal, streamOf } from "../kit/index.ts";
import { innerLoop } from "../plugins/inner-loop/index.ts";
import { outerLoop } from "../plugins/outer-loop/index.ts";
import { generated, type Sandbox } from "../plugins/sandbox/index.ts";

/** A problem that is solved in microseconds. `loss` is without noise; undefined: it crashes. */
export interface FastTask {
  name: string;
  space: Space;
  noise: number;
  loss(values: Readonly<Record<string, number | string | boolean>>): number | undefined;
}

const unit = { type: "float" as const, min: 0, max: 1, default: 0.9 };

/** Three kinds of search in small: a narrow valley, a mixed space in which a part crashes, many local optima under noise. */
export const fastTasks: readonly FastTask[] = [
  {
    name: "valley",
    space: { parameters: Object.fromEntries("abcdefgh".split("").map((name) => [name, unit])) },
    noise: 0.002,
    loss: (values) =>
      Object.values(values).reduce<number>(
        (sum, value, index) => sum + 2 ** index * 0.05 * ((value as number) - 0.3) ** 2,
        0,
      ),
  },
  {
    name: "mixed",
    space: {
      parameters: {
        rate: { type: "float", min: 1e-4, max: 1, scale: "log", default: 0.001 },
        decay: { type: "float", min: 0, max: 1, default: 0.5 },
        depth: { type: "int", min: 1, max: 12, default: 3 },
        width: { type: "int", min: 16, max: 1024, scale: "pow2", default: 64 },
        form: { type: "choice", values: ["relu", "gelu", "swish"], default: "relu" },
        norm: { type: "bool", default: false },
      },
    },
    noise: 0.005,
    loss({ rate, decay, depth, width, form, norm }) {
      if ((depth as number) * (width as number) > 4096) return undefined; // out of memory
      return (
        0.1 * (Math.log10(rate as number) + 1.5) ** 2 +
        0.3 * ((decay as number) - 0.1) ** 2 +
        0.01 * ((depth as number) - 7) ** 2 +
        0.02 * (Math.log2(width as number) - 8) ** 2 +
        (form === "gelu" ? 0 : 0.1) +
        (norm ? 0 : 0.15)
      );
    },
  },
  {
    name: "rugged",
    space: { parameters: Object.fromEntries("abcdef".split("").map((name) => [name, unit])) },
    noise: 0.03,
    loss: (values) =>
      Object.values(values).reduce<number>(
        (sum, value) =>
          sum + ((value as number) - 0.4) ** 2 + 0.05 * (1 - Math.cos(12 * Math.PI * ((value as number) - 0.4))),
        0,
      ),
  },
];

const trials = 120;

/** What came of a mechanism on a task: what its pairs say, and why calls of it failed. */
export interface Tried {
  evidence?: Evidence;
  failures: readonly string[];
}

/** Runs the task with the mechanism on probation in this sandbox. */
export async function tryOn(task: FastTask, source: Generated, sandbox: Sandbox): Promise<Tried> {
  const seed = `test ${task.name}`;
  const evaluator: Plugin = {
    name: `task-${task.name}`,
    contract: 1,
    apply: (taps) =>
      taps.evaluate((trial: Trial<TaskChange>): Promise<Outcome> => {
        const loss = task.loss((trial.candidate.values ?? {}) as Record<string, number>);
        if (loss === undefined)
          return Promise.resolve({ status: "crashed", kind: "oom", reason: "out of memory", seconds: 0 });
        const metric = loss + task.noise * normal(streamOf(seed, trial.id));
        return Promise.resolve({ status: "measured", metric, metrics: { loss: metric }, seconds: 0 });
      }),
  };
  const change: ArmChange = { of: "inner", install: source };
  const given: Plugin = {
    name: "given",
    contract: 1,
    kinds: ["arm"],
    apply: (taps) =>
      taps.propose("TURN", (draft, turn: Turn<ArmChange>) =>
        turn.view.trials.length === 0 ? { ...draft, by: "given", candidate: change } : undefined,
      ),
  };
  const failures: string[] = [];
  const listener: Plugin = {
    name: "failures",
    contract: 1,
    open(run) {
      run.on(({ type, reason }) => {
        if (type === "strike") failures.push(String(reason));
      });
      return Promise.resolve();
    },
  };
  const research = Object.assign(outerLoop({ every: trials, plugins: [given] }), {
    generate: (name: string, of: Generated) => generated(sandbox, name, of),
  });
  const config: Config = {
    objective: { metric: "loss", direction: "minimize" },
    space: task.space,
    evaluator,
    levels: [innerLoop({ confirm: 0 }), research],
    budget: { trials },
    seed,
  };
  const folder = mkdtempSync(join(tmpdir(), "bilevel-mechanism-"));
  try {
    const resolved = resolveConfig(config, join(folder, "bilevel.config.ts"));
    const end = await execute(resolved, join(folder, "run"), { observers: [listener] });
    return { evidence: end.levels.get("inner")?.evidence.get(changeId(change)), failures };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
