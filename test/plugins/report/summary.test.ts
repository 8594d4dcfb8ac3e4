import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Config, Objective, Plugin, TaskChange, Trial, View } from "../../../core/index.ts";
import { innerLoop } from "../../../plugins/inner-loop/index.ts";
import { outerLoop } from "../../../plugins/outer-loop/index.ts";
import { progress } from "../../../plugins/progress/index.ts";
import { resultsTable, summaryLines, summaryText } from "../../../plugins/report/index.ts";
import { selectImprovement } from "../../../plugins/select-improvement/index.ts";
import { shaper } from "../../support/bowl.ts";
import { counting } from "../../support/counting.ts";
import { run } from "../../support/run.ts";

/** Runs X = 0, 1, 2 …, each of which measures (10 - X) * unit and needs X of memory; what the screen says of them, and at the end. */
async function told(objective: Partial<Objective>, config: Partial<Config> = {}, noise = 0, unit = 1) {
  const evaluator: Plugin = {
    name: "measure",
    contract: 1,
    apply: (taps) =>
      taps.evaluate((trial: Trial<TaskChange>) => {
        const x = trial.candidate.values?.X as number;
        const metric = (10 - x) * unit + (trial.seed % 2) * noise;
        return Promise.resolve({ status: "measured", metric, metrics: { loss: metric, memory: x }, seconds: 1 });
      }),
  };
  const stream = new PassThrough();
  const chunks: string[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  const { end, facts, folder } = await run(
    {
      evaluator,
      objective: { metric: "loss", direction: "minimize", ...objective },
      space: { parameters: { X: { type: "int", min: 0, max: 1000, default: 0 } } },
      proposer: counting,
      selector: selectImprovement(),
      levels: [innerLoop()],
      budget: { trials: 3 },
      ...config,
    },
    { observers: [progress({ stream: stream as unknown as NodeJS.WriteStream, mode: "plain" })] },
  );
  const views = [...end.levels.values()];
  return {
    screen: chunks.join(""),
    summary: summaryLines(views, end.reason, { folder, facts }),
    table: resultsTable(views[0] as View<TaskChange>),
  };
}

describe("a trial that was dropped whatever it measured", () => {
  it("by a limit: its line says so, and so does the end where it measured better than the baseline", async () => {
    const { screen, summary } = await told({ noise: "none", limits: { memory: { max: 0 } } });
    expect(screen).toMatch(/^trial 2 .*dropped .*memory is 2, above its limit of 0$/m);
    expect(summary[1]).toBe(
      "best: the baseline, loss 10.00; 3 trials that measured better were dropped " +
        "(trial 3: memory is 3, above its limit of 0); nothing else was better beyond the noise",
    );
  });

  it("by the check: likewise", async () => {
    const check = ["sh", "-c", "echo wrong answer; exit 3"];
    const { screen, summary } = await told({ noise: "none", check }, { budget: { trials: 1 } });
    expect(screen).toMatch(/^trial 1 .*dropped .*the check failed \(exit code 3\): wrong answer$/m);
    expect(summary[1]).toBe(
      "best: the baseline, loss 10.00; 1 trial that measured better was dropped " +
        "(trial 1: the check failed (exit code 3): wrong answer); nothing else was better beyond the noise",
    );
  });

  it("is none where its measurement decided", async () => {
    const { screen, summary } = await told({ noise: "none", direction: "maximize", limits: { memory: { max: 9 } } });
    expect(screen).toMatch(/^trial 2 .*dropped +X 0 → 2 {2}by counting$/m);
    expect(summary[1]).toBe("best: the baseline, loss 10.00; nothing was better beyond the noise");
  });

  it("nor where it was the worse side of a pair", async () => {
    const plus = shaper("plus", ({ X }) => ({ X: (X as number) + 100 }));
    const levels = [innerLoop(), outerLoop({ changes: "mechanisms", every: 4 })];
    const { screen } = await told({ noise: "none", direction: "maximize" }, { levels, plugins: [plus] });
    expect(screen).toMatch(/^trial \d .*dropped .* with plus {2}\[plus changed\]$/m);
  });
});

it("the final comparison tells its standard error where there is one: not of a single pair", async () => {
  const confirmedLine = async (confirm: number) =>
    (await told({}, { levels: [innerLoop({ confirm })], budget: { trials: 30 } }, 0.1)).summary[1];
  expect(await confirmedLine(1)).toMatch(/^confirmed: loss [\d.]+ → -?[\d.]+, n=1; /);
  expect(await confirmedLine(3)).toMatch(/^confirmed: loss [\d.]+ → -?[\d.]+ ± [\d.]+, n=3; /);
});

it("in Markdown what a program printed is text, and no markup", () => {
  expect(summaryText("loss", ["trial 1: a <b> of `x` * y"])).toBe("# loss\n\n- trial 1: a \\<b> of \\`x\\` \\* y\n");
});

it("the table has the metric with the digits that tell it, however small", async () => {
  const { table } = await told({ noise: "none" }, { budget: { trials: 1 } }, 0, 1e-9);
  const metrics = table
    .split("\n")
    .slice(1, -1)
    .map((row) => Number(row.split("\t")[1]));
  expect(metrics).toEqual([1e-8, 9 * 1e-9]);
});
