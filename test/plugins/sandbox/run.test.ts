import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { replay } from "../../../cli/replay.ts";
import type { ArmChange, Config, Fact, Trial } from "../../../core/index.ts";
import { journalFile, readJournal, resolveConfig } from "../../../core/index.ts";
import { outerLoop } from "../../../plugins/outer-loop/index.ts";
import { author, sound } from "../../support/author.ts";
import { level } from "../../support/bowl.ts";
import { generatedConfig } from "../../support/host-generated.ts";
import { emptyFolder, lasting, ofType, run } from "../../support/run.ts";

const trials = 30;
const host = new URL("../../support/host-generated.ts", import.meta.url).pathname;
const touchesOf = (facts: readonly Fact[]) =>
  ofType(facts, "turn").flatMap((fact) => (fact.trials as Trial[]).flatMap(({ touches }) => touches));
const research = (files: readonly string[], extra = {}): Partial<Config> => ({
  levels: [level(), outerLoop({ name: "research", every: 5, plugins: [author(files)], ...extra })],
});
const verdicts = (facts: readonly Fact[]) =>
  ofType(facts, "verdict", "research").map((fact) => fact.verdict as { decision: string; reason: string });

describe("a generated mechanism in a run", () => {
  it("is admitted, tested in pairs against doing without it, and attributed with what would have been", async () => {
    const { facts } = await run({ ...research([sound("step-size-calibration")]), budget: { trials: 60 } });
    const candidates = ofType(facts, "turn", "research").flatMap((fact) =>
      (fact.trials as Trial<ArmChange>[]).map(({ candidate }) => candidate),
    );
    expect(candidates[0]?.install).toMatchObject({
      name: "one-fifth-rule",
      standing: expect.stringMatching(/live|waiting/) as string,
      taps: ["propose:SHAPE"],
    });
    const pairs = ofType(facts, "turn").filter((fact) => (fact.trials as Trial[]).length === 2);
    expect(pairs.length).toBeGreaterThan(5);
    const touch = touchesOf(facts).find(({ tap }) => tap.startsWith("one-fifth-rule@"));
    expect(touch).toMatchObject({ hook: "propose", did: "changed", instead: { values: expect.any(Object) as object } });
    expect(verdicts(facts).length).toBeGreaterThan(0);
  });

  it("goes back to its author with the reason where a check refuses it, and the next file is taken", async () => {
    const inert = sound("trust-region").replace("Math.abs(b - a) > radius", "Math.abs(b - a) > 99");
    const { facts } = await run({ ...research([inert, sound("trust-region")]), budget: { trials: 20 } });
    const admissions = facts.filter(({ type, kind }) => type === "once" && kind === "admission");
    const told = admissions.map(({ result }) =>
      (result as { admission: { problems: { check: string }[] } }).admission.problems.map(({ check }) => check),
    );
    expect(told).toEqual([["live"], []]);
  });

  it("that fails in a call is skipped there; three failures take it out, and the run goes on without it", async () => {
    const later = sound("trust-region").replace(
      "{ candidate }, { parent }) {",
      '{ candidate }, { parent, number }) {\n    if (number > 70) throw new Error("out of its depth");',
    );
    const { facts, end } = await run({ ...research([later], { probation: false }), budget: { trials: 90 } });
    const strikes = facts.filter(({ type }) => type === "strike");
    expect(strikes.map(({ hook, reason }) => [hook, reason])).toEqual(
      Array(3).fill(["propose", expect.stringContaining("out of its depth")]),
    );
    expect(touchesOf(facts).filter(({ did }) => did === "failed")).toHaveLength(3);
    expect(end.levels.get("inner")?.struck).toEqual([expect.stringMatching(/^trust-region@/)]);
    expect(end.reason).toBe("the budget of 90 trials is used up");
  });

  it("that failed in the turn that a kill cut off is not counted twice for it", async () => {
    const later = sound("trust-region").replace(
      "{ candidate }, { parent }) {",
      '{ candidate }, { parent, number }) {\n    if (number > 8) throw new Error("out of its depth");',
    );
    const checked = { standing: "live" as const, taps: ["propose:SHAPE"], options: {} };
    const config = () => research([], { probation: false, plugins: [author([later], checked)] });
    const first = await run(config());
    const failed = (of: readonly Fact[]) => touchesOf(of).filter(({ did }) => did === "failed");
    expect(failed(first.facts)).toHaveLength(3);
    const lines = readFileSync(journalFile(first.folder), "utf8").split("\n").slice(0, -1);
    for (const { n } of first.facts.filter(({ type }) => type === "strike").slice(0, 2)) {
      const folder = emptyFolder();
      writeFileSync(journalFile(folder), lines.slice(0, n + 1).join("\n") + "\n");
      const { facts } = await run(config(), { folder });
      expect(facts.filter(({ type }) => type === "strike")).toHaveLength(3);
      expect(failed(facts)).toEqual(failed(first.facts));
    }
  });

  it("that cannot learn from a trial is out at once", async () => {
    const later = sound("trust-region").replace(
      "reflect(state, trial) {",
      "reflect(state, trial) {\n    if (trial.turn > 70) for (;;) state.wins++;",
    );
    const { facts, end } = await run({ ...research([later], { probation: false }), budget: { trials: 90 } });
    expect(facts.filter(({ type }) => type === "strike").map(({ reason, final }) => [reason, final])).toEqual([
      ["reflect on trial 71: it used up its fuel of 1000 ticks", true],
    ]);
    expect(end.levels.get("inner")?.struck).toHaveLength(1);
  });

  it("is gone without a trace once it is reverted: the arm is the one that was", async () => {
    const { facts, end } = await run({ ...research([sound("trust-region")]), budget: { trials: 120 } });
    const decided = verdicts(facts).find(({ decision }) => decision !== "repeat");
    const inner = end.levels.get("inner");
    expect(inner?.inForce).toEqual(decided?.decision === "keep" ? [expect.stringMatching(/^trust-region@/)] : []);
  });

  it("gives equal journals in equal runs, and its run can be computed again", async () => {
    const [one, two] = [await run(generatedConfig(trials)), await run(generatedConfig(trials))];
    expect(lasting(two.facts)).toEqual(lasting(one.facts));
    expect(
      await replay(one.folder, resolveConfig(generatedConfig(trials), "bilevel.config.ts").config),
    ).toBeGreaterThan(trials);
  });
});

