import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { outerLoop } from "../../plugins/outer-loop/index.ts";
import { author, sound } from "../support/author.ts";
import { level } from "../support/bowl.ts";
import { emptyFolder, run } from "../support/run.ts";
import { codeWordsIn } from "../support/screen-words.ts";

const root = new URL("../../", import.meta.url).pathname;
const command = join(root, "cli/bilevel.js");
const bilevel = (folder: string, ...args: string[]) =>
  spawnSync(process.execPath, [command, "mechanism", ...args, "-C", folder], { encoding: "utf8" });
/** A folder in which the command stands under its name, as where bilevel is installed. */
const commands = emptyFolder();
writeFileSync(join(commands, "bilevel"), `#!/bin/sh\nexec "${process.execPath}" --no-warnings "${command}" "$@"\n`);
chmodSync(join(commands, "bilevel"), 0o755);
const written = (name: string, code: string): string => {
  const folder = emptyFolder();
  writeFileSync(join(folder, name), code);
  return folder;
};

describe("bilevel mechanism test", () => {
  it.each(["CONTRIBUTING.md", "README.md"])("passes the mechanism that %s shows, in some twenty lines", (file) => {
    const blocks = readFileSync(join(root, file), "utf8").matchAll(/```ts\n([\s\S]*?)```/g);
    const code = [...blocks].map(([, block = ""]) => block).find((block) => block.includes("mechanism(")) ?? "";
    expect(code.trim().split("\n").length).toBeLessThanOrEqual(22);
    const { status, stdout, stderr } = bilevel(written("mine.ts", code), "test", "mine.ts");
    expect([status, stderr]).toEqual([0, ""]);
    expect(codeWordsIn(stdout)).toEqual([]);
    for (const check of ["size", "imports", "types", "loads", "contract", "deterministic", "state", "limits", "live"])
      expect(stdout).toContain(`pass  ${check}`);
    for (const task of ["valley", "mixed", "rugged"])
      expect(stdout).toMatch(new RegExp(`on ${task}, with against without: (\\d+ pairs|no effect)`));
  });

  it("tells the check and the line to change, and exits with 1", () => {
    const wrong = sound("trust-region").replace(
      "const from = parent.candidate.values ?? {};",
      "const from: number = parent.candidate.values ?? {};",
    );
    const { status, stdout } = bilevel(written("wrong.ts", wrong), "test", "wrong.ts");
    expect(status).toBe(1);
    expect(stdout).toMatch(/FAIL {2}types, line \d+: Type .* is not assignable to type 'number'/);
    expect(stdout).toContain("-     live: not reached");
  });

  it("gives JSON to programs", () => {
    const folder = written("radius.ts", sound("trust-region"));
    const { status, stdout } = bilevel(folder, "test", "radius.ts", "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      sound: true,
      admission: { name: "trust-region", standing: "live" },
      tasks: [{ task: "valley", evidence: { pairs: expect.any(Number) as number } }, {}, {}],
    });
  });

  it("says which file is missing, with exit code 2", () => {
    const { status, stderr } = bilevel(emptyFolder(), "test", "nowhere.ts");
    expect(status).toBe(2);
    expect(stderr).toContain("there is no such file");
  });
});

