import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { WriteStream } from "node:tty";
import { stripVTControlCharacters } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { outerLoop } from "../../plugins/outer-loop/index.ts";
import { progress } from "../../plugins/progress/index.ts";
import { bestOfTwo, inert, level, worstOfTwo } from "../support/bowl.ts";
import { emptyFolder, run } from "../support/run.ts";
import { codeWords, codeWordsIn } from "../support/screen-words.ts";
import { hasTerminal, inTerminal } from "../support/terminal.ts";

const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;

function bilevel(folder: string, ...args: string[]): string {
  const { stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", command, ...args, "-C", folder], {
    encoding: "utf8",
  });
  return stdout + stderr;
}

/** What a terminal of 256 colours answers, whatever variables (CI, TERM_PROGRAM and the like) the tests run under. */
const getColorDepth = () =>
  WriteStream.prototype.getColorDepth({ TERM: "xterm-256color", NO_COLOR: process.env["NO_COLOR"] });

/** A stream that is a terminal of so many columns and rows. */
function terminal(columns: number, rows = 50) {
  const stream = new PassThrough();
  let text = "";
  stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return {
    stream: Object.assign(stream, { isTTY: true, columns, rows, getColorDepth }) as unknown as NodeJS.WriteStream,
    text: () => text,
  };
}

/** A run of which the screen has everything to tell, on the given stream. */
const eventful = (stream: NodeJS.WriteStream, mode?: "plain") =>
  run(
    {
      levels: [level(), outerLoop({ name: "research", changes: "mechanisms", every: 5 })],
      plugins: [bestOfTwo, worstOfTwo, { ...inert, name: "idle" }],
      budget: { trials: 120 },
    },
    { observers: [progress({ stream, mode })] },
  );

