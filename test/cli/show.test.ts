import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { TaskChange, Trial } from "../../core/index.ts";
import { journalFile, readJournal } from "../../core/index.ts";
import { emptyFolder, ofType } from "../support/run.ts";

const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;
/** Every third proposal is changed by a mechanism. */
const config = `
import { defineConfig, evaluateFunction, innerLoop } from "bilevel";
import { mechanism } from "bilevel/kit";
const nudge = mechanism({
  name: "nudge",
  init: () => 0,
  reflect: (count) => count + 1,
  refine: (count, { candidate }) =>
    count % 3 === 0 ? { ...candidate, values: { ...candidate.values, Y: (candidate.values.Y + 0.31) % 1 } } : undefined,
});
export default defineConfig({
  objective: { metric: "loss", direction: "minimize", noise: "none" },
  space: { parameters: { X: { type: "float", min: 0, max: 1 }, Y: { type: "float", min: 0, max: 1 } } },
  evaluator: evaluateFunction({ function: ({ X, Y }) => (X - 0.3) ** 2 + (Y - 0.6) ** 2, thread: false }),
  levels: [innerLoop()],
  plugins: [nudge()],
  budget: { trials: 20 },
});
`;

describe("bilevel show, of a trial that the default search proposed", () => {
  const folder = emptyFolder();
  const bilevel = (...args: string[]) =>
    spawnSync(process.execPath, ["--no-warnings", command, ...args, "-C", folder], { encoding: "utf8" });
  let trials: Trial<TaskChange>[] = [];
  beforeAll(() => {
    writeFileSync(join(folder, "bilevel.config.ts"), config);
    expect(bilevel("run", "--quiet").status).toBe(0);
    const { facts } = readJournal(journalFile(join(folder, ".bilevel", "run-1")));
    trials = ofType(facts, "turn")
      .flatMap((fact) => fact.trials as Trial<TaskChange>[])
      .filter(({ hypothesis }) => hypothesis?.startsWith("predicted"));
  }, 60_000);
  const shown = (isChanged: boolean): string => {
    const trial = trials.find(({ touches }) => touches.some(({ did }) => did === "changed") === isChanged);
    return bilevel("show", String(trial?.id)).stdout;
  };

  it("prints what the search predicted of it", () => {
    expect(shown(false)).toMatch(/^why: predicted [\d.e-]+ ± [\d.e-]+, chance to crash \d+ %$/m);
  });

  it("says whose change the prediction does not know, where a mechanism changed the proposal", () => {
    expect(shown(true)).toMatch(/^why, before nudge changed it: predicted [\d.e-]+ ± /m);
  });
});
