import { execFileSync, spawn, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { once } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answerOf, journalFile, readJournal } from "../../core/index.ts";
import { Journal } from "../../core/journal.ts";
import { emptyFolder, run } from "../support/run.ts";

const journalModule = new URL("../../core/journal.ts", import.meta.url).href;
const begin = { type: "run", version: 1 };

describe("a journal", () => {
  it("gives back what was appended, numbered, as JSON would carry it", () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 8 }), (values) => {
        const folder = emptyFolder();
        const journal = new Journal(folder);
        const live = [begin, ...values.map((value) => ({ type: "fact", value }))].map((fact) => journal.append(fact));
        journal.close();
        expect(readJournal(journalFile(folder)).facts).toEqual(live);
        expect(live.map(({ n }) => n)).toEqual(live.map((_, index) => index));
      }),
      { numRuns: 40 },
    );
  });

  it("loses nothing but the torn last line, at whatever byte it was cut", () => {
    const folder = emptyFolder();
    const journal = new Journal(folder);
    for (const fact of [begin, { type: "fact", text: "größer ✓" }, { type: "fact", text: "x".repeat(50) }])
      journal.append(fact);
    journal.close();
    const whole = readFileSync(journalFile(folder));
    for (let cut = 0; cut <= whole.length; cut++) {
      writeFileSync(journalFile(folder), whole.subarray(0, cut));
      const reopened = new Journal(folder);
      const lines = whole.subarray(0, cut).toString("latin1").split("\n").length - 1;
      expect(reopened.recorded).toHaveLength(lines);
      expect(reopened.repaired === "").toBe(cut === 0 || whole[cut - 1] === 10);
      reopened.append({ ...begin, after: true });
      reopened.close();
      expect(readJournal(journalFile(folder)).facts).toHaveLength(lines + 1);
    }
  });

  it("tells of a repaired line in the run", async () => {
    const folder = emptyFolder();
    await run({ budget: { trials: 3 } }, { folder });
    appendFileSync(journalFile(folder), '{"n":99,"type":"outc');
    const { facts } = await run({ budget: { trials: 5 } }, { folder });
    expect(facts.find(({ type }) => type === "notice")?.text).toContain("torn by a crash");
  });

  it("refuses a line in the middle that is no fact, and a newer version, changing nothing", () => {
    for (const [text, code] of [
      ['{"n":0,"type":"run","version":1}\n{"n":1,"ty\n{"n":2,"type":"x"}\n', "E_JOURNAL_DAMAGED"],
      ['{"n":0,"type":"run","version":1}\n{"n":7,"type":"x"}\n', "E_JOURNAL_DAMAGED"],
      ['{"n":0,"type":"run","version":2}\n', "E_JOURNAL_VERSION"],
    ] as const) {
      const folder = emptyFolder();
      writeFileSync(journalFile(folder), text);
      const told: unknown = expect.stringContaining(code === "E_JOURNAL_DAMAGED" ? "line 2 is not fact number 1" : "");
      expect(() => new Journal(folder)).toThrow(expect.objectContaining({ code, message: told }) as Error);
      expect(readFileSync(journalFile(folder), "utf8")).toBe(text);
      expect(existsSync(join(folder, "lock"))).toBe(false);
    }
  });

  it("has one writer: a second process is refused by the first one's number; a dead one's lock is taken", async () => {
    const folder = emptyFolder();
    const holder = spawn(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `import { Journal } from ${JSON.stringify(journalModule)}; new Journal(${JSON.stringify(folder)}); console.log("held"); setInterval(() => {}, 1000);`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    await once(holder.stdout, "data");
    expect(() => new Journal(folder)).toThrow(
      expect.objectContaining({
        code: "E_RUN_LOCKED",
        details: expect.objectContaining({ received: `process ${holder.pid}` }) as object,
      }) as Error,
    );
    holder.kill("SIGKILL");
    await once(holder, "exit");
    new Journal(folder).close();
  });

  it("takes over a lock whose process number was given to another process", () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, "lock"), JSON.stringify({ pid: process.ppid, startTime: "1" }));
    new Journal(folder).close();
    expect(readdirSync(folder)).toEqual(["journal.jsonl"]);
  });

  it("of another machine is known by its signs of life: a folder that two share has one writer, too", () => {
    const folder = emptyFolder();
    const lock = join(folder, "lock");
    writeFileSync(lock, JSON.stringify({ pid: 4711, startTime: "1", host: "elsewhere" }));
    expect(() => new Journal(folder)).toThrow(
      expect.objectContaining({
        code: "E_RUN_LOCKED",
        details: expect.objectContaining({ received: "process 4711 on elsewhere" }) as object,
      }) as Error,
    );
    const longAgo = new Date(Date.now() - 120_000);
    utimesSync(lock, longAgo, longAgo);
    new Journal(folder).close();
    expect(readdirSync(folder)).toEqual(["journal.jsonl"]);
  });

  it("keeps every whole fact when the disk is full, those of earlier sessions too, and says what to do", () => {
    const folder = emptyFolder();
    const earlier = new Journal(folder);
    for (const fact of [begin, { type: "fact", text: "earlier" }]) earlier.append(fact);
    earlier.close();
    const script = `
      import { Journal } from ${JSON.stringify(journalModule)};
      const journal = new Journal(${JSON.stringify(folder)});
      try { for (let n = 0; ; n++) journal.append({ type: "fact", text: "x".repeat(1000) }); }
      catch (error) { console.log(error.code, error.details.hint); journal.close(); }`;
    // a limit on the size of a file stands for a full disk: the write fails half way in the same place
    const { stdout, stderr } = spawnSync(
      "sh",
      ["-c", `ulimit -f 20; exec "$0" --input-type=module -e "$1"`, process.execPath, script],
      { encoding: "utf8" },
    );
    expect(stderr).toBe("");
    expect(stdout).toContain("E_DISK_FULL");
    expect(stdout).toContain("bilevel resume");
    const { facts, torn } = readJournal(journalFile(folder));
    expect(facts[1]?.text).toBe("earlier");
    expect(facts.length).toBeGreaterThan(5);
    expect(torn).toBe("");
  });
});

