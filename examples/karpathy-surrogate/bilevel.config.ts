import { defineConfig, evaluateFunction, innerLoop, outerLoop } from "bilevel";
import multiScaleBandit from "bilevel/mechanisms/multi-scale-bandit";
import orthogonalDesign from "bilevel/mechanisms/orthogonal-design";
import tabu from "bilevel/mechanisms/tabu";
import measure from "./objective.ts";
import { space } from "./space.ts";

/** The paper's benchmark as a surrogate of microseconds: for comparing searches, never for picking a configuration. */
export default defineConfig({
  objective: { metric: "val_bpb", direction: "minimize" },
  space,
  evaluator: evaluateFunction({ function: measure, thread: false }),
  levels: [
    innerLoop(),
    outerLoop({ name: "policy", changes: "policy", every: 5 }),
    outerLoop({ name: "research", changes: "mechanisms", every: 2 }),
  ],
  plugins: [tabu(), multiScaleBandit(), orthogonalDesign()],
  budget: { trials: 100 },
});
