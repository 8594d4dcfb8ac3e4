import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { emptyFolder } from "../support/run.ts";

const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;

const bilevel = (folder: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", command, ...args, "-C", folder], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};

/** A folder with nothing in it but a program and a config. */
function project({
  program = 'console.log("loss: " + (X - 5) ** 2);',
  slots = 1,
  trials = 8,
  grace = 0.2,
  extra = "",
} = {}): string {
  const folder = emptyFolder();
  mkdirSync(join(folder, "task"));
  writeFileSync(join(folder, "task", "train.js"), `const X = 9;\n${program}\n`);
  writeFileSync(
    join(folder, "bilevel.config.ts"),
    `import { defineConfig, evaluateProcess, innerLoop, outerLoop } from "bilevel";
import tabu from "bilevel/mechanisms/tabu";
export default defineConfig({
  task: { folder: "task", command: ["node", "train.js"], values: { via: "constants", file: "train.js" }, seed: "none" },
  objective: { metric: "loss", direction: "minimize"${extra} },
  space: { parameters: { X: { type: "int", min: 0, max: 60, default: 9 } } },
  evaluator: evaluateProcess({ graceSeconds: ${grace} }),
  levels: [innerLoop({ slots: ${slots} }), outerLoop({ changes: "mechanisms", every: 4 })],
  plugins: [tabu()],
  budget: { trials: ${trials} },
});`,
  );
  return folder;
}

describe("the command", () => {
  it("runs a program in a folder with nothing but itself and a config, and leaves what it promises", () => {
    const folder = project();
    const { status, stdout, stderr } = bilevel(folder, "run");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^trial 0 +16\.00/m);
    expect(stdout).toContain("testing tabu");
    expect(stdout).toMatch(/^end: the budget of 8 trials is used up$/m);
    const run = join(folder, ".bilevel", "run-1");
    const [header, first] = readFileSync(join(run, "results.tsv"), "utf8").split("\n");
    expect(header?.split("\t").slice(0, 5)).toEqual(["commit", "loss", "memory_gb", "status", "description"]);
    expect(first?.split("\t").slice(0, 5)).toEqual(["trial-0", "16.000000", "0.0", "keep", "baseline"]);
    expect(spawnSync("git", ["apply", "--check", join(run, "best.patch")], { cwd: join(folder, "task") }).status).toBe(
      0,
    );
    expect(existsSync(join(run, "summary.md"))).toBe(true);

    expect(bilevel(folder, "status").stdout).toContain("run run-1");
    expect(JSON.parse(bilevel(folder, "status", "--json").stdout)).toMatchObject({ run: "run-1", budget: { used: 8 } });
    expect(bilevel(folder, "show", "0").stdout).toMatch(/^trial 0: 16\.00, kept: the baseline/);
    expect(bilevel(folder, "show", "research-1").stdout).toContain("tests tabu in inner");
    expect(bilevel(folder, "show", "99")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("E_TRIAL_UNKNOWN") as string,
    });
    expect(bilevel(folder, "replay").stdout).toMatch(/^\d+ decisions computed again, no difference\n$/);
    const config = bilevel(folder, "config").stdout;
    expect(config).toMatch(/^budget\.trials = 8 +# bilevel\.config\.ts$/m);
    expect(config).toMatch(/^evaluator\.options\.graceSeconds = 0\.2 +# bilevel\.config\.ts$/m);
    expect(config).toMatch(/^evaluator\.options\.keep = 3 +# default$/m);
    expect(bilevel(folder, "run", "--name", "run-1")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("bilevel resume run-1") as string,
    });
    expect(bilevel(folder, "resume", "nowhere")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("run-1") as string,
    });
  });

  it("prints a JSON object per line for programs", () => {
    const { stdout } = bilevel(project({ trials: 2 }), "run", "--json");
    const facts = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string });
    expect(facts[0]?.type).toBe("run");
    expect(facts.at(-1)?.type).toBe("end");
  });

  it("goes on to its end where nobody reads what it prints any more", async () => {
    const folder = project({ trials: 4 });
    const closed = async (...args: string[]): Promise<{ code: number | null; stderr: string }> => {
      const child = spawn(process.execPath, ["--no-warnings", command, ...args, "-C", folder]);
      child.stdout.destroy();
      let stderr = "";
      child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
      await once(child, "close");
      return { code: child.exitCode, stderr };
    };
    for (const verb of ["run", "status"]) expect(await closed(verb)).toEqual({ code: 0, stderr: "" });
    expect(bilevel(folder, "status").stdout).toContain("the budget of 4 trials is used up");
  });

  it.runIf(existsSync("/dev/full"))("goes on to its end where what it prints is written to a full disk", () => {
    const folder = project({ trials: 4 });
    const full = openSync("/dev/full", "w");
    const { status } = spawnSync(process.execPath, ["--no-warnings", command, "run", "-C", folder], {
      stdio: ["ignore", full, full],
    });
    expect(status).toBe(0);
    expect(bilevel(folder, "status").stdout).toContain("the budget of 4 trials is used up");
  });

  it("shows the end of a failing baseline's log, and says later what is to be done", () => {
    const folder = project({ program: 'console.log("loading"); throw new Error("no such data set");' });
    const { status, stderr } = bilevel(folder, "run");
    expect(status).toBe(1);
    expect(stderr).toContain("| Error: no such data set");
    expect(stderr).toContain("E_BASELINE_FAILED");
    expect(bilevel(folder, "status").stdout).toContain("mend the program, then bilevel run starts another");
    expect(bilevel(folder, "show", "3").stderr).toContain("allowed   0 to 0\n"); // and none of the outer level
  });

  it("ends with 1 where the target is missed", () => {
    expect(bilevel(project({ trials: 2, extra: ", target: -1" }), "run").status).toBe(1);
    expect(bilevel(project({ trials: 60, extra: ", target: 4" }), "run")).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("the target of 4 is reached") as string,
    });
  });

  it("ends with 0 where the baseline reaches the target", () => {
    expect(bilevel(project({ extra: ", target: 16" }), "run")).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("the target of 16 is reached") as string,
    });
  });

  it("ends with 1 where nothing but the baseline could be measured, however often that was", () => {
    const folder = project({ program: 'if (X !== 9) throw new Error("no"); console.log("loss: 1");', trials: 10 });
    const config = join(folder, "bilevel.config.ts");
    writeFileSync(config, readFileSync(config, "utf8").replace('seed: "none"', 'seed: { env: "SEED" }'));
    const { status, stdout } = bilevel(folder, "run");
    expect(stdout).toContain("trial 0 on seed");
    expect(status).toBe(1);
  });

  it("answers a misspelt verb or flag with one error and 2", () => {
    const folder = emptyFolder();
    expect(bilevel(folder, "rnu")).toMatchObject({
      status: 2,
      stdout: "",
      stderr: expect.stringContaining("did you mean bilevel run?") as string,
    });
    expect(bilevel(folder, "run", "--nmae", "x")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("nmae") as string,
    });
    expect(bilevel(folder)).toMatchObject({ status: 2, stderr: expect.stringContaining("a verb is needed") as string });
    expect(bilevel(folder, "status")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("E_RUN_UNKNOWN") as string,
    });
  });

  it.each(["", "../../out", "a b/ü"])(
    "answers a name that is no folder's in .bilevel with one error and 2: %j",
    (name) => {
      const folder = project();
      const { status, stdout, stderr } = bilevel(folder, "run", `--name=${name}`);
      expect([status, stdout]).toEqual([2, ""]);
      expect(stderr).toContain(`E_USAGE  --name\n  problem   is no name of a run`);
      expect(stderr).toContain(`received  ${JSON.stringify(name)}\n`);
      expect(existsSync(join(folder, ".bilevel"))).toBe(false);
    },
  );

  it.each([
    [
      ["run", "--minimise"],
      ["--maximize, --params", "did you mean --minimize?"],
    ],
    [
      ["resume", "--trails", "3"],
      ["--trials, --hours, --slots", "did you mean --trials?"],
    ],
    [
      ["mechanism", "lst"],
      ["one of list, show, test, adopt", "did you mean bilevel mechanism list?"],
    ],
    [["show"], ["allowed   bilevel show <trial>"]],
    [
      ["demo", "foo"],
      ["E_USAGE  bilevel demo [what]", "received  foo", 'allowed   "gpt"'],
    ],
    [
      ["run", "--trials", "5"],
      ["--trials goes with --command", "its budget.trials (bilevel resume --trials goes on with more)"],
    ],
  ])("answers %j with what goes there, and never with what belongs elsewhere", (args, told) => {
    const { status, stderr } = bilevel(emptyFolder(), ...args);
    expect(status).toBe(2);
    for (const part of told) expect(stderr).toContain(part);
    expect(stderr).not.toContain("one of run, resume");
  });

  it("takes the last of an option that is given twice", () => {
    const folder = project({ trials: 2 });
    expect(bilevel(folder, "run", "--name", "a", "--name", "b", "-C", emptyFolder()).status).toBe(0);
    expect(bilevel(folder, "resume", "--trials", "9", "--trials", "+1", "--slots", "2", "--slots", "1").status).toBe(0);
    expect(JSON.parse(bilevel(folder, "status", "--json", "--json").stdout)).toMatchObject({
      run: "b",
      budget: { used: 3 },
    });
  });

  it("answers a folder of runs that is none, or cannot be written, with one error and 3", () => {
    const folder = project({ trials: 2 });
    const refused = (problem: string, ...args: string[]): void => {
      const { status, stdout, stderr } = bilevel(folder, ...args);
      expect([status, stdout]).toEqual([3, ""]);
      expect(stderr).toContain(`E_FOLDER  ${join(folder, ".bilevel")}`);
      expect(stderr).toContain(`received  ${problem}`);
    };
    writeFileSync(join(folder, ".bilevel"), "");
    refused("EEXIST", "run");
    refused("ENOTDIR", "resume");
    refused("ENOTDIR", "status");
    rmSync(join(folder, ".bilevel"));
    if (process.getuid?.() === 0) return; // may write everywhere
    bilevel(folder, "run");
    chmodSync(join(folder, ".bilevel", "run-1"), 0o500);
    refused("EACCES", "resume");
    chmodSync(join(folder, ".bilevel"), 0o500);
    refused("EACCES", "run");
    for (const path of [".bilevel", ".bilevel/run-1"]) chmodSync(join(folder, path), 0o700);
  });

  it("tells its version, and how to start where there is no config", () => {
    const folder = emptyFolder();
    const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
    const { version } = JSON.parse(text) as { version: string };
    expect(bilevel(folder, "--version")).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
    expect(bilevel(folder, "run")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("bilevel run --command 'python train.py' --metric NAME --minimize") as string,
    });
  });

  it("tells an older Node in one line what it needs", () => {
    const source = readFileSync(command, "utf8").replace("process.versions.node", '"20.20.2"');
    const folder = emptyFolder();
    writeFileSync(join(folder, "old.mjs"), source);
    const { status, stderr } = spawnSync(process.execPath, [join(folder, "old.mjs")], { encoding: "utf8" });
    expect(status).toBe(3);
    expect(stderr).toMatch(/^bilevel needs Node 22\.18 or newer; .*\n$/);
  });
});

