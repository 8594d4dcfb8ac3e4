import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config, RunEnd, Task, Trial } from "../../core/index.ts";
import { execute, resolveConfig } from "../../core/index.ts";
import { evaluateProcess, type EvaluateProcessOptions } from "../../plugins/evaluate-process/index.ts";
import { innerLoop } from "../../plugins/inner-loop/index.ts";
import { counting } from "./counting.ts";
import { emptyFolder } from "./run.ts";

export interface Program {
  /** JavaScript of the program; `X` is a constant from 0 on, 0 in the baseline. */
  source: string;
  task?: Partial<Task>;
  files?: Record<string, string>;
  options?: EvaluateProcessOptions;
  config?: Partial<Config>;
}

/** A config whose task is this program in a folder of its own. */
export function programConfig({ source, task, files = {}, options = {}, config = {} }: Program): {
  home: string;
  config: Config;
} {
  const home = emptyFolder();
  mkdirSync(join(home, "task"));
  for (const [path, text] of Object.entries({ "train.js": `const X = 0;\n${source}\n`, ...files })) {
    mkdirSync(join(home, "task", path, ".."), { recursive: true });
    writeFileSync(join(home, "task", path), text);
  }
  return {
    home,
    config: {
      task: {
        folder: "task",
        command: ["node", "train.js"],
        values: { via: "constants", file: "train.js" },
        seed: "none",
        ...task,
      },
      objective: { metric: "loss", direction: "minimize" },
      space: { parameters: { X: { type: "int", min: 0, max: 100, default: 0 } } },
      evaluator: evaluateProcess({ graceSeconds: 0.3, ...options }),
      proposer: counting,
      levels: [innerLoop()],
      budget: { trials: 1 },
      ...config,
    },
  };
}

/** Runs the program: its baseline with X = 0, then trials with X = 1, 2 …; all finished trials. */
export async function runProgram(
  program: Program,
): Promise<{ trials: Trial[]; end: RunEnd; folder: string; home: string }> {
  const { home, config } = programConfig(program);
  const folder = join(home, "run");
  const end = await execute(resolveConfig(config, join(home, "bilevel.config.ts")), folder);
  return { trials: [...(end.levels.get("inner")?.trials ?? [])], end, folder, home };
}

/** The baseline measures 1; what the trial with X = 1 does is the argument. */
export const onlyInTrial = (source: string): string =>
  `if (X === 0) { console.log("loss: 1"); process.exit(0); }\n${source}`;