describe("of a run in which mechanisms were written, bilevel mechanism", () => {
  let home = "";
  beforeAll(async () => {
    home = emptyFolder();
    const inert = sound("elite-crossover").replace("number % 3 !== 0", "number >= 0");
    const folder = join(home, ".bilevel", "run-1");
    mkdirSync(folder, { recursive: true });
    await run(
      {
        levels: [
          level(),
          outerLoop({ name: "research", every: 5, plugins: [author([inert, sound("elite-crossover")])] }),
        ],
        budget: { trials: 40 },
      },
      { folder },
    );
  });

  it("list shows what was let in, what was not and why", () => {
    const { status, stdout } = bilevel(home, "list");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^1 {2}elite-crossover@[0-9a-f]{8}: not let in: live: it changed nothing in/m);
    expect(stdout).toMatch(/^2 {2}elite-crossover@[0-9a-f]{8}: (kept|dropped|too early); \d+ pairs, evidence/m);
    expect(JSON.parse(bilevel(home, "list", "--json").stdout)).toMatchObject({
      written: [{ name: "elite-crossover" }, { standing: "live" }],
    });
  });

  it("show has its record, what it took, and its code; of two with a name, of the one that was let in", () => {
    const { stdout } = bilevel(home, "show", "elite-crossover");
    expect(stdout).toMatch(/it did: proposed \d+; \d+ calls, \d+ ms, fuel \d+, 0 failed/);
    expect(codeWordsIn(stdout.split("\n\n")[0] ?? "")).toEqual([]); // its code follows
    expect(stdout).toContain("Holland");
    expect(bilevel(home, "show", "9")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("1 (elite-crossover@") as string,
    });
  });

  it("adopt writes a package whose test passes, and which installs from its tarball and loads", () => {
    const { status, stdout, stderr } = bilevel(home, "adopt", "2");
    expect([status, stderr]).toEqual([0, ""]);
    const folder = join(home, "bilevel-mechanism-elite-crossover");
    expect(stdout).toContain(folder);
    const card = JSON.parse(readFileSync(join(folder, "evidence.json"), "utf8")) as Record<string, unknown>;
    expect(card).toMatchObject({
      run: "run-1",
      metric: "loss",
      pairs: expect.any(Number) as number,
      verdict: expect.any(String) as string,
      bilevel: expect.any(String) as string,
    });
    const { scripts } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { scripts: { test: string } };
    expect(scripts.test).toBe("bilevel mechanism test index.ts");
    const npm = (cwd: string, ...args: string[]) =>
      spawnSync("npm", args, {
        cwd,
        encoding: "utf8",
        env: { ...process.env, PATH: `${commands}:${process.env.PATH}` },
      });
    const tested = npm(folder, "test");
    expect([tested.status, tested.stdout]).toEqual([0, expect.stringContaining("pass  live")]);
    const packed = JSON.parse(npm(folder, "pack", "--json").stdout) as {
      filename: string;
      files: { path: string }[];
    }[];
    expect(packed[0]?.files.map(({ path }) => path).sort()).toEqual(
      ["README.md", "evidence.json", "index.d.ts", "index.js", "index.ts", "package.json"].sort(),
    );
    writeFileSync(join(home, "package.json"), "{}");
    const tarball = join(folder, packed[0]?.filename ?? "");
    const installed = npm(home, "install", "--offline", "--no-audit", "--no-fund", tarball);
    expect([installed.status, installed.stderr]).toEqual([0, ""]);
    expect(lstatSync(join(home, "node_modules", "bilevel-mechanism-elite-crossover")).isDirectory()).toBe(true);
    writeFileSync(join(home, "train.js"), "const X = 0.9;\nconsole.log('loss: ' + (X - 0.3) ** 2);\n");
    writeFileSync(
      join(home, "bilevel.config.ts"),
      `import { defineConfig, evaluateProcess, innerLoop } from "bilevel";
import eliteCrossover from "bilevel-mechanism-elite-crossover";
export default defineConfig({
  task: { folder: ".", command: ["node", "train.js"], values: { via: "constants", file: "train.js" }, seed: "none", ignore: ["node_modules", "bilevel-*", "package*.json"] },
  objective: { metric: "loss", direction: "minimize" },
  space: { parameters: { X: { type: "float", min: 0, max: 1, default: 0.9 } } },
  evaluator: evaluateProcess(), levels: [innerLoop()], plugins: [eliteCrossover()], budget: { trials: 3 },
});`,
    );
    const ran = spawnSync(process.execPath, ["--no-warnings", command, "run", "-C", home], { encoding: "utf8" });
    expect([ran.status, ran.stderr]).toEqual([0, ""]);
    expect(ran.stdout).toContain("mechanism elite-crossover: kept");
    expect(ran.stdout).toContain("in force from the start, not judged"); // a new record: nothing came along from the run
    expect(existsSync(folder)).toBe(true);
    expect(bilevel(home, "adopt", "2", "--run", "run-1")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("such a folder already") as string,
    });
    expect(bilevel(home, "adopt", "1", "--run", "run-1")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("was not let in") as string,
    });
  });
});

describe("of a mechanism that is out after failures, bilevel mechanism", () => {
  it("list says so, and its evidence card; adopt says which folder cannot be made", async () => {
    const home = emptyFolder();
    const folder = join(home, ".bilevel", "run-1");
    mkdirSync(folder, { recursive: true });
    const failing = sound("trust-region").replace("const from =", 'throw new Error("no");\n    const from =');
    const checked = { standing: "live" as const, taps: ["propose:SHAPE"], options: {} };
    const plugins = [author([failing], checked)];
    await run({ levels: [level(), outerLoop({ name: "research", every: 5, plugins })] }, { folder });
    expect(bilevel(home, "list").stdout).toMatch(/^1 {2}written@[0-9a-f]{8}: out after 3 failures; /m);
    writeFileSync(join(home, "file"), "");
    expect(bilevel(home, "adopt", "written", "--into", "file")).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/^E_FOLDER .*file\/bilevel-mechanism-written\n/) as string,
    });
    expect(bilevel(home, "adopt", "written").status).toBe(0);
    const card = readFileSync(join(home, "bilevel-mechanism-written", "evidence.json"), "utf8");
    expect(JSON.parse(card)).toMatchObject({ verdict: "out after 3 failures" });
  });
});
