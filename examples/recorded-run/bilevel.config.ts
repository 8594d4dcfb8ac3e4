import { defineConfig, evaluateFunction, innerLoop, llm, outerLoop } from "bilevel";
import objective from "./objective.ts";

/** All three levels with a model that answers from `llm.jsonl`: npm start -- --config examples/recorded-run/bilevel.config.ts --replay examples/recorded-run/llm.jsonl */
export default defineConfig({
  objective: { metric: "loss", direction: "minimize", noise: "none" },
  space: {
    parameters: {
      a: { type: "float", min: 0, max: 1, default: 0.9 },
      b: { type: "float", min: 0, max: 1, default: 0.1 },
      c: { type: "float", min: 1e-4, max: 1, scale: "log", default: 0.5 },
      d: { type: "int", min: 1, max: 9, default: 8 },
    },
  },
  evaluator: evaluateFunction({ function: objective as never, thread: false }),
  llm: llm({ model: "written-by-hand", baseURL: "http://127.0.0.1:1/v1" }),
  levels: [
    innerLoop({ confirm: 0 }),
    outerLoop({ name: "policy", changes: "policy", every: 5 }),
    outerLoop({ name: "research", changes: "mechanisms", every: 2 }),
  ],
  budget: { trials: 50 },
});
