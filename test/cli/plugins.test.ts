import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { emptyFolder } from "../support/run.ts";
import { codeWordsIn } from "../support/screen-words.ts";

const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;
const config = `
import { defineConfig, evaluateFunction, innerLoop, outerLoop } from "bilevel";
import tabu from "bilevel/mechanisms/tabu";
import { mechanism } from "bilevel/kit";
const watching = mechanism({ name: "watching", init: () => 0, reflect: (n) => n + 1, select: () => undefined });
export default defineConfig({
  objective: { metric: "loss", direction: "minimize", noise: "none" },
  space: { parameters: { X: { type: "float", min: 0, max: 1, default: 0.5 } } },
  evaluator: evaluateFunction({ function: ({ X }) => X as number, thread: false }),
  levels: [innerLoop(), outerLoop({ name: "research", every: 2 })],
  plugins: [tabu(), watching()],
  budget: { trials: 4 },
});
`;

it("`bilevel plugins` lists the taps of every arm by hook and stage, of a run with their times", () => {
  const folder = emptyFolder();
  writeFileSync(join(folder, "bilevel.config.ts"), config);
  const bilevel = (...args: string[]) =>
    spawnSync(process.execPath, ["--no-warnings", command, ...args], { cwd: folder, encoding: "utf8" });
  const before = bilevel("plugins");
  expect([before.status, before.stderr]).toEqual([0, ""]);
  expect(before.stdout).toContain(`# bilevel.config.ts
inner
  propose   SOURCE  propose-search
  evaluate          evaluate-function
  select            select-improvement
  select            watching
inner, under test: tabu
  + propose   SHAPE   tabu
research
  propose   TURN    research
`);
  expect(bilevel("run", "--quiet").status).toBe(0);
  const { stdout } = bilevel("plugins", "run-1");
  const said = before.stdout + stdout;
  expect(codeWordsIn(said.replaceAll(/ (BRIEF|TURN) /g, ""))).toEqual([]); // the contract's own names of stages
  expect(stdout).toMatch(/^ {2}evaluate +evaluate-function +\d+ calls, [\d.]+ ms$/m);
  expect(stdout).toMatch(/^inner, under test: tabu\n {2}\+ propose +SHAPE +tabu +\d+ calls?, [\d.]+ ms$/m);
  const arms = JSON.parse(bilevel("plugins", "run-1", "--json").stdout) as { level: string; isInForce: boolean }[];
  expect(arms.map(({ level, isInForce }) => [level, isInForce])).toContainEqual(["inner", false]);
  expect(bilevel("plugins", "run-2").stderr).toContain("there is no run named run-2");
});
