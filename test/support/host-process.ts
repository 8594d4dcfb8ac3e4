import { join } from "node:path";
import { execute, resolveConfig } from "../../core/index.ts";
import { evaluateProcess } from "../../plugins/evaluate-process/index.ts";
import { innerLoop } from "../../plugins/inner-loop/index.ts";
import { counting } from "./counting.ts";

/** A run of real processes, in a process of its own, to be killed: host-process.ts HOME SLOTS TRIALS */
const [, , home = ".", slots = "1", trials = "6"] = process.argv;

await execute(
  resolveConfig(
    {
      task: {
        folder: "task",
        command: ["node", "train.js"],
        values: { via: "constants", file: "train.js" },
        seed: "none",
      },
      objective: { metric: "loss", direction: "minimize" },
      space: { parameters: { X: { type: "int", min: 0, max: 100, default: 0 } } },
      evaluator: evaluateProcess({ graceSeconds: 0.2 }),
      proposer: counting,
      levels: [innerLoop({ slots: Number(slots), confirm: 0 })],
      budget: { trials: Number(trials) },
    },
    join(home, "bilevel.config.ts"),
  ),
  join(home, "run"),
);
