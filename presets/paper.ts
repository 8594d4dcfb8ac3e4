import type { Config, Level } from "../core/index.ts";
import { BilevelError } from "../core/index.ts";
import { innerLoop } from "../plugins/inner-loop/index.ts";
import { outerLoop } from "../plugins/outer-loop/index.ts";
import { proposeLlm } from "../plugins/propose-llm/index.ts";
import { selectImprovement } from "../plugins/select-improvement/index.ts";

/** Parameters that the paper locked, so that the model's size stays as it is. */
const locked = ["DEPTH", "ASPECT_RATIO"];

const policy = (): Level => outerLoop({ name: "policy", changes: "policy", every: 5, probation: false });
const research = (every: number): Level =>
  outerLoop({ name: "research", changes: "mechanisms", every, probation: false });

const groups = {
  a: () => [innerLoop({ confirm: 0 })],
  b: () => [innerLoop({ confirm: 0 }), policy()],
  c: () => [innerLoop({ confirm: 0 }), policy(), research(2)],
  d: () => [innerLoop({ confirm: 0 }), research(10)],
};

/**
 * The groups of "Bilevel Autoresearch: Meta-Autoresearching Itself" (arXiv
 * 2603.23420) as the paper describes them, over a config of your own: 30
 * trials, every proposal by the model, any gain kept and nothing measured
 * again, one history for the whole run, and what a level changes in force at
 * once, without a test.
 * @throws E_CONFIG_INVALID without a model
 */
export const paper =
  (group: keyof typeof groups) =>
  (config: Config): Config => {
    if (!config.llm)
      throw new BilevelError("E_CONFIG_INVALID", `preset paper-${group} needs a model`, {
        path: "llm",
        received: "nothing",
        allowed: 'llm({ model: "…", baseURL: "…" })',
        hint: "docs/model.md tells how to set one up; preset bilevel runs without",
      });
    const { space, objective, budget } = config;
    const parameters = Object.fromEntries(
      Object.entries(space?.parameters ?? {}).filter(([name]) => !locked.includes(name)),
    );
    return {
      ...config,
      ...(space ? { space: { ...space, parameters } } : {}),
      objective: { ...objective, noise: "none" },
      proposer: proposeLlm(),
      selector: selectImprovement(),
      levels: groups[group](),
      plugins: [],
      budget: { ...budget, trials: 30 },
    };
  };
