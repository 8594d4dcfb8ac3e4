import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { journalFile, readJournal } from "../../../core/index.ts";
import { integer, streamOf } from "../../../kit/index.ts";
import { emptyFolder, ofType } from "../../support/run.ts";

const host = new URL("../../support/host-process.ts", import.meta.url).pathname;
const trials = 6;

/** Every start and end of the program is noted beside it, so that what ran twice shows. */
const program = `const X = 0;
const fs = require("fs");
const note = (what) => fs.appendFileSync(process.env.NOTES, what + " " + X + " " + process.pid + "\\n");
note("start");
setTimeout(() => { note("end"); console.log("loss: " + (100 - X)); }, 150);
`;

/** Runs the host to its end, or kills it once `until` has happened. */
async function runHost(
  home: string,
  slots: number,
  { until, budget = trials }: { until?: Promise<unknown>; budget?: number } = {},
): Promise<number | null> {
  const child = spawn(process.execPath, ["--no-warnings", host, home, String(slots), String(budget)], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NOTES: join(home, "notes") },
  });
  const exit = once(child, "exit");
  if (until) {
    await Promise.race([exit, until]);
    child.kill("SIGKILL");
  }
  await exit;
  return child.exitCode;
}

/** Living processes that work for this run: its supervisors and its programs. */
const livingFor = (home: string): string[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "latin1");
        const env = readFileSync(`/proc/${pid}/environ`, "latin1");
        return env.includes(`NOTES=${home}/`) ? [`${pid} ${line.replaceAll("\0", " ")}`] : [];
      } catch {
        return [];
      }
    });

describe("a run of real processes that is killed and resumed", () => {
  for (const slots of [1, 4])
    it(`repeats nothing that finished and leaves no process behind, with ${slots} slots`, async () => {
      const random = streamOf("process kills", slots);
      for (let number = 0; number < 2; number++) {
        const home = emptyFolder();
        mkdirSync(join(home, "task"));
        writeFileSync(join(home, "task", "train.js"), program);
        for (let kill = 0; kill < 4; kill++) await runHost(home, slots, { until: sleep(150 + integer(random, 500)) });
        expect(await runHost(home, slots)).toBe(0);
        expect(livingFor(home)).toEqual([]);
        const { facts } = readJournal(journalFile(join(home, "run")));
        const outcomes = ofType(facts, "outcome").map((fact) => fact.trial as number);
        expect([...outcomes].sort((a, b) => a - b)).toEqual(Array.from({ length: trials + 1 }, (_, id) => id));
        const notes = existsSync(join(home, "notes"))
          ? readFileSync(join(home, "notes"), "utf8").trim().split("\n")
          : [];
        const ends = notes.filter((note) => note.startsWith("end")).map((note) => note.split(" ")[1]);
        expect(new Set(ends).size).toBe(ends.length); // no trial ran to its end twice
        expect(ends).toHaveLength(trials + 1);
      }
    }, 120_000);

  it("adopts a trial that still runs: it is started once and its result is taken", async () => {
    const home = emptyFolder();
    mkdirSync(join(home, "task"));
    writeFileSync(join(home, "task", "train.js"), program.replace("150", "1500"));
    const notesFile = join(home, "notes");
    const written = (): string => (existsSync(notesFile) ? readFileSync(notesFile, "utf8") : "");
    const started = expect.poll(written, { timeout: 20_000 }).toMatch(/^start 0 \d+\n$/);
    await runHost(home, 1, { until: started });
    expect(livingFor(home).length).toBeGreaterThan(0); // it outlives its host
    expect(await runHost(home, 1, { budget: 1 })).toBe(0);
    const notes = written().trim().split("\n");
    expect(notes.map((note) => note.split(" ").slice(0, 2).join(" "))).toEqual([
      "start 0",
      "end 0",
      "start 1",
      "end 1",
    ]);
  });
});

it("a supervisor starts nothing and ends when its host goes away before it says go", async () => {
  const folder = emptyFolder();
  writeFileSync(
    join(folder, "spec.json"),
    JSON.stringify({
      marker: "m",
      command: ["touch", join(folder, "ran")],
      cwd: folder,
      limitMs: null,
      graceMs: 100,
      logBytes: 1000,
      metric: "loss",
    }),
  );
  const supervisor = new URL("../../../plugins/evaluate-process/supervisor.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--no-warnings", supervisor, folder], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  await sleep(300);
  child.stdin.end();
  await once(child, "exit");
  expect(child.exitCode).toBe(0);
  expect(existsSync(join(folder, "ran"))).toBe(false);
  expect(existsSync(join(folder, "exit.json"))).toBe(false);
});
