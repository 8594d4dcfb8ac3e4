import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Outcome, Space } from "../../../core/index.ts";
import { execute, journalFile, readJournal, resolveConfig } from "../../../core/index.ts";
import { innerLoop } from "../../../plugins/inner-loop/index.ts";
import { emptyFolder } from "../../support/run.ts";
import { onlyInTrial, programConfig, runProgram, type Program } from "../../support/process-run.ts";

const bad = async (source: string, program: Partial<Program> = {}) => {
  const { trials, ...rest } = await runProgram({ source: onlyInTrial(source), ...program });
  expect(trials[0]?.outcome?.status).toBe("measured"); // the loop went on after the baseline
  return { outcome: trials[1]?.outcome as Outcome & { kind?: string; reason?: string }, ...rest };
};

const noiseless = { metric: "loss", direction: "minimize", noise: "none" } as const;

const isRunning = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
};

describe("a bad trial has a status and a reason of its own, and the run goes on", () => {
  const cases: Record<string, [source: string, kind: string, reason: RegExp]> = {
    "exit code 1": [
      "console.error('ValueError: bad batch'); process.exit(1)",
      "exit",
      /^exit code 1: ValueError: bad batch$/,
    ],
    "words that command the terminal": [
      "console.error('\\u001b[2J\\u001b]0;title\\u0007\\u001b[31mValueError\\u001b[0m: bad\\u0000 batch'); process.exit(1)",
      "exit",
      /^exit code 1: ValueError: bad batch$/,
    ],
    "an error of Node": [
      "throw Object.assign(new TypeError('no such data'), { code: 3 })",
      "exit",
      /^exit code 1: TypeError: no such data$/,
    ],
    "a throw of something else in Node": ["throw 'no such data'", "exit", /^exit code 1: no such data$/],
    "killed by a signal": [
      "process.kill(process.pid, 'SIGSEGV'); setTimeout(() => {}, 1e5)",
      "signal",
      /^ended by SIGSEGV/,
    ],
    "no metric": ["console.log('done')", "no-metric", /^it ended well but printed no loss: done$/],
    NaN: ["console.log('loss: NaN')", "diverged", /^loss is NaN$/],
    Infinity: ["console.log('loss: inf')", "diverged", /^loss is Infinity$/],
    "another number": [
      "console.log('epoch: 0\\nepoch: 1')",
      "no-metric",
      /^it ended well but printed no loss: epoch: 1$/,
    ],
    "half a number": ["console.log('loss: 0,5')", "no-metric", /^it printed "loss: 0,5", which is no number/],
    "out of memory": [
      "console.log('torch.OutOfMemoryError: CUDA out of memory.'); process.exit(1)",
      "oom",
      /CUDA out of memory/,
    ],
    diverged: ["console.log('FAIL: loss diverged at step 3'); process.exit(1)", "diverged", /FAIL: loss diverged/],
    "NaN in progress": [
      "console.log('progress 1 0.5\\nprogress 2 nan'); setTimeout(() => {}, 1e5)",
      "diverged",
      /^an intermediate value was not a finite number$/,
    ],
  };
  for (const [name, [source, kind, reason]] of Object.entries(cases))
    it(name, async () => {
      const { outcome } = await bad(source);
      expect(outcome).toMatchObject({ status: "crashed", kind, reason: expect.stringMatching(reason) as string });
    });

  it("a metric twice, where edits may have printed one of them", async () => {
    const { outcome } = await bad("console.log('loss: 1\\nloss: 2')", { task: { editable: ["*.js"] } });
    expect(outcome).toMatchObject({
      status: "crashed",
      kind: "no-metric",
      reason: expect.stringMatching(/^loss was printed twice, as 1 and as 2: /) as string,
    });
  });

  it("a megabyte on one line and binary output do no harm", async () => {
    const { outcome } = await bad(
      "process.stdout.write('y'.repeat(1 << 20) + '\\n'); process.stdout.write(Buffer.from([0, 255, 254, 10])); console.log('loss: 0.5')",
    );
    expect(outcome).toMatchObject({ status: "measured", metric: 0.5 });
  });

  it("a child that ignores SIGTERM is over its limit, and gone", async () => {
    const { outcome, folder } = await bad(
      "process.on('SIGTERM', () => {}); require('fs').writeFileSync('../pid', String(process.pid)); setInterval(() => {}, 1000)",
      { options: { limitSeconds: 0.6 } },
    );
    expect(outcome).toMatchObject({
      status: "crashed",
      kind: "timeout",
      reason: expect.stringContaining("over the time limit") as string,
    });
    expect(isRunning(Number(readFileSync(join(folder, "trials", "1", "pid"), "utf8")))).toBe(false);
  });

  it("a program that cleared its environment is over its limit, and gone, as is what it left behind", async () => {
    const clean = (body: string) =>
      `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(body)}], { env: {}, stdio: 'inherit' });`;
    const { outcome } = await bad("console.log('loss: 0.5'); setTimeout(() => {}, 1e5)", {
      task: { command: ["env", "-i", process.execPath, "train.js"] },
      options: { limitSeconds: 1 },
    });
    expect(outcome).toMatchObject({ status: "crashed", kind: "timeout" });
    const { outcome: left, folder } = await bad(
      `${clean("require('fs').writeFileSync('../pid', String(process.pid)); setInterval(() => {}, 1000)")} ` +
        "const wait = () => require('fs').existsSync('../pid') ? (console.log('loss: 0.5'), process.exit()) : setTimeout(wait, 20); wait()",
    );
    expect(left).toMatchObject({ status: "measured", metric: 0.5 });
    expect(isRunning(Number(readFileSync(join(folder, "trials", "1", "pid"), "utf8")))).toBe(false);
  });

  it("a progress bar on stderr tears no value on stdout", async () => {
    const { outcome, folder } = await bad(
      "const { writeSync } = require('fs'); for (let i = 1; i < 4; i++) { writeSync(2, `\\r${i}/4 [00:01, 4 it/s]`); writeSync(1, `progress ${i} 0.${i}\\n`); } writeSync(1, 'loss: 0.'); " +
        "setTimeout(() => { writeSync(2, '\\r4/4 [00:01, 4 it/s]'); setTimeout(() => writeSync(1, '25\\n'), 200); }, 200)",
    );
    expect(outcome).toMatchObject({ status: "measured", metric: 0.25 });
    const { facts } = readJournal(journalFile(folder));
    expect(facts.filter(({ type }) => type === "progress").map(({ value }) => value)).toEqual([0.1, 0.2, 0.3]);
  });

  it("a disk that takes no log costs no result", async () => {
    const { home, config } = programConfig({ source: "console.log('loss: ' + (1 - X / 2))" });
    mkdirSync(join(home, "run", "trials", "1"), { recursive: true });
    symlinkSync("/dev/full", join(home, "run", "trials", "1", "output.log"));
    const end = await execute(resolveConfig(config, join(home, "bilevel.config.ts")), join(home, "run"));
    expect([...(end.levels.get("inner")?.trials ?? [])][1]?.outcome).toMatchObject({ status: "measured", metric: 0.5 });
  });

  it("a limit of more days than a timer can wait is no limit of nothing", async () => {
    const { outcome } = await bad("setTimeout(() => console.log('loss: 0.5'), 300)", {
      options: { limitSeconds: 3e6 },
    });
    expect(outcome).toMatchObject({ status: "measured", metric: 0.5 });
  });

  it("a grandchild left behind in a session of its own is ended with the trial", async () => {
    const { outcome, folder } = await bad(
      "const child = require('child_process').spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }); child.unref(); require('fs').writeFileSync('../pid', String(child.pid)); console.log('loss: 0.5')",
    );
    expect(outcome).toMatchObject({ status: "measured", metric: 0.5 });
    expect(isRunning(Number(readFileSync(join(folder, "trials", "1", "pid"), "utf8")))).toBe(false);
    expect(JSON.parse(readFileSync(join(folder, "trials", "1", "exit.json"), "utf8"))).toMatchObject({
      leftBehind: 1,
      stillThere: [],
    });
  });

  it("a program that writes to protected files is not believed", async () => {
    const { outcome } = await bad("require('fs').writeFileSync('score.js', 'cheat'); console.log('loss: 0')", {
      files: { "score.js": "honest" },
      task: { protected: ["score.js"] },
    });
    expect(outcome).toMatchObject({
      status: "crashed",
      kind: "tampered",
      reason: "it changed protected files: score.js",
    });
  });

  it("a program that deletes its folder", async () => {
    const { outcome } = await bad(
      "require('fs').rmSync(require('path').resolve('..'), { recursive: true, force: true }); console.log('loss: 0.5')",
    );
    expect(outcome).toMatchObject({ status: "measured", metric: 0.5 });
    const { outcome: guarded } = await bad(
      "require('fs').rmSync(require('path').resolve('..'), { recursive: true, force: true }); console.log('loss: 0.5')",
      { files: { "score.js": "x" }, task: { protected: ["score.js"] } },
    );
    expect(guarded).toMatchObject({ status: "crashed", kind: "tampered" });
  });

  it("a program that waits for input finds none", async () => {
    const { outcome } = await bad("require('fs').readFileSync(0); console.log('loss: 0.25')");
    expect(outcome).toMatchObject({ status: "measured", metric: 0.25 });
  });
});

