/** A config of TypeScript with these parts in the place of the good ones. */
export function configSource(parts: Record<string, string>): string {
  const all: Record<string, string> = {
    objective: '{ metric: "loss", direction: "minimize" }',
    space: '{ parameters: { LR: { type: "float", min: 0.01, max: 1, scale: "log" } } }',
    evaluator: "evaluateFunction({ function: () => 1, thread: false })",
    levels: "[innerLoop()]",
    budget: "{ trials: 10 }",
    ...parts,
  };
  const body = Object.entries(all)
    .filter(([, text]) => text !== "")
    .map(([key, text]) => `${key}: ${text},`)
    .join("\n");
  return `import { defineConfig, evaluateFunction, evaluateProcess, innerLoop, outerLoop, proposeLocal, selectImprovement } from "bilevel";
import tabu from "bilevel/mechanisms/tabu";
export default { ${body} };`;
}
