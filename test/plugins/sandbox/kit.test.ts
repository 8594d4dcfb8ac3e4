import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { Sandbox } from "../../../plugins/sandbox/index.ts";
import { allowed, Machine } from "../../../plugins/sandbox/machine.ts";
import type { TapName } from "../../../plugins/sandbox/protocol.ts";
import { madeUpTraces } from "../../../plugins/sandbox/trace.ts";
import { objective, space } from "../../support/bowl.ts";
import { closeFigures, exactFigures } from "./kit-figures.ts";

const sandbox = new Sandbox();
afterAll(() => sandbox.close());

const code = readFileSync(new URL("kit-figures.ts", import.meta.url), "utf8");
const [trace] = madeUpTraces(space, objective);

/** What the same file answers inside, and the fuel that it took. */
async function inside(tap: TapName): Promise<{ answer: unknown; fuel: number }> {
  const [first, turn] = [trace?.steps[0], trace?.turns[0]];
  if (!first || !turn) throw new Error("the trace is empty");
  const machine = new Machine(sandbox, code, { level: "inner", seed: "s", space, objective });
  machine.note(first.trial, first.view);
  await machine.call(() => ({ do: "probe" }), undefined, allowed.propose);
  const before = machine.fuel;
  const draft = { candidate: turn.draft, brief: [] };
  const message = { number: 1, parent: 0, refused: [], draws: [1] };
  const answer = await machine.call(
    (head) => ({ do: "propose", tap, head, draft, turn: message }),
    turn.view,
    allowed.propose,
  );
  return { answer, fuel: machine.fuel - before };
}

describe("the kit inside the sandbox", () => {
  it("computes what it computes outside, to the last bit, where no logarithm or exponential is needed", async () => {
    const { answer } = await inside("propose:BRIEF");
    const { brief } = answer as { brief: { text: string }[] };
    expect(JSON.parse(brief[0]?.text ?? "")).toEqual(JSON.parse(JSON.stringify(exactFigures())));
  });

  it("computes the same within 1e-9 where they are", async () => {
    const { answer } = await inside("propose:SHAPE");
    const { close } = (answer as { candidate: { values: { close: number[] } } }).candidate.values;
    const outside = closeFigures();
    expect(close).toHaveLength(outside.length);
    for (const [index, value] of outside.entries())
      expect(Math.abs((close[index] ?? NaN) - value)).toBeLessThan(1e-9 * Math.max(1, Math.abs(value)));
  });

  it("fits a Gaussian process to 128 points and asks it 200 times within the fuel that a check allows", async () => {
    const { fuel } = await inside("propose:SHAPE");
    expect(fuel).toBeLessThan(allowed.propose.fuel / 2);
    expect(fuel).toBe((await inside("propose:SHAPE")).fuel);
  });
});
