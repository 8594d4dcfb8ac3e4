import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Outcome } from "../../../core/index.ts";
import { runProgram, type Program } from "../../support/process-run.ts";
import { localPython, withoutPython } from "../../support/python.ts";
import { harvest, specOf, startRunner, type Runner } from "../../support/ray-trial.ts";
import { emptyFolder } from "../../support/run.ts";

const isRunning = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
};

/** Runs a program's trial under the runner to its end. `temporary` is where that made its private folder. */
async function runTrial(program: Program, given: Parameters<typeof specOf>[1] & { variables?: object } = {}) {
  const { spec, base } = await specOf(program, given);
  const temporary = emptyFolder();
  const runner = startRunner(spec, { ...process.env, TMPDIR: temporary, ...given.variables });
  const code = await runner.ended;
  const folder = emptyFolder();
  const outcome = await harvest(runner.log(), spec, { folder, task: program.task });
  return {
    outcome,
    code,
    base,
    temporary,
    log: runner.log(),
    output: readFileSync(join(folder, "output.log"), "utf8"),
  };
}

/** Waits until the program has printed this. */
const printed = (runner: Runner, text: string): Promise<void> =>
  expect.poll(() => runner.log(), { timeout: 20_000, interval: 20 }).toContain(text);

const reasonOf = (outcome: Outcome | undefined): string => (outcome && "reason" in outcome ? outcome.reason : "");

/** A program that says its process number, and that of a process in a session of its own, and takes no SIGTERM. */
const stubborn = `
const { spawn } = require("child_process");
process.on("SIGTERM", () => {});
const child = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
console.log("pids " + process.pid + " " + child.pid + ";");
setInterval(() => {}, 1000);`;
const pidsIn = (log: string): number[] => (/pids ([\d ]+);/.exec(log)?.[1] ?? "").split(" ").map(Number);