describe("a run with three generated mechanisms in force and one on probation", () => {
  it("has them all", async () => {
    const { end, facts } = await run(generatedConfig(trials));
    expect(end.levels.get("inner")?.inForce.map((name) => name.split("@")[0])).toEqual(
      expect.arrayContaining(["trust-region", "thompson-step-kinds", "restart-on-stagnation"]),
    );
    expect(ofType(facts, "turn").some((fact) => String(fact.tests).startsWith("one-fifth-rule@"))).toBe(true);
  });

  it("that ends after any line of its journal goes on to the same end", async () => {
    const { folder, facts } = await run(generatedConfig(trials));
    const lines = readFileSync(journalFile(folder), "utf8").split("\n").slice(0, -1);
    const decisions = (of: readonly Fact[]) =>
      ["inner", "research", "given"].map((name) =>
        lasting(ofType(of, "turn", name)).map((fact) => ({ ...(fact as Fact), n: 0, seen: 0 })),
      );
    for (let cut = 3; cut < lines.length; cut += 9) {
      const again = emptyFolder();
      writeFileSync(journalFile(again), lines.slice(0, cut).join("\n") + "\n");
      const resumed = await run(generatedConfig(trials), { folder: again });
      expect(decisions(resumed.facts)).toEqual(decisions(facts));
    }
  }, 120_000);

  it("that is killed proposes next what it would have proposed", async () => {
    const whole = await run(generatedConfig(trials));
    const proposals = (facts: readonly Fact[]) =>
      ofType(facts, "turn").flatMap((fact) =>
        (fact.trials as Trial[]).map(({ candidate, touches }) => ({ candidate, touches })),
      );
    for (const line of [40, 90, 140]) {
      const folder = emptyFolder();
      const start = () =>
        spawn(process.execPath, ["--no-warnings", host, folder, String(trials)], {
          stdio: ["ignore", "ignore", "inherit"],
        });
      const child = start();
      const exit = once(child, "exit");
      let ended = false;
      void exit.then(() => (ended = true));
      const file = journalFile(folder);
      while (!ended && !(existsSync(file) && readFileSync(file, "utf8").split("\n").length > line))
        await new Promise((resolve) => setTimeout(resolve, 2));
      child.kill("SIGKILL");
      await exit;
      expect(child.signalCode).toBe("SIGKILL");
      await once(start(), "exit");
      const { facts } = readJournal(file);
      expect(facts.some(({ type }) => type === "session")).toBe(true);
      expect(proposals(facts)).toEqual(proposals(whole.facts));
    }
  }, 120_000);
});
