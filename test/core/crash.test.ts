import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Fact, Trial } from "../../core/index.ts";
import { journalFile, readJournal } from "../../core/index.ts";
import { integer, streamOf } from "../../kit/index.ts";
import { outerLoop } from "../../plugins/outer-loop/index.ts";
import { bestOfTwo, level, placebo } from "../support/bowl.ts";
import { emptyFolder, lasting, ofType, run } from "../support/run.ts";

const host = new URL("../support/host.ts", import.meta.url).pathname;
const trials = 30;

/** Runs the host; kills it once its journal has so many lines, or lets it end. */
async function runHost(folder: string, slots: number, killAtLine?: number): Promise<boolean> {
  const child = spawn(process.execPath, ["--no-warnings", host, folder, String(slots), String(trials)], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  let ended = false;
  const exit = once(child, "exit").then(() => (ended = true));
  if (killAtLine !== undefined)
    while (!ended) {
      const file = journalFile(folder);
      if (existsSync(file) && readFileSync(file, "utf8").split("\n").length > killAtLine) break;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  if (killAtLine !== undefined) child.kill("SIGKILL");
  await exit;
  return child.exitCode === 0;
}

const incumbentOf = (facts: readonly Fact[]): unknown => {
  const kept = ofType(facts, "verdict")
    .filter((fact) => (fact.verdict as { decision: string }).decision === "keep")
    .at(-1);
  const planned = ofType(facts, "turn").flatMap((fact) => fact.trials as Trial[]);
  return planned.find(({ id }) => id === kept?.trial)?.candidate;
};

function checkWhole(folder: string, facts: readonly Fact[]): void {
  const planned = ofType(facts, "turn").flatMap((fact) => fact.trials as Trial[]);
  expect(planned.map(({ id }) => id)).toEqual(planned.map((_, index) => index));
  expect(planned).toHaveLength(trials + 1);
  for (const type of ["outcome", "verdict"]) {
    const told = ofType(facts, type).map((fact) => fact.trial as number);
    expect([...told].sort((a, b) => a - b)).toEqual(planned.map(({ id }) => id));
  }
  // a trial is started again only where the earlier process died before its outcome was written
  const started = readFileSync(join(folder, "started"), "utf8").trim().split("\n").map(Number);
  const sessions = facts.filter(({ type }) => type === "session").length;
  expect(started.length - planned.length).toBeLessThanOrEqual(sessions * 4);
  expect(facts.at(-1)).toMatchObject({ type: "end", reason: `the budget of ${trials} trials is used up` });
}

/** What was decided, in order, wherever in the journal it stands. */
const decisions = (facts: readonly Fact[], levels: readonly string[]): unknown[] =>
  levels.map((of) => lasting(ofType(facts, "verdict", of)).map((fact) => ({ ...(fact as Fact), n: 0, seen: 0 })));

describe("a run that ended after any line of its journal", () => {
  for (const slots of [1, 2])
    it(`goes on to the same end, with ${slots} slots`, async () => {
      const levels = () => [
        level({ slots }),
        outerLoop({ name: "policy", changes: "policy", every: 4 }),
        outerLoop({ name: "research", changes: "mechanisms", every: 2 }),
      ];
      const config = () => ({ levels: levels(), plugins: [placebo, bestOfTwo], budget: { trials: 16 } });
      const { facts, folder } = await run(config());
      const lines = readFileSync(journalFile(folder), "utf8").split("\n").slice(0, -1);
      for (let cut = 1; cut < lines.length; cut++) {
        const again = emptyFolder();
        writeFileSync(journalFile(again), lines.slice(0, cut).join("\n") + "\n");
        const resumed = await run(config(), { folder: again });
        expect(
          ofType(resumed.facts, "verdict")
            .map((fact) => fact.trial as number)
            .sort((a, b) => a - b),
        ).toEqual(Array.from({ length: 17 }, (_, id) => id));
        const names = ["inner", "policy", "research"];
        if (slots === 1) expect(decisions(resumed.facts, names)).toEqual(decisions(facts, names));
      }
    });
});

describe("a run that is killed at random moments and resumed", () => {
  for (const [slots, runs] of [
    [1, 8],
    [4, 8],
  ] as const)
    it(`has every trial once, with ${slots} slots`, async () => {
      const undisturbed = emptyFolder();
      await runHost(undisturbed, slots);
      const expected = readJournal(journalFile(undisturbed)).facts;
      checkWhole(undisturbed, expected);
      for (let number = 0; number < runs; number++) {
        const random = streamOf("kills", slots, number);
        const folder = emptyFolder();
        let line = 0;
        for (let kill = 0; kill < 4; kill++) await runHost(folder, slots, (line += 1 + integer(random, 40)));
        expect(await runHost(folder, slots)).toBe(true);
        const { facts } = readJournal(journalFile(folder));
        checkWhole(folder, facts);
        if (slots > 1) continue;
        expect(incumbentOf(facts)).toEqual(incumbentOf(expected));
        expect(decisions(facts, ["inner", "research"])).toEqual(decisions(expected, ["inner", "research"]));
      }
    }, 120_000);
});
