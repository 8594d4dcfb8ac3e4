import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readJournal } from "../../core/index.ts";
import { emptyFolder, lasting } from "../support/run.ts";

const root = new URL("../../", import.meta.url).pathname;
const copy = (): string => {
  const folder = emptyFolder();
  cpSync(join(root, "examples/recorded-run"), folder, { recursive: true });
  return folder;
};
const bilevel = (folder: string, ...args: string[]) =>
  spawnSync(process.execPath, ["--no-warnings", join(root, "cli/bilevel.js"), "run", "-C", folder, ...args], {
    encoding: "utf8",
    env: { PATH: process.env.PATH },
  });

describe("the recorded run", () => {
  it("says who answered", () => {
    const [header] = readFileSync(join(root, "examples/recorded-run/llm.jsonl"), "utf8").split("\n");
    expect(JSON.parse(header ?? "")).toEqual({ recording: 1, answeredBy: "written by hand" });
  });

  it("is answered from its file, without network and key: all levels, a file refused and one let in; twice the same", () => {
    const folder = copy();
    const { status, stdout, stderr } = bilevel(folder, "--replay", "llm.jsonl", "--name", "one");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("mechanisms: 2 written, 1 admitted");
    const policy = 'focus on a, b; "a and b belong together: b is best near a + 0.3"';
    for (const line of [`testing ${policy}: does it help?`, `  with ${policy}\n`, `  test ${policy}: 4 pairs`])
      expect(stdout).toContain(line);
    expect(stdout).toMatch(
      /the model was asked \d+ times \(policy 1, proposal \d+, explore 1, critique 1, specify 1, generate 2\)/,
    );
    expect(bilevel(folder, "--replay-sequence", "llm.jsonl", "--name", "two").status).toBe(0);
    const facts = (name: string) => lasting(readJournal(join(folder, ".bilevel", name, "journal.jsonl")).facts);
    expect(facts("two")).toEqual(facts("one"));
  });

  it("answers in sequence each kind of question by itself, and says which kind it has no more of", () => {
    const folder = copy();
    const [header = "", ...lines] = readFileSync(join(folder, "llm.jsonl"), "utf8").trimEnd().split("\n");
    const isProposal = (line: string) => line.includes('"purpose":"proposal"');
    const sorted = [...lines.filter(isProposal), ...lines.filter((line) => !isProposal(line))];
    writeFileSync(join(folder, "llm.jsonl"), [header, ...sorted].join("\n"));
    expect(bilevel(folder, "--replay-sequence", "llm.jsonl").status).toBe(0);
    writeFileSync(join(folder, "llm.jsonl"), [header, ...sorted.slice(5)].join("\n"));
    const { status, stderr } = bilevel(folder, "--replay-sequence", "llm.jsonl");
    expect(status).toBe(3);
    expect(stderr).toContain("the recording has no further answer to such a question (proposal)");
  });

  it("whose config was changed is told where its question leaves the recorded one", () => {
    const folder = copy();
    const config = readFileSync(join(folder, "bilevel.config.ts"), "utf8");
    writeFileSync(join(folder, "bilevel.config.ts"), config.replace("default: 8", "default: 7"));
    const { status, stderr } = bilevel(folder, "--replay", "llm.jsonl");
    expect(status).toBe(3);
    expect(stderr).toContain("the recording has no answer to this question (policy)");
    expect(stderr).toMatch(/received +….*\n.*allowed +…/);
    expect(bilevel(folder, "--replay", "bilevel.config.ts").stderr).toContain("the recording cannot be read");
  });
});
