import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { emptyFolder } from "../support/run.ts";
import { codeWordsIn } from "../support/screen-words.ts";
import { hasTerminal, inTerminal } from "../support/terminal.ts";

const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;
const bilevel = (folder: string, ...args: string[]) =>
  spawnSync(process.execPath, ["--no-warnings", command, ...args, "-C", folder], { encoding: "utf8" });

const program = `const RATE = 0.02; // learning rate
const DROPOUT = 0.5;
const WIDTH = 2 ** 6;
const LAYERS = 3;
const SEED = 7;
const NAME = "run";
const loss = (Math.log10(RATE) + 1) ** 2 + (DROPOUT - 0.1) ** 2 + (Math.log2(WIDTH) - 7) ** 2 / 10 + LAYERS;
console.log("loss: " + (loss + ((SEED * 7919) % 100) / 1e5));
`;
function folderWith(text = program): string {
  const folder = emptyFolder();
  writeFileSync(join(folder, "train.js"), text);
  return folder;
}
const line = ["run", "--command", "node train.js", "--metric", "loss", "--minimize"];

describe("a run without a config", () => {
  it("shows what it found with its ranges, runs it, and can be seen, replayed and resumed without a config", () => {
    const folder = folderWith();
    const { status, stdout, stderr } = bilevel(folder, ...line, "--trials", "6", "--yes");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`found in train.js:
  RATE     0.02      0.002 to 0.2, on a log scale
  DROPOUT  0.5       0 to 1
  WIDTH    64        16 to 256, powers of two
left alone: LAYERS (--params names what is to be searched)
the trial's seed goes to SEED
6 trials of: node train.js; minimize loss
`);
    expect(stdout).toContain("end: the budget of 6 trials is used up");
    expect(codeWordsIn(stdout)).toEqual([]);
    expect(existsSync(join(folder, "bilevel.config.ts"))).toBe(false);
    expect(bilevel(folder, "replay").stdout).toMatch(/no difference/);
    expect(bilevel(folder, "status").stdout).toContain("run run-1");
    expect(bilevel(folder, "show", "1").stdout).toMatch(/^trial 1: /);
    expect(bilevel(folder, "plugins").stdout).toMatch(
      /^# run-1\ninner\n {2}propose +SOURCE +propose-search +\d+ calls/,
    );
    expect(bilevel(folder, "resume").status).toBe(0);
  });

  it("searches the constants that are named, and no other", () => {
    const { stdout } = bilevel(folderWith(), ...line, "--params", "LAYERS, RATE", "--trials", "2", "--yes");
    expect(stdout).toMatch(/^ {2}RATE {4}0\.02 .*\n {2}LAYERS {2}3 +2 to 6\nleft alone: DROPOUT, WIDTH /m);
  });

  it("writes the config that it used, which then runs alone and is the same", () => {
    const folder = folderWith();
    expect(bilevel(folder, ...line, "--trials", "4", "--yes", "--save").status).toBe(0);
    const text = readFileSync(join(folder, "bilevel.config.ts"), "utf8");
    expect(text).toContain("// The ranges are assumed from the values in train.js: make them yours.");
    const other = folderWith();
    expect(bilevel(other, ...line, "--trials", "4", "--yes").status).toBe(0);
    const configOf = (of: string): unknown => {
      const [first = ""] = readFileSync(join(of, ".bilevel", "run-1", "journal.jsonl"), "utf8").split("\n");
      return (JSON.parse(first) as { config: unknown }).config;
    };
    expect(configOf(folder)).toEqual(configOf(other));
    expect(bilevel(folder, "run").status).toBe(0);
    expect(bilevel(folder, ...line, "--yes", "--save").stderr).toContain("there is a config here already");
  });

  it("writes it in YAML, too, with the schema that its first line names", () => {
    const folder = folderWith();
    expect(bilevel(folder, ...line, "--trials", "2", "--yes", "--save", "yaml").status).toBe(0);
    const [first = ""] = readFileSync(join(folder, "bilevel.config.yaml"), "utf8").split("\n");
    expect(first).toBe("# yaml-language-server: $schema=./.bilevel/schema.json");
    const schema = JSON.parse(readFileSync(join(folder, ".bilevel", "schema.json"), "utf8")) as { title: string };
    expect(schema.title).toBe("The config of a bilevel run");
    expect(bilevel(folder, "run").status).toBe(0);
    expect(bilevel(folderWith(), ...line, "--yes", "--save", "toml").stderr).toContain("yaml for bilevel.config.yaml");
  });

  it("where it cannot be written says so in one error, exit 3", () => {
    const folder = folderWith();
    symlinkSync("/sys/none", join(folder, "bilevel.config.ts")); // read-only, also for root
    const { status, stderr } = bilevel(folder, ...line, "--yes", "--save");
    expect(status).toBe(3);
    expect(stderr).toMatch(/^E_FOLDER {2}.*bilevel\.config\.ts\n {2}problem +cannot be read or written\n/);
  });

  it("takes a journal without a fact for no run: its name is free", () => {
    const folder = folderWith();
    mkdirSync(join(folder, ".bilevel", "a"), { recursive: true });
    writeFileSync(join(folder, ".bilevel", "a", "journal.jsonl"), "");
    for (const verb of ["status", "replay", "resume"])
      expect(bilevel(folder, verb, "a").stderr).toMatch(/^E_(RUN_UNKNOWN|CONFIG_MISSING) /);
    expect(bilevel(folder, ...line, "--trials", "2", "--yes", "--name", "a").status).toBe(0);
  });

  it("that was killed goes on from its own folder", async () => {
    const folder = folderWith(`${program}\nawait new Promise((resolve) => setTimeout(resolve, 300));\n`);
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const child = spawn(process.execPath, ["--no-warnings", command, ...line, "--trials", "5", "--yes", "-C", folder], {
      stdio: "ignore",
    });
    const exit = once(child, "exit");
    const journal = join(folder, ".bilevel", "run-1", "journal.jsonl");
    while (!existsSync(journal) || !readFileSync(journal, "utf8").includes('"type":"verdict"')) await sleep(20);
    child.kill("SIGKILL");
    await exit;
    const { status, stdout } = bilevel(folder, "resume");
    expect(status).toBe(0);
    expect(stdout).toContain("end: the budget of 5 trials is used up");
  });

  it.each([
    ["nobody to ask", line, "nobody can be asked here"],
    ["no direction", line.slice(0, -1), "one of --minimize, --maximize"],
    ["both directions", [...line, "--maximize"], "mutually exclusive"],
    ["no metric", ["run", "--command", "node train.js", "--minimize"], "metric"],
    [
      "no program of this folder",
      ["run", "--command", "make train", "--metric", "loss", "--minimize", "--yes"],
      "names no program",
    ],
    ["an unknown parameter", [...line, "--params", "RATES", "--yes"], "RATES is no constant"],
    ["a quote that is not closed", line.with(2, "node train.js --name='a b"), "a quote that is not closed"],
    [
      "a variable in front of the program",
      [...line.with(2, "RATE_SCALE=2 node train.js"), "--yes"],
      "RATE_SCALE=2 bilevel run --command",
    ],
    ["a redirection", [...line.with(2, "node train.js > log"), "--yes"], "has > for a shell"],
    ["two programs", [...line.with(2, "node train.js&&true"), "--yes"], "has && for a shell"],
    ["no name of a parameter", [...line, "--params", "", "--yes"], "E_USAGE  bilevel run --params"],
    ["the seed as a parameter", [...line, "--params", "SEED", "--yes"], "allowed   RATE, DROPOUT, WIDTH, LAYERS\n"],
    ["no trials", [...line, "--trials", "0", "--yes"], "E_USAGE  bilevel run --trials"],
    ["half a trial", [...line, "--trials", "2.5", "--yes"], "E_USAGE  bilevel run --trials"],
    ["trials below zero", [...line, "--trials", "-3", "--yes"], "E_USAGE  bilevel run --trials"],
    ["a word for a number", [...line, "--trials", "many", "--yes"], "E_USAGE  bilevel run --trials"],
    ["trials without a command", ["run", "--trials", "3"], "command"],
  ])("with %s is told so, with exit code 2", (_, args, message) => {
    const folder = folderWith();
    const { status, stdout, stderr } = bilevel(folder, ...args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect(codeWordsIn(stderr)).toEqual([]);
    if (args.includes("--yes")) expect(stdout).toBe("");
    expect(existsSync(join(folder, ".bilevel"))).toBe(false);
  });

  it("with a name that leads out of .bilevel saves no config", () => {
    const folder = folderWith();
    const { status, stderr } = bilevel(folder, ...line, "--name", "../out", "--save", "--yes");
    expect(status).toBe(2);
    expect(stderr).toContain("is no name of a run");
    for (const file of [".bilevel", "bilevel.config.ts"]) expect(existsSync(join(folder, file))).toBe(false);
  });

  it.runIf(hasTerminal).each([
    ["n", "n\r", false],
    ["Enter", "\r", true],
    ["^C", "\x03", false],
  ])("asks once where there is somebody, and takes %s for an answer", async (_, answer, isRun) => {
    const folder = folderWith();
    const words = `run --command "node train.js" --metric loss --minimize --trials 1 --quiet`;
    const { status, lines } = await inTerminal(folder, [words], { answer });
    expect(status).toBe(0);
    expect(lines.filter((one) => one.includes("start? [Y/n]")).length).toBe(1);
    expect(existsSync(join(folder, ".bilevel", "run-1", "journal.jsonl"))).toBe(isRun);
    expect(lines.some((one) => one.startsWith("end: "))).toBe(isRun);
    expect(lines.join()).not.toContain("unexpected");
  });

  it("is what the README shows first, with its options", () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    expect(readme.indexOf("bilevel run --command")).toBeLessThan(readme.indexOf("defineConfig("));
    const row = readme.split("\n").find((one) => one.startsWith("| `bilevel run --command`")) ?? "";
    for (const option of ["metric", "minimize", "maximize", "params", "trials", "yes", "save"])
      expect(row).toContain(`\`--${option}\``);
  });

  it("of a program without numbers is told so", () => {
    const { status, stderr } = bilevel(folderWith('console.log("loss: 1");\n'), ...line, "--yes");
    expect(status).toBe(2);
    expect(stderr).toContain("no parameter was found in train.js");
    expect(stderr).toContain('values: { via: "args" }: docs/config.md'); // they may be arguments
  });

  it("gives the program its words as a shell would, and bilevel's own environment", () => {
    const folder = folderWith(`${program}
if (process.argv.slice(2).join("|") !== "--name=a b|c && d|e" || process.env.DEVICE !== "3")
  throw new Error(JSON.stringify([process.argv, process.env.DEVICE]));
`);
    const words = `node train.js --name="a b" 'c && d' e`;
    const args = [...line.with(2, words), "--trials", "1", "--yes", "-C", folder];
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", command, ...args], {
      encoding: "utf8",
      env: { ...process.env, DEVICE: "3" },
    });
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("1 trial of: node train.js");
    expect(stdout).not.toMatch(/(?<![\d.])1 (trials|controls|calls|pairs|changes|times)\b/);
  });
});