/** Other verbs' tests look at their own screens: demo, simplify, plugins, mechanism, the run without a config. */
describe("the screen says nothing in words that belong to the code", () => {
  it("in a run with its tests, its end, and whatever is asked of it later", () => {
    const folder = emptyFolder();
    mkdirSync(join(folder, "task"));
    writeFileSync(
      join(folder, "task", "train.js"),
      `const X = 9;\nconst Y = 3;\nif (X < 4) throw new Error("too small");\nconsole.log("loss: " + ((X - 5) ** 2 + Y));\n`,
    );
    writeFileSync(
      join(folder, "bilevel.config.ts"),
      `import { defineConfig, evaluateProcess, innerLoop, outerLoop } from "bilevel";
import orthogonalDesign from "bilevel/mechanisms/orthogonal-design";
import tabu from "bilevel/mechanisms/tabu";
export default defineConfig({
  task: { folder: "task", command: ["node", "train.js"], values: { via: "constants", file: "train.js" }, seed: "none" },
  objective: { metric: "loss", direction: "minimize" },
  space: { parameters: { X: { type: "int", min: 0, max: 60, default: 9 }, Y: { type: "int", min: 0, max: 9, default: 3 } } },
  evaluator: evaluateProcess(),
  levels: [
    innerLoop({ slots: 2 }),
    outerLoop({ name: "policy", changes: "policy", every: 4 }),
    outerLoop({ changes: "mechanisms", every: 2 }),
  ],
  plugins: [tabu(), orthogonalDesign()],
  budget: { trials: 30 },
});`,
    );
    const said = bilevel(folder, "run");
    expect(said).toContain("crashed");
    expect(said).toMatch(/^testing /m);
    const asked = [
      ["status"],
      ...Array.from({ length: 6 }, (_, id) => ["show", String(id)]),
      ["show", "policy-1"],
      ["show", "research-1"],
      ["mechanism", "list"],
      ["replay"],
    ].map((verb) => bilevel(folder, ...verb));
    const summary = readFileSync(join(folder, ".bilevel", "run-1", "summary.md"), "utf8");
    expect(codeWordsIn([said, ...asked, summary].join("\n"))).toEqual([]);
  });

  it("when changes are kept, dropped and without effect", async () => {
    const { stream, text } = terminal(200);
    await eventful(stream, "plain");
    const said = stripVTControlCharacters(text());
    expect(said).toMatch(/best-of-2: kept/);
    expect(said).toMatch(/worst-of-2: dropped/);
    expect(said).toContain("idle: too early, it changed nothing (no effect in");
    expect(codeWordsIn(said)).toEqual([]);
  });

  it("nor in the help and the README's prose", () => {
    const folder = emptyFolder();
    const verbs = [
      "",
      "run",
      "resume",
      "status",
      "show",
      "replay",
      "simplify",
      "demo",
      "mechanism",
      "plugins",
      "config",
    ];
    for (const verb of verbs) {
      const help = bilevel(folder, ...(verb ? [verb] : []), "--help");
      expect(help).toContain("bilevel");
      expect(codeWordsIn(help)).toEqual([]);
    }
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    const prose = readme.replaceAll(/^```.*?^```/gms, "").replaceAll(/`[^`]*`/g, "");
    expect(codeWordsIn(prose)).toEqual([]);
  });

  it("which are those that ARCHITECTURE.md names", () => {
    const text = readFileSync(new URL("../../ARCHITECTURE.md", import.meta.url), "utf8");
    const [, named = ""] = /^([\w, ]+) stay in code:/m.exec(text) ?? [];
    const words = named.split(", ");
    expect(words.length).toBeGreaterThan(5);
    expect(words.filter((word) => !codeWords.test(word))).toEqual([]);
  });
});

describe("a terminal", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("of 60 columns shows every line whole, broken between words", async () => {
    const narrow = terminal(60);
    await eventful(narrow.stream);
    const lines = stripVTControlCharacters(narrow.text()).split("\n");
    expect(lines.filter((line) => line.length >= 60)).toEqual([]);
    expect(lines.join(" ")).toMatch(/best loss [\d.]+ +gain \+[\d.]+ over [\d.]+/);
    expect(lines.join(" ").replaceAll(/ +/g, " ")).toMatch(/best-of-2: kept, its pairs say that it helps/);
  });

  it("of 12 rows shows where the run stands and its best, and as many trials as it has room for", async () => {
    const low = terminal(60, 12);
    await eventful(low.stream);
    const last = stripVTControlCharacters(low.text()).trimEnd().split("\n").slice(-11);
    expect(last.join("\n")).toMatch(/^run \S+ {2}█+[^]*^best loss [^]*^ {2}trial \d+ /m);
  });

  it("that can do nothing but print, as in an editor, gets a line for each event", async () => {
    vi.stubEnv("TERM", "dumb");
    const editor = terminal(100);
    await eventful(editor.stream);
    expect(editor.text()).toMatch(/^trial 1 /m);
    expect(editor.text()).not.toMatch(/\x1b\[(?!\d+m)/); // but for colours
  });

  it("obeys nothing that a program prints: of escape sequences and the like only the text is shown and kept", () => {
    const folder = emptyFolder();
    writeFileSync(
      join(folder, "train.js"),
      `const X = 0.5;
if (X !== 0.5) throw "\\u001b[2J\\u001b[31mtoo\\u001b]0;title\\u0007 \\u202elarge\\u0008\\ta <b>";
console.log("loss: " + X);
`,
    );
    const flags = ["--metric", "loss", "--minimize", "--trials", "2", "--yes"];
    const said = bilevel(folder, "run", "--command", "node train.js", ...flags);
    expect(said).toContain("too large a <b>");
    const kept = ["summary.md", "results.tsv"].map((name) =>
      readFileSync(join(folder, ".bilevel/run-1", name), "utf8"),
    );
    expect(kept[1]).toMatch(/too large a <b>/);
    const all = [said, ...kept, bilevel(folder, "status"), bilevel(folder, "show", "1")];
    writeFileSync(join(folder, "train.js"), 'throw "\\u001b[2Jno\\u0007 data"');
    const baseline = bilevel(folder, "run", "--command", "node train.js X", ...flags, "--params", "X");
    expect(
      all
        .concat(baseline)
        .join("")
        .match(/[^\P{Cc}\n\t]|\u202e/gu),
    ).toBeNull();
  });

  it.runIf(hasTerminal)("of 40 columns breaks no name in what it says of a misspelt one", async () => {
    const misspelt = ["mechanism shw || true", "run --replay-sequens x"];
    const said = (await inTerminal(emptyFolder(), misspelt, { columns: 40 })).lines.join(" ").replaceAll(/ +/g, " ");
    expect(said).toContain("one of list, show, test, adopt;");
    expect(said).toContain("did you mean --replay-sequence?");
  });

  it.runIf(hasTerminal)("of 60 columns has room for the end of a run, its status, and its trials", async () => {
    const folder = emptyFolder();
    writeFileSync(
      join(folder, "train.js"),
      `const LEARNING_RATE = 0.02;
const WEIGHT_DECAY_OF_ALL_LAYERS = 0.3;
const DROPOUT_OF_THE_LAST_LAYER = 0.5;
const loss = (Math.log10(LEARNING_RATE) + 1) ** 2 + WEIGHT_DECAY_OF_ALL_LAYERS + DROPOUT_OF_THE_LAST_LAYER;
console.log("validation_loss: " + loss);
`,
    );
    const words = 'run --command "node train.js" --metric validation_loss --minimize --trials 8 --yes --quiet';
    const shown = Array.from({ length: 4 }, (_, id) => `show ${id + 4}`);
    const all = [words, "status", ...shown, "show policy-1", "show research-1"];
    const { status, lines } = await inTerminal(folder, all, { columns: 60 });
    expect(status).toBe(0);
    expect(lines.join("\n")).toMatch(/^end: [^]*^run run-1 [^]*^trial 7: [^]*^trial 1: tests /m);
    expect(lines.filter((line) => line.length > 60 && !line.includes(folder))).toEqual([]); // a path stays whole
  });

  it.runIf(hasTerminal)("of 60 columns has room for a config, what taps its hooks, and the help", async () => {
    const folder = emptyFolder();
    writeFileSync(
      join(folder, "bilevel.config.yaml"),
      `extends: bilevel
objective: { metric: validation_loss, direction: minimize }
space: { parameters: { LEARNING_RATE_OF_THE_LAST_LAYER: { type: float, min: 0.001, max: 0.1, scale: log } } }
evaluator: { use: "bilevel#evaluateFunction", options: { module: ./objective.js } }
budget: { trials: 4 }
`,
    );
    const { status, lines } = await inTerminal(folder, ["config", "plugins", "run --help"], { columns: 60 });
    expect(status).toBe(0);
    expect(lines.join("\n")).toMatch(/^space\.parameters\.[^]*^inner, under test: tabu$[^]*^bilevel run$/m);
    expect(lines.filter((line) => line.length > 60 && !line.includes(folder))).toEqual([]);
  });

  it("is shown colours, unless NO_COLOR is set; a file never is", async () => {
    vi.stubEnv("NO_COLOR", undefined);
    vi.stubEnv("FORCE_COLOR", undefined);
    const colour = /\x1b\[3[0-9]m/;
    const coloured = terminal(100);
    await eventful(coloured.stream, "plain");
    expect(coloured.text()).toMatch(colour);
    vi.stubEnv("NO_COLOR", "1");
    const plain = terminal(100);
    await eventful(plain.stream, "plain");
    expect(plain.text()).not.toMatch(colour);
    vi.stubEnv("NO_COLOR", undefined);
    const file = terminal(100);
    file.stream.isTTY = false;
    await eventful(file.stream);
    expect(file.text()).not.toMatch(colour);
    expect(file.text()).toContain("best-of-2: kept");
  });
});