describe("once", () => {
  it("runs a request once, gives the recorded answer ever after, and keeps scopes apart", async () => {
    const folder = emptyFolder();
    let calls = 0;
    const ask = (journal: Journal, scope: string) =>
      journal.once(scope, "ask", { b: 1, a: 2 }, () => Promise.resolve({ answer: ++calls }));
    const journal = new Journal(folder);
    journal.append(begin);
    expect(await Promise.all([ask(journal, "turn 1"), ask(journal, "turn 1")])).toEqual([{ answer: 1 }, { answer: 1 }]);
    expect(await ask(journal, "turn 2")).toEqual({ answer: 2 });
    expect(await ask(journal, "turn 1")).toEqual({ answer: 1 });
    journal.close();
    const resumed = new Journal(folder);
    expect(await resumed.once("turn 1", "ask", { a: 2, b: 1 }, () => Promise.reject(new Error("asked again")))).toEqual(
      { answer: 1 },
    );
    resumed.close();
  });

  it("keeps large answers beside the journal", async () => {
    const folder = emptyFolder();
    const journal = new Journal(folder);
    journal.append(begin);
    const long = "x".repeat(40_000);
    await journal.once("turn 1", "ask", 1, () => Promise.resolve(long));
    journal.close();
    const fact = readJournal(journalFile(folder)).facts.at(-1);
    expect(JSON.stringify(fact).length).toBeLessThan(500);
    expect(fact && answerOf(folder, fact)).toBe(long);
  });

  it("records neither a failure nor that there was no answer", async () => {
    const journal = new Journal(emptyFolder());
    await expect(journal.once("s", "ask", 1, () => Promise.reject(new Error("offline")))).rejects.toThrow("offline");
    expect(await journal.once("s", "ask", 1, () => Promise.resolve(undefined))).toBeUndefined();
    expect(journal.last).toBe(-1);
    expect(await journal.once("s", "ask", 1, () => Promise.resolve("back"))).toBe("back");
    expect(journal.last).toBe(0);
    journal.close();
  });
});

it("sees a crash between two facts: what was appended before SIGKILL is there", () => {
  const folder = emptyFolder();
  const script = `import { Journal } from ${JSON.stringify(journalModule)}; const journal = new Journal(${JSON.stringify(folder)}); for (const fact of [{ type: "run", version: 1 }, { type: "last" }]) journal.append(fact); process.kill(process.pid, "SIGKILL");`;
  expect(() => execFileSync(process.execPath, ["--input-type=module", "-e", script])).toThrow();
  expect(readJournal(journalFile(folder)).facts.map(({ type }) => type)).toEqual(["run", "last"]);
});
