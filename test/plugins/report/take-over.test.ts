import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { execute, resolveConfig } from "../../../core/index.ts";
import { report } from "../../../plugins/report/index.ts";
import { programConfig } from "../../support/process-run.ts";
import { emptyFolder } from "../../support/run.ts";

/** Runs a program in that folder, whose best is X = 1, and then the command that the run ends with. */
async function takenOver(home: string): Promise<string> {
  mkdirSync(join(home, "task"), { recursive: true });
  writeFileSync(join(home, "task", "train.js"), "const X = 0;\nconsole.log('loss: ' + (2 - X));\n");
  const said: string[] = [];
  const { config } = programConfig({ source: "" });
  const observers = [report({ print: (line) => void said.push(line) })];
  await execute(resolveConfig(config, join(home, "bilevel.config.ts")), join(home, "run"), { observers });
  const [, command = ""] = /^to take it over, in task: (.+)$/m.exec(said.join("\n")) ?? [];
  execFileSync("sh", ["-c", command], { cwd: join(home, "task") });
  return readFileSync(join(home, "task", "train.js"), "utf8");
}

it("the command that a run ends with takes the best over: alone, and wherever in a Git repository", async () => {
  const [alone, repository, link] = [emptyFolder(), emptyFolder(), join(emptyFolder(), "link")];
  execFileSync("git", ["init", "--quiet", repository]);
  mkdirSync(join(repository, "linked"));
  symlinkSync(join(repository, "linked"), link);
  for (const home of [alone, repository, join(repository, "it's deeper"), link])
    expect(await takenOver(home)).toMatch(/^const X = 1;/);
});
