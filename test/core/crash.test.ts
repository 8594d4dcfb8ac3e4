import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Fact, Trial } from "../../core/index.ts";
import { journalFile, readJournal } from "../../core/index.ts";
import { integer, streamOf } from "../../kit/index.ts";
import { emptyFolder, lasting, ofType } from "../support/run.ts";

const host = new URL("../support/host.ts", import.meta.url).pathname;
const trials = 30;

/** Runs the host; kills it once its journal has so many lines, or lets it end. */
async function runHost(folder: string, slots: number, killAtLine?: number): Promise<boolean> {
  const child = spawn(process.execPath, ["--no-warnings", host, folder, String(slots), String(trials)], { stdio: ["ignore", "ignore", "inherit"] }); // prettier-ignore
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

describe("a run that is killed at random moments and resumed", () => {
  for (const [slots, runs] of [
    [1, 8],
    [4, 8],
  ] as const)
    // prettier-ignore
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
        const decided = (of: readonly Fact[]) => lasting([...ofType(of, "verdict"), ...ofType(of, "verdict", "research")]).map((fact) => ({ ...(fact as Fact), n: 0, seen: 0 })); // prettier-ignore
        expect(decided(facts)).toEqual(decided(expected));
      }
    }, 120_000);
});