describe("an interrupt", () => {
  const slow = 'setTimeout(() => console.log("loss: " + (X - 5) ** 2), X === 9 ? 50 : 30000);';

  /** Does not end when it is told to, and leaves a file once that is so. */
  const stubborn = (ready: string): string =>
    `process.on("SIGTERM", () => {});
    if (X !== 9) require("fs").writeFileSync(${JSON.stringify(ready)}, "");
    ${slow.replace("30000", "3000")}`;

  async function interrupted(
    signals: NodeJS.Signals[],
    { program = slow, grace = 0.2, isReady = (): boolean => true } = {},
  ): Promise<{ folder: string; code: number | null; stderr: string }> {
    const folder = project({ program, slots: 2, trials: 3, grace });
    const child = spawn(process.execPath, ["--no-warnings", command, "run", "-C", folder], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const exit = once(child, "exit");
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const journal = join(folder, ".bilevel", "run-1", "journal.jsonl");
    const runs = (): boolean =>
      existsSync(journal) && readFileSync(journal, "utf8").includes('"type":"handle","level":"inner","trial":1');
    while (!runs() || !isReady()) await sleep(20);
    for (const signal of signals) {
      child.kill(signal);
      await sleep(30);
    }
    await exit;
    return { folder, code: child.exitCode, stderr };
  }

  it("stops in good order: what runs is ended and journaled, exit 130, and resume goes on", async () => {
    const { folder, code, stderr } = await interrupted(["SIGINT"]);
    expect(code).toBe(130);
    expect(stderr).toContain("go on with: bilevel resume run-1");
    const journal = readFileSync(join(folder, ".bilevel", "run-1", "journal.jsonl"), "utf8");
    expect(journal).toContain('"status":"cancelled"');
    expect(journal.trim().split("\n").at(-1)).toContain('"type":"pause"');
    writeFileSync(join(folder, "task", "train.js"), "throw new Error('the frozen copy is used, not this');");
    expect(bilevel(folder, "status").stdout).toMatch(/of 3 trials +stopped/);
  });

  it("by SIGTERM ends with 143", async () => {
    expect((await interrupted(["SIGTERM"])).code).toBe(143);
  });

  it("of a terminal that hung up ends nothing that has no terminal, as under nohup", async () => {
    const { code, folder } = await interrupted(["SIGHUP"], { program: slow.replace("30000", "500") });
    expect(code).toBe(0);
    expect(bilevel(folder, "status").stdout).toMatch(/3 of 3 trials/);
  });

  it("twice ends at once, without waiting for a program that does not end", async () => {
    const ready = join(emptyFolder(), "ready");
    const { code, folder } = await interrupted(["SIGINT", "SIGINT"], {
      program: stubborn(ready),
      grace: 20,
      isReady: () => existsSync(ready),
    });
    expect(code).toBe(130);
    expect(readFileSync(join(folder, ".bilevel", "run-1", "journal.jsonl"), "utf8")).not.toContain('"type":"pause"');
  });
});

describe("replay", () => {
  it("finds no difference with two slots, and names the first one where a byte of an outcome was changed", () => {
    const folder = project({ slots: 2, trials: 12 });
    expect(bilevel(folder, "run").status).toBe(0);
    expect(bilevel(folder, "replay").stdout).toMatch(/no difference/);
    const journal = join(folder, ".bilevel", "run-1", "journal.jsonl");
    const lines = readFileSync(journal, "utf8").split("\n");
    const at = lines.findIndex((line) => line.includes('"type":"outcome"') && line.includes('"trial":3,'));
    lines[at] = (lines[at] as string).replace(
      /"metric":(\d)/,
      (_, digit: string) => `"metric":${(Number(digit) + 1) % 10}`,
    );
    writeFileSync(journal, lines.join("\n"));
    const { status, stderr } = bilevel(folder, "replay");
    expect(status).toBe(4);
    expect(stderr).toMatch(
      /^E_REPLAY_DIFFERS {2}journal line \d+\n {2}problem {3}fact \d+ \(verdict of level inner, trial \d+\) is not what its past gives/,
    );
  });

  it("is refused by a lock no more than status is", () => {
    const folder = project({ trials: 2 });
    bilevel(folder, "run");
    appendFileSync(join(folder, ".bilevel", "run-1", "journal.jsonl"), '{"n":');
    expect(bilevel(folder, "status").status).toBe(0);
    expect(bilevel(folder, "replay").status).toBe(0);
  });
});

describe("resume with a larger budget", () => {
  it("goes on to it, keeps to it, and lets an edited config decide again", () => {
    const folder = project({ trials: 4 });
    const used = (...args: string[]) => {
      const { status, stderr } = bilevel(folder, ...args);
      expect([status, stderr]).toEqual([0, ""]);
      return (JSON.parse(bilevel(folder, "status", "--json").stdout) as { budget: { used: number } }).budget.used;
    };
    expect(used("run")).toBe(4);
    expect(used("resume", "--trials", "+3")).toBe(7);
    expect(used("resume")).toBe(7);
    expect(used("resume", "--trials", "9")).toBe(9);
    const facts = readFileSync(join(folder, ".bilevel", "run-1", "journal.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; budget?: object; volatile?: { at?: number } });
    expect(facts.filter(({ type }) => type === "session").map(({ budget }) => budget)).toEqual([
      { trials: 7 },
      { trials: 7 },
      { trials: 9 },
    ]);
    const config = join(folder, "bilevel.config.ts");
    writeFileSync(config, readFileSync(config, "utf8").replace("budget: { trials: 4 }", "budget: { trials: 11 }"));
    expect(used("resume")).toBe(11);
  });

  it("goes on with a wider range and more slots, tells so, and is replayed exactly", () => {
    const folder = project({ trials: 4 });
    bilevel(folder, "run");
    const config = join(folder, "bilevel.config.ts");
    const text = readFileSync(config, "utf8");
    writeFileSync(config, text.replace("max: 60", "max: 90"));
    const { status, stdout } = bilevel(folder, "resume", "--trials", "+4", "--slots", "2");
    expect(status).toBe(0);
    expect(stdout).toContain("run run-1 goes on with space.parameters.X.max 60 → 90, levels[0].options.slots 1 → 2");
    expect(bilevel(folder, "replay").stdout).toMatch(/no difference/);
    const again = bilevel(folder, "resume").stdout;
    expect(again).toContain("goes on with levels[0].options.slots 2 → 1, to 8 trials in all\n");
  });

  it.each([
    ["a range back", "max: 60", "max: 50", "space.parameters.X.max", "50 (number)", "60 (number), as it was"],
    [
      "the command",
      '"train.js"]',
      '"train.js", "-v"]',
      "task.command",
      '["node","train.js","-v"] (array)',
      '["node","train.js"]',
    ],
    [
      "the metric",
      'metric: "loss"',
      'metric: "cost"',
      "objective.metric",
      '"cost" (string)',
      '"loss" (string), as it was',
    ],
  ])(
    "is refused with %s changed: the field, both values and what to do, exit code 4",
    (_, from, to, field, now, then) => {
      const folder = project({ trials: 2 });
      bilevel(folder, "run");
      const config = join(folder, "bilevel.config.ts");
      writeFileSync(config, readFileSync(config, "utf8").replace(from, to));
      const { status, stderr } = bilevel(folder, "resume", "--trials", "+2");
      expect(status).toBe(4);
      expect(stderr).toContain(`E_CONFIG_CHANGED  bilevel.config.ts › ${field}`);
      for (const part of [
        `received  ${now}`,
        `allowed   ${then}`,
        "write it back, or start another run: bilevel run --name",
      ])
        expect(stderr).toContain(part);
    },
  );

  it.each([
    ["--slots", "0"],
    ["--trials", "many"],
    ["--trials", "0"],
    ["--trials", "+1.5"],
    ["--hours", "+1"],
  ])("is told what %s %s is not", (option, text) => {
    const folder = project({ trials: 2 });
    bilevel(folder, "run");
    const { status, stderr } = bilevel(folder, "resume", option, text);
    expect(status).toBe(2);
    expect(stderr).toContain(`E_USAGE  bilevel resume ${option}`);
  });
});

describe("the baseline is the program as it stands", () => {
  const started = (space: string, constant = "0.5") => {
    const folder = project();
    writeFileSync(
      join(folder, "task", "train.js"),
      `const X = ${constant};\nconst Y = 7;\nconsole.log("loss: " + (X + Y));\n`,
    );
    const config = join(folder, "bilevel.config.ts");
    writeFileSync(config, readFileSync(config, "utf8").replace(/space: .*\n/, `space: { parameters: ${space} },\n`));
    return folder;
  };

  it("where the space names no default, the values are the file's", () => {
    const folder = started(
      '{ X: { type: "float", min: 0, max: 60 }, Y: { type: "int", min: 0, max: 60, default: 9 } }',
    );
    expect(bilevel(folder, "config").stdout).toMatch(/^space\.parameters\.X\.default = 0\.5 +# train\.js$/m);
    expect(bilevel(folder, "run").stdout).toMatch(/^trial 0 +9\.5000/m);
  });

  it("and stay those that the run began with, whatever the file says later", () => {
    const folder = started('{ X: { type: "float", min: 0, max: 60 } }');
    expect(bilevel(folder, "run").stdout).toMatch(/^trial 0 +7\.5000/m);
    writeFileSync(join(folder, "task", "train.js"), "const X = 20;\n");
    expect(bilevel(folder, "resume", "--trials", "+2").stdout).toContain("end: the budget of 10 trials is used up");
    expect(bilevel(folder, "replay").stdout).toContain("no difference");
  });

  it("a value outside its range is an error that names both", () => {
    const folder = started('{ X: { type: "float", min: 1, max: 60 } }');
    const { status, stderr } = bilevel(folder, "run");
    expect(status).toBe(2);
    expect(stderr).toContain("E_SPACE_INVALID");
    expect(stderr).toContain("X = 0.5 in train.js");
    expect(stderr).toContain("widen the range");
  });
});
