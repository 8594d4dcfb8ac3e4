import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { layOutGpt } from "../../cli/demo-gpt.ts";
import { roles, type Role } from "../../cli/demo-run.ts";
import { reveal, revealLines, type Revealed } from "../../cli/demo-screen.ts";
import type { Evidence, View } from "../../core/index.ts";
import { emptyFolder } from "../support/run.ts";
import { codeWordsIn } from "../support/screen-words.ts";

const root = new URL("../../", import.meta.url).pathname;
const bilevel = (folder: string, ...args: string[]) =>
  spawnSync(process.execPath, ["--no-warnings", join(root, "cli/bilevel.js"), ...args, "-C", folder], {
    encoding: "utf8",
  });

describe("bilevel demo", () => {
  const folder = emptyFolder();
  let shown = "";
  beforeAll(() => {
    const { status, stdout, stderr } = bilevel(folder, "demo", "--seed", "2");
    expect([status, stderr]).toEqual([0, ""]);
    shown = stdout;
  }, 120_000);

  it("tells what is seen of A to D and not who they are, until all have their verdicts", () => {
    const [before = "", after = ""] = shown.split("who was who");
    for (const letter of ["A", "B", "C", "D"])
      expect(before).toMatch(
        new RegExp(`trials .* ${letter}: (\\d+ pairs, .*, (kept|dropped|too early)|no effect in \\d+ proposals)`),
      );
    expect(before).toMatch(/testing A: \d+ pairs, evidence [\d.]+ of \d+, (leaning \w+)/);
    expect(before).not.toMatch(/\b(inert|told the answer)\b/);
    for (const { name } of Object.values(roles)) expect(after).toMatch(new RegExp(`right {2}${name} `));
    expect(after).toContain("4 of 4 right");
    expect(codeWordsIn(shown)).toEqual([]);
  });

  it("is a run like others: its folder, its status, its trials, its replay", () => {
    expect(readdirSync(join(folder, ".bilevel", "run-1"))).toEqual(
      expect.arrayContaining(["journal.jsonl", "results.tsv", "summary.md"]),
    );
    const { stdout } = bilevel(folder, "status");
    expect(codeWordsIn(stdout)).toEqual([]);
    expect(stdout).toContain("all four are judged");
    expect(bilevel(folder, "show", "12").status).toBe(0);
    expect(bilevel(folder, "replay").stdout).toMatch(/^\d+ decisions computed again, no difference/);
  });

  it.each(["3", "5"])(
    "gives the same order, the same search and the same verdicts with seed %s again",
    (seed) => {
      const [first, again] = [1, 2].map(() => {
        const { stdout } = bilevel(emptyFolder(), "demo", "--json", "--seed", seed);
        return JSON.parse(stdout) as { trials: number; revealed: Revealed[] };
      });
      expect(again).toEqual(first);
      expect(first?.revealed.map(({ role }) => role).sort()).toEqual(Object.keys(roles).sort());
      expect(first?.revealed.filter(({ right }) => right).length).toBe(4); // of the two seeds; the bench has the rate
    },
    120_000,
  );

  it.each<[Role, Partial<Evidence>, string]>([
    ["helps", { pairs: 40, decision: "undecided" }, "too early  WRONG  helps"],
    ["harms", { pairs: 9, decision: "keep" }, "kept       WRONG  harms"],
    ["placebo", { pairs: 9, decision: "keep" }, "kept       WRONG  placebo"],
    ["placebo", { pairs: 9, decision: "revert" }, "dropped    right  placebo"],
    ["inert", { pairs: 0, decision: "undecided" }, "no effect  right  no effect"],
  ])("shows a verdict on %s with %o as what it is", (role, evidence, line) => {
    const hidden = [{ letter: "A", role, id: "a", change: { of: "inner" } }];
    const inner = { evidence: new Map([["a", evidence]]), struck: [] } as unknown as View;
    expect(revealLines(reveal(hidden, inner), "run-1").join("\n")).toContain(`  A  ${line}`);
  });

  it("knows no other demo, and says which there are", () => {
    const { status, stderr } = bilevel(folder, "demo", "gtp");
    expect(status).toBe(2);
    expect(stderr).toContain("gpt");
  });
});

describe("bilevel demo gpt", () => {
  it("lays out the example whole, with its config, and runs what is there", () => {
    const home = emptyFolder();
    const { folder, isNew } = layOutGpt(home, () => undefined);
    expect([folder, isNew]).toEqual([join(home, "bilevel-gpt"), true]);
    const example = "examples/gpt-pretrain-cpu";
    expect(readdirSync(join(folder, example))).toEqual(readdirSync(join(root, example)));
    const edit = (file: string, from: string, to: string): void => {
      const text = readFileSync(join(root, file), "utf8");
      expect(readFileSync(join(folder, file), "utf8")).toBe(text);
      writeFileSync(join(folder, file), text.replace(from, to));
    };
    edit("bilevel.config.ts", "trials: 30", "trials: 3");
    edit(`${example}/train.ts`, "FLOP_BUDGET = 240e9", "FLOP_BUDGET = 2e9");

    const { stdout, stderr } = bilevel(home, "demo", "gpt");
    expect(stderr).toBe("");
    expect(stdout).toContain(`the example in ${folder} is run as it is`);
    expect(stdout).toContain("end: the budget of 3 trials is used up");
    expect(existsSync(join(folder, ".bilevel", "run-1", "journal.jsonl"))).toBe(true);
  }, 120_000);
});