describe("a task that some trial would fail on is refused before anything runs", () => {
  const space = (parameters: Space["parameters"]) => ({ config: { space: { parameters } } });
  const X = { type: "int", min: 0, max: 100, default: 0 } as const;
  const cases: Record<
    string,
    [program: Partial<Program>, expected: { code?: string; path: string; [detail: string]: unknown }]
  > = {
    "a command that is not to be found": [
      { task: { command: ["pyhton3", "x.py"] } },
      { path: "task.command[0]", received: "pyhton3" },
    ],
    "a parameter without a constant, though it is not active in the baseline": [
      space({ X, MOM: { type: "float", min: 0, max: 1, when: { X: [8] } } }),
      { path: "constant MOM", allowed: "X" },
    ],
    "a choice of what the constant cannot be": [
      space({ X: { type: "choice", values: [0, [1, 2]], default: 0 } }),
      { path: "constant X", received: "0" },
    ],
    "a seed that goes where a parameter goes": [
      { task: { seed: { constant: "X" } } },
      { path: "task.seed", received: '{"constant":"X"}' },
    ],
    "… in the environment": [
      { task: { values: { via: "env" }, seed: { env: "X" } } },
      { path: "task.seed", received: '{"env":"X"}' },
    ],
    "… among the arguments": [
      { task: { values: { via: "args" }, seed: { arg: "--X" } } },
      { path: "task.seed", received: '{"arg":"--X"}' },
    ],
    "a file of values outside the folder": [
      { task: { values: { via: "json", file: "../../V.json" } } },
      { path: "task.values.file", received: "../../V.json" },
    ],
    "a file of values behind a link": [
      { task: { values: { via: "json", file: "./data/V.json" }, link: ["data"] }, files: { "data/d": "" } },
      { path: "task.values.file", received: "./data/V.json" },
    ],
    "a protected file that is not there": [
      { task: { protected: ["*.js", "trian.js"] } },
      { path: "task.protected[1]", received: "trian.js", hint: "did you mean train.js?" },
    ],
    "an editable file that is not there": [
      { task: { editable: ["*.js", "!tests/*"] } },
      { path: "task.editable[1]", received: "!tests/*" },
    ],
    "a pattern that is none": [
      { task: { metrics: { from: "regex", pattern: "(" } } },
      { code: "E_CONFIG_INVALID", path: "task.metrics.pattern", received: "(" },
    ],
    "a pattern without a group": [
      { task: { metrics: { from: "regex", pattern: "loss=\\S+" } } },
      { code: "E_CONFIG_INVALID", path: "task.metrics.pattern" },
    ],
    "a pattern whose groups do not name the metric": [
      { task: { metrics: { from: "regex", pattern: "(?<lss>\\S+)" } } },
      { code: "E_CONFIG_INVALID", path: "task.metrics.pattern" },
    ],
  };
  for (const [name, [program, { code = "E_TASK_INVALID", ...details }]] of Object.entries(cases))
    it(name, async () => {
      const { home, config } = programConfig({ source: "console.log('loss: ' + X)", ...program });
      const run = execute(resolveConfig(config, join(home, "bilevel.config.ts")), join(home, "run"));
      await expect(run).rejects.toMatchObject({ code, exitCode: 2, details });
      expect(existsSync(join(home, "run", "trials"))).toBe(false);
    });

  it("and goes on once it is mended", async () => {
    const { home, config } = programConfig({
      source: "console.log('loss: ' + X)",
      ...space({ X, MOM: { type: "float", min: 0, max: 1, when: { X: [8] } } }),
    });
    const resolved = resolveConfig(config, join(home, "bilevel.config.ts"));
    await expect(execute(resolved, join(home, "run"))).rejects.toMatchObject({ code: "E_TASK_INVALID" });
    appendFileSync(join(home, "task", "train.js"), "const MOM = 0.5;\n");
    const { levels } = await execute(resolved, join(home, "run"));
    expect([...(levels.get("inner")?.trials ?? [])].map(({ outcome }) => outcome?.status)).toEqual([
      "measured",
      "measured",
    ]);
  });
});