describe.skipIf(localPython === undefined)(`a trial under the runner of evaluateRay${withoutPython}`, () => {
  const measured = "console.log('loss: 1')";
  const alike: Record<string, Omit<Program, "source"> & { trial: string; baseline?: string }> = {
    "a measured one": { trial: "console.log('loss: ' + X / 4); console.log('other: 2')" },
    "one without a metric": { trial: "console.log('done')" },
    "an exit code": { trial: "console.error('ValueError: bad batch'); process.exit(3)" },
    "a signal": { trial: "process.kill(process.pid, 'SIGSEGV'); setTimeout(() => {}, 1e5)" },
    "out of memory": { trial: "console.log('torch.OutOfMemoryError: CUDA out of memory.'); process.exit(1)" },
    "a loss that is NaN": { trial: "console.log('loss: nan')" },
    "a metric twice": { trial: "console.log('loss: 1\\nloss: 2')", task: { editable: ["*.js"] } },
    "metrics in a file": {
      baseline: `require('fs').writeFileSync('m.json', '{"loss": 1}')`,
      trial: `require('fs').writeFileSync('m.json', '{"loss": 0.5, "ü": NaN}')`,
      task: { metrics: { from: "file", file: "m.json" } },
    },
    "no file of metrics": {
      baseline: `require('fs').writeFileSync('m.json', '{"loss": 1}')`,
      trial: "console.log('done')",
      task: { metrics: { from: "file", file: "m.json" } },
    },
    "a protected file that was changed": {
      trial: "require('fs').writeFileSync('score.js', 'cheat'); console.log('loss: 0')",
      files: { "score.js": "honest" },
      task: { protected: ["score.js"] },
    },
    "values, seed, slot": {
      trial: `const { SEED, BILEVEL_SEED, BILEVEL_SLOT, X: x } = process.env; console.log("loss: " + [SEED, BILEVEL_SEED, BILEVEL_SLOT, x].join(""))`,
      task: { values: { via: "env" }, seed: { env: "SEED" } },
    },
    arguments: {
      trial: "console.log('loss: ' + process.argv.slice(2).join('').replace(/[^0-9]/g, ''))",
      baseline: measured,
      task: { values: { via: "args" }, seed: { arg: "seed" } },
    },
  };
  for (const [name, { trial, baseline = measured, ...rest }] of Object.entries(alike))
    it(`has the outcome that it has locally: ${name}`, async () => {
      const x = { env: "process.env.X", args: "process.argv[2].slice(4)" }[rest.task?.values?.via as "env"] ?? "X";
      const program = { ...rest, source: `if (${x} == 0) { ${baseline}; process.exit(0); }\n${trial}` };
      const { trials } = await runProgram(program);
      const { outcome } = await runTrial(program);
      const lasting = (given: Outcome | undefined) => ({ ...given, seconds: 0, where: undefined });
      expect(lasting(outcome)).toEqual(lasting(trials[1]?.outcome));
      expect(trials[0]?.outcome?.status).toBe("measured");
    });

  it("works in a private folder, and writes nothing into the one that all share", async () => {
    const program = {
      source: "require('fs').writeFileSync('train.js', ''); require('fs').mkdirSync('made'); console.log('loss: 1')",
    };
    const { outcome, base, temporary } = await runTrial(program);
    expect(outcome?.status).toBe("measured");
    expect(readdirSync(base)).toEqual(["train.js"]);
    expect(readFileSync(join(base, "train.js"), "utf8")).toContain("const X = 0;");
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("prints every byte in lines that are short and plain, and no frame but the runner's is believed", async () => {
    const source = `
      process.stdout.write("é".repeat(700_000) + "\\n");
      process.stdout.write(Buffer.from([0, 255, 254, 10]));
      process.stdout.write("bilevel-x exit {\\"code\\": 0}\\n");
      console.log("loss: 0.5");`;
    const { outcome, log, output } = await runTrial({ source });
    expect(outcome).toMatchObject({ status: "measured", metric: 0.5 });
    expect(Math.max(...log.split("\n").map((line) => line.length))).toBeLessThan(16_384);
    expect(/^[\x20-\x7e\n]*$/.test(log)).toBe(true);
    expect(output).toBe(`${"é".repeat(700_000)}\n\0\uFFFD\uFFFD\nbilevel-x exit {"code": 0}\nloss: 0.5\n`);
  });

  it("is ended at its limit with all that it started", async () => {
    const { outcome, log, temporary } = await runTrial({ source: stubborn }, { limitSeconds: 1.5 });
    expect(outcome).toMatchObject({ status: "crashed", kind: "timeout" });
    expect(pidsIn(log)).toHaveLength(2);
    expect(pidsIn(log).filter(isRunning)).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("is ended with all that it started when the runner is asked to end", async () => {
    const { spec } = await specOf({ source: stubborn });
    const runner = startRunner(spec);
    await printed(runner, ";");
    process.kill(runner.pid, "SIGTERM");
    expect(await runner.ended).toBe(1);
    expect(pidsIn(runner.log()).filter(isRunning)).toEqual([]);
    const because = async (stop?: "pruned" | "cancelled") =>
      (await harvest(runner.log(), spec, { folder: emptyFolder(), stop }))?.status;
    expect([await because("pruned"), await because("cancelled"), await because()]).toEqual([
      "pruned",
      "cancelled",
      "lost",
    ]);
  });

  it.skipIf(process.platform !== "linux")(
    "is ended with all that it started when the runner is killed, and its folder goes too",
    async () => {
      const { spec } = await specOf({ source: stubborn });
      const temporary = emptyFolder();
      const runner = startRunner(spec, { ...process.env, TMPDIR: temporary });
      await printed(runner, ";");
      process.kill(runner.pid, "SIGKILL");
      await expect.poll(() => pidsIn(runner.log()).filter(isRunning), { timeout: 10_000 }).toEqual([]);
      await expect.poll(() => readdirSync(temporary), { timeout: 10_000 }).toEqual([]);
      expect(await harvest(runner.log(), spec, { folder: emptyFolder() })).toBeUndefined();
    },
  );

  it("has no time to leave a process behind", async () => {
    const source = `
      const child = require("child_process").spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
      child.unref();
      const bare = require("child_process").spawn("sleep", ["1000"], { env: {}, stdio: "ignore" });
      bare.unref();
      console.log("pids " + process.pid + " " + child.pid + " " + bare.pid + ";");
      console.log("loss: 0.5");`;
    const { outcome, log } = await runTrial({ source });
    expect(outcome).toMatchObject({ status: "measured", metric: 0.5 });
    expect(pidsIn(log)).toHaveLength(3);
    expect(pidsIn(log).filter(isRunning)).toEqual([]);
    expect(log).toContain('"leftBehind": 2');
  });

  it("keeps the right to execute, and empty lines and line ends of what was changed", async () => {
    const program: Program = {
      source: `console.log(require("child_process").execFileSync("./tool.sh").toString()); console.log(require("fs").readFileSync("dos.txt", "latin1") === "a\\r\\nb" ? "loss: 1" : "")`,
      files: { "tool.sh": "#!/bin/sh\necho worked\n", "dos.txt": "a\r\nc" },
      task: { editable: ["dos.txt"] },
    };
    const candidate = { values: { X: 1 }, edits: [{ file: "dos.txt", find: "c", replace: "b" }] };
    const { spec } = await specOf(program, { candidate });
    const runner = startRunner({ ...spec, modes: { "tool.sh": 0o755 } });
    await runner.ended;
    expect(runner.log()).toContain("worked");
    expect(await harvest(runner.log(), spec, { folder: emptyFolder() })).toMatchObject({ status: "measured" });
  });

  it("sees linked paths where they lie on the node, and is lost with a word on what to do where they are missing", async () => {
    const program: Program = {
      source: "console.log('loss: ' + require('fs').readFileSync('data/x', 'utf8'))",
      files: { "data/x": "5" },
      task: { link: ["data"] },
    };
    expect((await runTrial(program)).outcome).toMatchObject({ metric: 5 });
    const mounted = emptyFolder();
    writeFileSync(join(mounted, "x"), "6");
    expect((await runTrial(program, { links: { data: mounted } })).outcome).toMatchObject({ metric: 6 });
    const { outcome } = await runTrial(program, { links: { data: "/no/such/place" } });
    expect(outcome?.status).toBe("lost");
    expect(reasonOf(outcome)).toMatch(
      /^data is linked to \/no\/such\/place, which is not on node .*evaluateRay\(\{ links/,
    );
    expect((await runTrial(program, { links: { data: false } })).outcome).toMatchObject({ kind: "exit" });
  });

  it("is not believed when it changed a protected file behind a link", async () => {
    const program: Program = {
      source: "require('fs').appendFileSync('data/x', '6'); console.log('loss: 1')",
      files: { "data/x": "5" },
      task: { link: ["data"], protected: ["data/x"] },
    };
    expect((await runTrial(program)).outcome).toMatchObject({ kind: "tampered" });
  });

  it("does nothing when it starts after its deadline, or was called off", async () => {
    const witness = join(emptyFolder(), "ran");
    const { spec } = await specOf({ source: `require("fs").writeFileSync(${JSON.stringify(witness)}, "")` });
    for (const change of [{ startBefore: Date.now() / 1000 - 5 }, { cancelled: true }]) {
      const runner = startRunner({ ...spec, ...change });
      expect(await runner.ended).toBe(1);
      const outcome = await harvest(runner.log(), spec, { folder: emptyFolder() });
      expect(outcome?.status).toBe("lost");
      expect(reasonOf(outcome)).toMatch(/^it (started \d+ s after its deadline|was called off before it started)/);
    }
    expect(existsSync(witness)).toBe(false);
  });

  it("does not see secrets of the node once it carries edits, nor modules from the shared folder", async () => {
    const program: Program = {
      source:
        "console.log(JSON.stringify([process.env.MY_API_KEY, process.env.OTHER_TOKEN, process.env.PYTHONPATH, process.env.BILEVEL_OLD])); console.log('loss: 1')",
      files: { "a.txt": "a" },
      task: { editable: ["a.txt"] },
    };
    const { base, spec } = await specOf(program, {
      candidate: { values: { X: 1 }, edits: [{ file: "a.txt", find: "a", replace: "b" }] },
      passEnv: ["OTHER_TOKEN"],
    });
    const own = { MY_API_KEY: "k", OTHER_TOKEN: "t", PYTHONPATH: `${base}:/else`, BILEVEL_OLD: "x" };
    const runner = startRunner(spec, { ...process.env, ...own });
    await runner.ended;
    const folder = emptyFolder();
    await harvest(runner.log(), spec, { folder });
    expect(readFileSync(join(folder, "output.log"), "utf8")).toContain('[null,"t","/else",null]');
    expect((await runTrial({ source: "console.log(process.env.MY_API_KEY)" }, { variables: own })).output).toBe("k\n");
  });

  it("says so where the command is not there, or the node has no copy of the task", async () => {
    const { outcome } = await runTrial({ source: "", task: { command: ["no-such-program"] } });
    expect(outcome).toMatchObject({ status: "crashed", kind: "exit", reason: "command not found: no-such-program" });
    const { spec, base } = await specOf({ source: measured });
    const runner = startRunner({ ...spec, base: `${base}/none` });
    await runner.ended;
    expect(await harvest(runner.log(), spec, { folder: emptyFolder() })).toMatchObject({ status: "lost" });
  });
});
