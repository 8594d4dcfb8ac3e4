import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Config, Plugin, View } from "../../../core/index.ts";
import { innerLoop } from "../../../plugins/inner-loop/index.ts";
import { outerLoop } from "../../../plugins/outer-loop/index.ts";
import { blockOf, progress } from "../../../plugins/progress/index.ts";
import { summaryLines } from "../../../plugins/report/index.ts";
import { selectImprovement } from "../../../plugins/select-improvement/index.ts";
import { bestOfTwo, inert, level, placebo, worstOfTwo } from "../../support/bowl.ts";
import { run } from "../../support/run.ts";

const policy = () => outerLoop({ name: "policy", changes: "policy", every: 5 });
const research = () => outerLoop({ name: "research", changes: "mechanisms", every: 5 });

/** Everything that a run says, line by line, and how it ended. */
async function told(config: Partial<Config>) {
  const stream = new PassThrough();
  const chunks: string[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  const ran = await run(config, {
    observers: [progress({ stream: stream as unknown as NodeJS.WriteStream, mode: "plain" })],
  });
  return { ...ran, lines: chunks.join("").split("\n") };
}

describe("before the start the screen says what the budget can hold", () => {
  const outlook = async (trials: number, levels: Config["levels"]) => {
    const { lines } = await told({ levels, plugins: [placebo], budget: { trials } });
    return lines.find((line) => line.startsWith(`${trials} trials: `));
  };

  it("by its trials and the levels that test", async () => {
    expect(await outlook(8, [level(), research()])).toBe("8 trials: about 1 pair, too few to judge a change");
    expect(await outlook(30, [level(), research()])).toBe(
      "30 trials: about 12 pairs, enough to judge one clear change",
    );
    expect(await outlook(30, [level(), policy(), research()])).toBe(
      '30 trials: about 12 pairs, enough to judge one clear change; 2 levels test at once: expect "too early"',
    );
    expect(await outlook(200, [level(), research()])).toBe(
      "200 trials: about 97 pairs, enough to judge about 8 changes",
    );
    expect(await outlook(30, [level()])).toBeUndefined();
  });

  it.each([9, 30, 60])("and how often the baseline is measured, which is so (%i trials)", async (trials) => {
    const selector = selectImprovement();
    const { lines, end } = await told({ levels: [innerLoop({ confirm: 0 })], selector, budget: { trials } });
    const all = [...(end.levels.get("inner")?.trials ?? [])];
    const times = all.filter(({ id, repeatOf }) => id === 0 || repeatOf === 0).length;
    expect(lines).toContain(`baseline${times > 1 ? `, measured ${times} times,` : ""} then ${trials} trials`);
  });
});

describe("what programs and models wrote is shown", () => {
  it("without what moves a cursor, clears the screen or ends a line early", async () => {
    const speaking: Plugin = {
      name: "speaking",
      contract: 1,
      open: (opened) => Promise.resolve(opened.notice("a\u001b[2Jb\u0007\rc\u009bd")),
    };
    expect((await told({ plugins: [speaking], budget: { trials: 1 } })).lines).toContain("note: ab cd");
  });
});

describe("later the screen says how many changes were tried, and how many false keeps that leads one to expect", () => {
  it("in the block, from the first test on, and in the summary", async () => {
    const { end, lines } = await told({
      levels: [level(), research()],
      plugins: [bestOfTwo, worstOfTwo, placebo, inert],
      budget: { trials: 160 },
    });
    const inner = end.levels.get("inner") as View;
    const views = [...end.levels.values()];
    const needed = [...inner.evidence.values()].map((evidence) => evidence.needed);
    expect(needed.length).toBeGreaterThan(2);
    const expected = needed.reduce((sum, one) => sum + 1 / one, 0).toFixed(2);
    const block = blockOf({ name: "run", views, slots: 1 });
    expect(block).toContain(
      `${needed.length} changes tested so far; were none any good, at most ${expected} would be kept by chance`,
    );
    expect(summaryLines(views, "done", { folder: "", facts: [] })).toContain(
      `${needed.length} changes were tested; were none of them any good, at most ${expected} would be kept by chance`,
    );
    const [first] = inner.evidence;
    const one = { ...inner, evidence: new Map([first ?? ["", { needed: 10 } as never]]) };
    expect(blockOf({ name: "run", views: [one], slots: 1 })).toContain(
      "1 change tested so far; were none any good, at most 0.10 would be kept by chance",
    );
    expect(
      lines.some((line) => /^ {2}test best-of-2: \d+ pairs, evidence [\d.]+ of \d+, leaning helps$/.test(line)),
    ).toBe(true);
    expect(lines.some((line) => /^best-of-2: kept, its pairs say that it helps/.test(line))).toBe(true);
    expect(lines.some((line) => /^worst-of-2: dropped, its pairs say that it harms/.test(line))).toBe(true);
  });
});