it("a run whose copy of the task is gone tells what it goes on with", async () => {
  const { home, config } = programConfig({ source: "console.log('loss: ' + X)" });
  const goOn = (trials: number) =>
    execute(resolveConfig({ ...config, budget: { trials } }, join(home, "bilevel.config.ts")), join(home, "run"));
  const notices = () =>
    readJournal(journalFile(join(home, "run")))
      .facts.filter(({ type }) => type === "notice")
      .map(({ text }) => text);
  const told = expect.stringContaining("copy of the task is gone") as string;
  await goOn(1);
  await goOn(2);
  expect(notices()).not.toContainEqual(told);
  rmSync(join(home, "run", "task"), { recursive: true });
  await goOn(3);
  expect(notices()).toContainEqual(told);
});

it("a link that names nothing is told", async () => {
  const { folder } = await runProgram({
    source: "console.log('loss: ' + X)",
    files: { "data/d": "" },
    task: { link: ["data", "dta"] },
  });
  const { facts } = readJournal(journalFile(folder));
  const notices = facts.filter(({ type }) => type === "notice").map(({ text }) => text);
  expect(notices).toContain("nothing in the task's folder is named by link: dta");
});

describe("a trial", () => {
  it("has a log with a cap: its beginning and its end", async () => {
    const { folder } = await bad(
      "console.log('first'); for (let i = 0; i < 30000; i++) console.log('line ' + i); console.log('loss: 0.5')",
      { options: { logMb: 0.1 } },
    );
    const log = readFileSync(join(folder, "trials", "1", "output.log"), "utf8");
    expect(statSync(join(folder, "trials", "1", "output.log")).size).toBeLessThan(120_000);
    expect(log.startsWith("first\nline 0\n")).toBe(true);
    expect(log).toMatch(/\[… \d+ bytes cut …\]/);
    expect(log.endsWith("line 29999\nloss: 0.5\n")).toBe(true);
  });

  it("keeps the user's environment but for what bilevel uses", async () => {
    process.env.BILEVEL_SECRET_THING = "x";
    process.env.MY_API_KEY = "k";
    const { folder } = await bad(
      "console.log(JSON.stringify([process.env.BILEVEL_SECRET_THING, process.env.MY_API_KEY, process.env.BILEVEL_SEED])); console.log('loss: 0.5')",
    );
    delete process.env.BILEVEL_SECRET_THING;
    delete process.env.MY_API_KEY;
    expect(readFileSync(join(folder, "trials", "1", "output.log"), "utf8")).toContain('[null,"k","42"]');
  });

  it("has the number of its slot, by which a command gives each of several its own GPU", async () => {
    const meeting = emptyFolder();
    const { folder } = await runProgram({
      source: onlyInTrial(`const { readdirSync, writeFileSync } = require("fs");
        console.log("sees " + process.env.CUDA_VISIBLE_DEVICES + " " + process.argv[2]);
        writeFileSync(${JSON.stringify(meeting)} + "/" + X, "");
        setInterval(() => readdirSync(${JSON.stringify(meeting)}).length === 2 && (console.log("loss: 1"), process.exit()), 50);`),
      task: {
        command: ["sh", "-c", 'CUDA_VISIBLE_DEVICES=$BILEVEL_SLOT exec node train.js "$@"', "sh"],
        seed: { arg: "seed" },
      },
      config: { levels: [innerLoop({ slots: 2, confirm: 0 })], budget: { trials: 2 }, objective: noiseless },
    });
    const logOf = (id: number) => readFileSync(join(folder, "trials", String(id), "output.log"), "utf8");
    expect([1, 2].map((id) => /sees .*/.exec(logOf(id))?.[0]).sort()).toEqual(["sees 0 --seed=42", "sees 1 --seed=42"]);
  });

  it("of the best three keeps its folder, the others only log, metrics and patch", async () => {
    const { folder } = await runProgram({
      source: "console.log('loss: ' + (10 - X))",
      config: { budget: { trials: 5 } },
    });
    const has = (id: number, file: string) => existsSync(join(folder, "trials", String(id), file));
    expect([1, 2, 3, 4, 5].map((id) => has(id, "work"))).toEqual([false, false, true, true, true]);
    expect([1, 2].every((id) => has(id, "output.log") && has(id, "exit.json") && has(id, "change.patch"))).toBe(true);
  });

  it("tells where it ran and for how long", async () => {
    const { outcome } = await bad("setTimeout(() => console.log('loss: 0.5'), 200)");
    expect(outcome.seconds).toBeGreaterThan(0.15);
    expect(outcome.where).toMatchObject({ slot: 0 });
  });

  it("is stopped early when a mechanism says so", async () => {
    const stopping = {
      name: "stopping",
      contract: 1 as const,
      apply: (taps: { progress(tap: () => "stop"): void }) => taps.progress(() => "stop"),
    };
    const { trials } = await runProgram({
      source: onlyInTrial("console.log('progress 1 0.5'); setTimeout(() => console.log('loss: 0.1'), 20000)"),
      config: { levels: [innerLoop({ plugins: [stopping] })] },
    });
    expect(trials[1]?.outcome).toMatchObject({ status: "pruned" });
  });
});

it("a failing baseline stops the run with its reason", async () => {
  await expect(runProgram({ source: "console.error('no data'); process.exit(2)" })).rejects.toMatchObject({
    code: "E_BASELINE_FAILED",
    details: { received: "exit code 2: no data" },
  });
});
