import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { admit, Sandbox, TypeCheck } from "../../../plugins/sandbox/index.ts";
import { allowed, Machine } from "../../../plugins/sandbox/machine.ts";
import { madeUpTraces } from "../../../plugins/sandbox/trace.ts";
import { sound } from "../../support/author.ts";
import { objective, space } from "../../support/bowl.ts";
import { refining } from "./hostile/file.ts";

const start = { level: "inner", seed: "s", space, objective };
const parts = { sandbox: new Sandbox(), types: new TypeCheck() };
afterAll(async () => {
  parts.types.close();
  await parts.sandbox.close();
});

/** Processes whose parent this is. */
function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[1] === String(parent);
      } catch {
        return false; // it ended meanwhile
      }
    });
}
/** The group that signals of a terminal go to. */
const groupOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[2]);
const until = async (test: () => boolean): Promise<void> => {
  while (!test()) await new Promise((resolve) => setTimeout(resolve, 20));
};

describe("time for a file", () => {
  it("that is used up ends what runs, whatever each call may take", async () => {
    const sandbox = new Sandbox();
    const busy = refining("return undefined;", { top: "const long = new Float64Array(4e6);" }).replace(
      "init: (space) => ({",
      "init: (space) => ({ filled: Array.from({ length: 20_000 }, () => long.fill(1)).length,",
    );
    sandbox.allow(1500);
    const machine = new Machine(sandbox, busy, start);
    await expect(machine.call(() => ({ do: "probe" }), undefined, allowed.propose)).rejects.toThrow(
      "there was no time left: 1.5 s are allowed for all its calls together",
    );
    await expect(machine.describe()).rejects.toThrow("there was no time left");
    sandbox.allow(Infinity);
    const other = new Machine(sandbox, sound("trust-region"), start);
    expect(await other.describe()).toMatchObject({ name: "trust-region" });
    await sandbox.close();
  });

  it("is the processor's: what waits for a busy machine is not slow", async () => {
    const sandbox = new Sandbox();
    sandbox.allow(2500);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);
    expect(await new Machine(sandbox, sound("trust-region"), start).describe()).toMatchObject({ name: "trust-region" });
    await sandbox.close();
  });

  it("is a check's limit as well, told with what was passed before", async () => {
    const admission = await admit(parts, sound("trust-region"), { space, objective, withinMs: 1 });
    expect(admission).toMatchObject({ passed: ["size", "imports", "types"], problems: [{ check: "limits" }] });
    expect(admission.standing).toBeUndefined();
    expect((await admit(parts, sound("trust-region"), { space, objective })).standing).toBe("live");
  });
});

describe("a state that grows with every trial", () => {
  it("ends when its memory is used up, hundreds of trials later, and tells at which", async () => {
    const hoarding = refining("return undefined;", {
      reflect: "state.list.push(new Uint8Array(50_000)); return state;",
    });
    const machine = new Machine(parts.sandbox, hoarding, start);
    const [trace] = madeUpTraces(space, objective);
    const { trial, view } = trace?.steps[1] ?? {};
    if (!trial || !view) throw new Error("the trace is empty");
    for (let id = 0; id < 3000; id++) machine.note({ ...trial, id }, view);
    const failure = await machine
      .call(() => ({ do: "probe" }), undefined, allowed.propose)
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind: "memory", isFinal: true });
    const at = Number(/reflect on trial (\d+): it used up its memory of 64 MiB/.exec(String(failure))?.[1]);
    expect(at).toBeGreaterThan(500);
    expect(at).toBeLessThan(1400);
    const other = new Machine(parts.sandbox, sound("trust-region"), start);
    expect(await other.describe()).toMatchObject({ name: "trust-region" });
  });
});

describe("the process that checks types", () => {
  it("that died between two files is replaced", async () => {
    const types = new TypeCheck();
    expect(await types.problems("export const x: number = '1';")).toMatchObject([{ check: "types", line: 1 }]);
    const checkers = childrenOf(process.pid).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("checker"),
    );
    expect(checkers.length).toBeGreaterThan(0);
    for (const pid of checkers) process.kill(pid, "SIGKILL");
    await until(() => checkers.every((pid) => !existsSync(`/proc/${pid}`)));
    expect(await types.problems("export const x: number = '1';")).toMatchObject([{ check: "types", line: 1 }]);
    expect(await types.problems("export const x = 1;")).toEqual([]);
    types.close();
  });

  it("that waits for a busy machine is waited for, and ^C in a terminal is not sent to it", async () => {
    const types = new TypeCheck();
    await types.problems("export {};");
    const [checker = 0] = childrenOf(process.pid).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("checker"),
    );
    expect(groupOf(checker)).toBe(checker);
    process.kill(checker, "SIGSTOP");
    const told = types.problems("export const x: number = '1';");
    await new Promise((resolve) => setTimeout(resolve, 5500));
    process.kill(checker, "SIGCONT");
    expect(await told).toMatchObject([{ check: "types", line: 1 }]);
    types.close();
  });

  it("ends with the process that asked, even while types compute for ever", async () => {
    const host = new URL("../../support/host-checker.ts", import.meta.url).pathname;
    const asking = spawn(process.execPath, ["--no-warnings", host], { stdio: ["ignore", "pipe", "inherit"] });
    await once(asking.stdout, "data");
    const checkers = childrenOf(asking.pid ?? 0);
    expect(checkers.length).toBe(1);
    asking.kill("SIGKILL");
    await once(asking, "exit");
    await until(() => checkers.every((pid) => !existsSync(`/proc/${pid}`)));
  });
});
