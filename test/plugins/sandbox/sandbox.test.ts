import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { admit, problemText, Sandbox, TypeCheck } from "../../../plugins/sandbox/index.ts";
import { allowed, Machine } from "../../../plugins/sandbox/machine.ts";
import { madeUpTraces } from "../../../plugins/sandbox/trace.ts";
import { objective, space } from "../../support/bowl.ts";
import { hostile } from "./hostile/index.ts";

const parts = { sandbox: new Sandbox(), types: new TypeCheck() };
afterAll(async () => {
  parts.types.close();
  await parts.sandbox.close();
});

/** The longest delay of a 2 ms timer, in milliseconds, since it was last asked. */
let worst = 0;
let last = performance.now();
const timer = setInterval(() => {
  const now = performance.now();
  worst = Math.max(worst, now - last - 2);
  last = now;
}, 2);
const delay = (): number => {
  const seen = worst;
  worst = 0;
  return seen;
};
afterAll(() => clearInterval(timer));

let idle = 0;
const measureIdle = async (): Promise<number> => {
  delay();
  await new Promise((resolve) => setTimeout(resolve, 500));
  return delay();
};
beforeAll(async () => {
  await parts.types.problems("export {};");
  idle = await measureIdle();
}, 30_000);

/** Holds the timer's delay against that of the machine when idle, before all and right after; where other processes made it stall, once more. */
async function undelayed(work: () => Promise<void>): Promise<void> {
  let late = 0;
  for (let attempt = 0; attempt < 3; attempt++) {
    delay();
    await work();
    late = delay() - idle;
    if (late < 100 || late - (await measureIdle()) < 100) return;
  }
  expect(late).toBeLessThan(100);
}

const before = Object.keys(process.env).length;

describe("hostile and broken files", () => {
  it("are 70 or more, each of its own kind", () => {
    expect(hostile.length).toBeGreaterThanOrEqual(70);
    expect(new Set(hostile.map(({ code }) => code)).size).toBe(hostile.length);
  });

  for (const group of new Set(hostile.map((one) => one.group)))
    describe(group, () => {
      for (const { name, code, refused } of hostile.filter((one) => one.group === group))
        it(
          `${name}: is refused by the check "${refused}", with a reason`,
          () =>
            undelayed(async () => {
              const admission = await admit(parts, code, { space, objective });
              expect(admission.standing, JSON.stringify(admission)).toBeUndefined();
              expect(
                [...new Set(admission.problems.map(({ check }) => check))],
                admission.problems.map(problemText).join("\n"),
              ).toEqual([refused]);
              for (const { message } of admission.problems) {
                expect(message.length).toBeGreaterThan(10);
                expect(message).not.toMatch(/[^\P{C}\n\t]/u); // a terminal would obey it
              }
              expect(Object.keys(process.env).length).toBe(before);
              expect(({} as { polluted?: number }).polluted).toBeUndefined();
            }),
          120_000,
        );
    });
});

describe("the same files with nothing but the machine in their way", () => {
  const start = { level: "inner", seed: "s", space, objective };
  const [trace] = madeUpTraces(space, objective);
  for (const { group, name, code, inside } of hostile)
    it(
      `${group}: ${name}: ${inside ? `ends with ${inside}` : "harm nobody"}`,
      () =>
        undelayed(async () => {
          const machine = new Machine(parts.sandbox, code, start);
          const [first, turn] = [trace?.steps[0], trace?.turns[0]];
          if (!first || !turn) throw new Error("the trace is empty");
          machine.note(first.trial, first.view);
          const draft = { candidate: turn.draft, brief: [] };
          const told = await machine
            .call(
              (head) => ({
                do: "propose",
                tap: "propose:SHAPE",
                head,
                draft,
                turn: { number: 1, parent: 0, refused: [], draws: [1] },
              }),
              turn.view,
              allowed.refine,
            )
            .then(
              (answer) => JSON.stringify(answer) ?? "nothing",
              (error: unknown) => String(error),
            );
          if (inside) expect(told).toMatch(inside);
          expect(told.length).toBeLessThan(70_000);
          expect(({} as { polluted?: number }).polluted).toBeUndefined();
          await machine.drop();
        }),
      120_000,
    );

  it("leave the next mechanism unharmed", async () => {
    const admission = await admit(parts, readFileSync(new URL("sound/trust-region.ts", import.meta.url), "utf8"), {
      space,
      objective,
    });
    expect(admission.standing).toBe("live");
  });
});

describe("sound mechanisms, as a model would write them", () => {
  const folder = new URL("sound/", import.meta.url);
  const files = readdirSync(folder);
  it("are 15 or more", () => expect(files.length).toBeGreaterThanOrEqual(15));
  for (const file of files)
    it(`${file} passes every check`, async () => {
      const admission = await admit(parts, readFileSync(new URL(file, folder), "utf8"), { space, objective });
      expect(admission.problems.map(problemText)).toEqual([]);
      expect(admission.standing).toBe(file === "plateau-detector.ts" ? "spoken" : "live");
    }, 60_000);
});
