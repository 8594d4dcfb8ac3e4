import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import type { Fact } from "../../core/index.ts";
import { emptyFolder, lasting, ofType } from "../support/run.ts";
import { codeWordsIn } from "../support/screen-words.ts";

const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;
const bilevel = (folder: string, ...args: string[]) =>
  spawnSync(process.execPath, ["--no-warnings", command, ...args, "-C", folder], { encoding: "utf8" });
const factsOf = (folder: string, run: string): Fact[] =>
  readFileSync(join(folder, ".bilevel", run, "journal.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Fact);

/** A searches from 0.9 toward 0.3, where the loss is 1; IDLE changes nothing. */
function project({ seed = '"none"', noise = 0, waitMs = 0, trials = 20 } = {}): string {
  const folder = emptyFolder();
  mkdirSync(join(folder, "task"));
  writeFileSync(
    join(folder, "task", "train.js"),
    `const A = 0.9;
const B = 0.9;
const IDLE = 0.5;
const SEED = 1;
const mixed = Math.imul(Math.imul(SEED * 7919 + Math.round(1e4 * (A + 3 * B + 7 * IDLE)), 2246822519) ^ 40503, 2654435761) >>> 0;
const noise = ${noise} * (mixed / 2 ** 32 - 0.5);
setTimeout(() => console.log("loss: " + (1 + (A - 0.3) ** 2 + (B - 0.3) ** 2 + noise)), ${waitMs});
`,
  );
  writeFileSync(
    join(folder, "bilevel.config.ts"),
    `import { defineConfig, evaluateProcess, innerLoop, proposeLocal } from "bilevel";
const unit = { type: "float", min: 0, max: 1 } as const;
export default defineConfig({
  task: { folder: "task", command: ["node", "train.js"], values: { via: "constants", file: "train.js" }, seed: ${seed} },
  objective: { metric: "loss", direction: "minimize" },
  space: { parameters: { A: { ...unit, default: 0.9 }, B: { ...unit, default: 0.9 }, IDLE: { ...unit, default: 0.5 } } },
  evaluator: evaluateProcess({ graceSeconds: 0.2 }),
  proposer: proposeLocal(), // few parameters at a time, so that the record says which were useful
  levels: [innerLoop()],
  budget: { trials: ${trials} },
});`,
  );
  return folder;
}

describe("bilevel simplify", () => {
  const folder = project();
  let shown = "";
  beforeAll(() => {
    expect(bilevel(folder, "run", "--quiet").status).toBe(0);
    const { status, stdout, stderr } = bilevel(folder, "simplify", "run-1");
    expect([status, stderr]).toEqual([0, ""]);
    shown = stdout;
  }, 120_000);

  it("tells what each change of the winner is worth and drops the one that is worth nothing", () => {
    const table = shown.slice(shown.indexOf("end: "));
    expect(table).toMatch(/^A 0\.9 → [\d.]+: worth 0\.\d+$/m);
    expect(table).toMatch(/^B 0\.9 → [\d.]+: worth 0\.\d+$/m);
    expect(table).toMatch(/^IDLE 0\.5 → [\d.]+: no effect, dropped$/m);
    expect(codeWordsIn(shown)).toEqual([]);
    expect(table).toContain("2 of 3 changes are left; loss as with all of them");
    expect(readFileSync(join(folder, ".bilevel", "run-1-small", "summary.md"), "utf8")).toContain("- IDLE 0.5 →");
  });

  it("takes the least useful one back first", () => {
    const [first] = [...shown.matchAll(/by take-back/g)].map(({ index }) =>
      shown.slice(shown.lastIndexOf("\n", index), index),
    );
    expect(first).toContain("IDLE");
  });

  it("writes a patch that git applies, with what is left and nothing else", () => {
    const patch = join(folder, ".bilevel", "run-1-small", "best-small.patch");
    const text = readFileSync(patch, "utf8");
    expect(text).toMatch(/^\+const A = [\d.]+;$/m);
    expect(text).not.toMatch(/^[+-]const IDLE/m);
    execFileSync("git", ["apply", "--check", patch], { cwd: join(folder, "task") });
  });

  it("is a run like others: status, show, replay and resume know it", () => {
    const { stdout } = bilevel(folder, "status", "run-1-small");
    expect(stdout).toContain("run run-1-small");
    expect(stdout).toMatch(/IDLE .*: no effect, dropped/);
    expect(bilevel(folder, "show", "1", "--run", "run-1-small").stdout).toMatch(/^change: IDLE [\d.]+ → 0\.5$/m);
    expect(bilevel(folder, "replay", "run-1-small").stdout).toMatch(/^\d+ decisions computed again, no difference/);
    expect(bilevel(folder, "resume", "run-1-small").stdout).toContain("2 of 3 changes are left");
    expect(bilevel(folder, "replay", "run-1").stdout).toMatch(/no difference/);
  });

  it("says what the budget did not reach, and leaves it in; more trials go on with it", () => {
    const few = bilevel(folder, "simplify", "run-1", "--trials", "1", "--name", "few");
    expect(few.stdout).toMatch(/^A 0\.9 → .*: not tried, left in$/m);
    expect(few.stdout).toContain("2 of 3 changes are left");
    const more = bilevel(folder, "resume", "few", "--trials", "+2");
    expect(more.stdout).toMatch(/^A 0\.9 → .*: worth/m);
    expect(bilevel(folder, "replay", "few").stdout).toMatch(/no difference/);
  });

  it.each([
    ["a second time", ["run-1"], "bilevel resume run-1-small"],
    ["of a simplification", ["run-1-small"], "is itself a simplification"],
    ["with too few trials", ["run-1", "--trials", "0", "--name", "x"], "--trials 3 tries all 3"],
    ["with a name that leads out of .bilevel", ["run-1", "--name", "../x"], "is no name of a run"],
    ["of a run that is not there", ["run-7"], "there is no run named run-7"],
  ])("%s is refused with a reason, and exit code 2", (_, args, reason) => {
    const { status, stderr } = bilevel(folder, "simplify", ...args);
    expect(status).toBe(2);
    expect(stderr).toContain(reason);
  });

  it("of a run whose config means another program now is refused by the field's name", () => {
    const other = emptyFolder();
    cpSync(folder, other, { recursive: true });
    const config = join(other, "bilevel.config.ts");
    writeFileSync(config, readFileSync(config, "utf8").replace('"minimize"', '"maximize"'));
    const { status, stderr } = bilevel(other, "simplify", "run-1", "--name", "x");
    expect(status).toBe(4);
    expect(stderr).toContain("E_CONFIG_CHANGED  bilevel.config.ts › objective.direction");
  });

  it("of a run whose best is the baseline is told so", () => {
    const none = project({ trials: 1 });
    writeFileSync(join(none, "task", "train.js"), 'const A = 0.9, B = 0.9, IDLE = 0.5;\nconsole.log("loss: 1");\n');
    bilevel(none, "run", "--quiet");
    const { status, stderr } = bilevel(none, "simplify");
    expect(status).toBe(2);
    expect(stderr).toContain("its best is the baseline");
    expect(stderr).toContain("bilevel resume run-1 --trials +20");
  });
});

describe("bilevel simplify of a noisy task", () => {
  it("goes on after kill -9, ends as if it had not been killed, and measures on seeds of its own", async () => {
    const whole = project({ seed: '{ constant: "SEED" }', noise: 0.02, waitMs: 100 });
    expect(bilevel(whole, "run", "--quiet").status).toBe(0);
    const killed = emptyFolder();
    cpSync(whole, killed, { recursive: true });
    const straight = bilevel(whole, "simplify", "run-1", "--name", "small");
    expect(straight.status).toBe(0);

    const args = ["--no-warnings", command, "simplify", "run-1", "--name", "small", "-C", killed];
    const child = spawn(process.execPath, args, { stdio: "ignore" });
    const exit = once(child, "exit");
    const journal = join(killed, ".bilevel", "small", "journal.jsonl");
    const verdicts = (): number =>
      existsSync(journal) ? readFileSync(journal, "utf8").split('"type":"verdict"').length - 1 : 0;
    while (verdicts() < 4) await sleep(10);
    child.kill("SIGKILL");
    await exit;
    const resumed = bilevel(killed, "resume", "small");
    expect(resumed.status).toBe(0);
    const tableOf = (text: string): string => text.slice(text.indexOf("end: ")).replace(/\S*\.patch/, "");
    expect(tableOf(resumed.stdout)).toBe(tableOf(straight.stdout));
    expect(bilevel(killed, "replay", "small").stdout).toMatch(/no difference/);

    const decided = (of: string): unknown[] =>
      lasting(ofType(factsOf(of, "small"), "verdict", "simplify")).map(
        (fact) => (fact as { verdict: unknown }).verdict,
      );
    expect(decided(killed)).toEqual(decided(whole));
    expect(tableOf(straight.stdout)).toMatch(/^A 0\.9 → [\d.]+: worth 0\.\d+ ± 0\.\d+$/m);
    const seeds = ofType(factsOf(whole, "small"), "turn", "simplify").flatMap(({ trials }) =>
      (trials as { seed: number }[]).map(({ seed }) => seed),
    );
    expect([...new Set(seeds)].sort()).toEqual([2042, 2043, 2044]);
  }, 240_000);
});
