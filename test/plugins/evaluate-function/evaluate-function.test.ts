import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Config, Outcome, Plugin } from "../../../core/index.ts";
import { execute, resolveConfig } from "../../../core/index.ts";
import { evaluateFunction, type EvaluateFunctionOptions } from "../../../plugins/evaluate-function/index.ts";
import { innerLoop } from "../../../plugins/inner-loop/index.ts";
import { counting } from "../../support/counting.ts";
import { emptyFolder } from "../../support/run.ts";

/** Outcomes of X = 0 (the baseline), 1, 2 … under this function. */
async function outcomes(
  source: string,
  options: EvaluateFunctionOptions = {},
  config: Partial<Config> = {},
  trials = 1,
): Promise<Outcome[]> {
  const home = emptyFolder();
  writeFileSync(join(home, "objective.mjs"), source);
  const { levels } = await execute(
    resolveConfig(
      {
        objective: { metric: "loss", direction: "minimize", noise: "none" },
        space: { parameters: { X: { type: "int", min: 0, max: 100, default: 0 } } },
        evaluator: evaluateFunction({ module: "./objective.mjs", ...options }),
        proposer: counting,
        levels: [innerLoop()],
        budget: { trials },
        ...config,
      },
      join(home, "bilevel.config.ts"),
    ),
    join(home, "run"),
  );
  return [...(levels.get("inner")?.trials ?? [])].map(({ outcome }) => outcome as Outcome);
}

const inTrial = (body: string): string =>
  `export default async ({ X }, context) => { if (X === 0) return 1; ${body} };`;

for (const thread of [true, false])
  describe(
    `a function as the objective, ${thread ? "in worker threads" : "in this thread"}`,
    { timeout: 10_000 },
    () => {
      const second = async (body: string, options: EvaluateFunctionOptions = {}, config: Partial<Config> = {}) =>
        (await outcomes(inTrial(body), { thread, ...options }, config))[1];

      it("gives the metric, or metrics by name, and gets values and seed", async () => {
        expect(await second("return X / 2")).toMatchObject({ status: "measured", metric: 0.5, metrics: { loss: 0.5 } });
        expect(await second("return { loss: context.seed, size: 3 }")).toMatchObject({
          status: "measured",
          metric: 42,
          metrics: { loss: 42, size: 3 },
        });
      });

      it("that throws, or gives no finite metric, is a crash with its reason", async () => {
        expect(await second("throw new Error('bad batch')")).toMatchObject({
          status: "crashed",
          kind: "exit",
          reason: "bad batch",
        });
        expect(await second("return NaN")).toMatchObject({
          status: "crashed",
          kind: "diverged",
          reason: "loss is NaN",
        });
        expect(await second("return { los: 1 }")).toMatchObject({
          status: "crashed",
          kind: "no-metric",
          reason: "it returned no loss",
        });
        expect(await second("return")).toMatchObject({
          status: "crashed",
          kind: "no-metric",
          reason: "it returned undefined, not a number or metrics by name",
        });
      });

      it("tells intermediate values", async () => {
        const seen: number[][] = [];
        const watching: Plugin = {
          name: "watching",
          contract: 1,
          apply: (taps) =>
            taps.progress((_trial, points) => {
              seen.push(points.map(({ value }) => value));
              return undefined;
            }),
        };
        await second(
          "context.report(1, 5); context.report(2, 4); return 1",
          {},
          { levels: [innerLoop({ plugins: [watching] })] },
        );
        expect(seen).toEqual([[5], [5, 4]]);
      });
    },
  );

describe("in worker threads", { timeout: 60_000 }, () => {
  it("a function that never ends is over its limit, and the next trial runs", async () => {
    const [, endless, after] = await outcomes(inTrial("if (X === 1) for (;;); return 0.5"), { limitSeconds: 3 }, {}, 2);
    expect(endless).toMatchObject({ status: "crashed", kind: "timeout", reason: "over the time limit of 3 s" });
    expect(after).toMatchObject({ status: "measured", metric: 0.5 });
  });

  it("a trial is stopped early, diverged or ended by its own exit, and the next one runs", async () => {
    const stopping: Plugin = { name: "stopping", contract: 1, apply: (taps) => taps.progress(() => "stop") };
    const [, pruned] = await outcomes(
      inTrial("context.report(1, 5); await new Promise(() => setInterval(() => {}, 1000))"),
      {},
      { levels: [innerLoop({ plugins: [stopping] })] },
    );
    expect(pruned).toMatchObject({ status: "pruned" });
    const [, diverged, gone, after] = await outcomes(
      inTrial(
        "if (X === 1) { context.report(1, NaN); await new Promise(() => setInterval(() => {}, 1000)); } if (X === 2) process.exit(3); return 0.5",
      ),
      {},
      {},
      3,
    );
    expect(diverged).toMatchObject({ status: "crashed", kind: "diverged" });
    expect(gone).toMatchObject({ status: "crashed", kind: "exit", reason: "its thread ended by itself with code 3" });
    expect(after).toMatchObject({ status: "measured" });
  });

  it("what a trial left running ends no run", () => {
    const home = emptyFolder();
    const config = {
      objective: { metric: "loss", direction: "minimize" },
      space: { parameters: { X: { type: "choice", values: [0, 1, 2, 3, 4], default: 0 } } },
      evaluator: { use: "bilevel#evaluateFunction", options: { module: "./objective.mjs" } },
      levels: [{ use: "bilevel#innerLoop", options: { slots: 2 } }],
      budget: { trials: 2 },
    };
    writeFileSync(join(home, "bilevel.config.json"), JSON.stringify(config));
    writeFileSync(
      join(home, "objective.mjs"),
      `import { existsSync, writeFileSync } from "node:fs";
      export default async ({ X }) => {
        const mark = new URL("one", import.meta.url);
        if (X === 0) return 0;
        if (existsSync(mark)) await new Promise((r) => setTimeout(r, 1000));
        else writeFileSync(mark, ""), setTimeout(() => { throw new Error("late") }, 50);
        return X;
      };`,
    );
    const cli = new URL("../../../cli/bilevel.js", import.meta.url).pathname;
    const { status, stderr } = spawnSync(process.execPath, [cli, "run", "-C", home, "--quiet"], { encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("what a trial left running reports to no later trial", async () => {
    const late = await outcomes(
      "export default async ({ X }, { report }) => { if (X === 1) setTimeout(() => report(1, NaN), 50); if (X === 2) await new Promise((r) => setTimeout(r, 300)); return X; }",
      {},
      {},
      2,
    );
    expect(late.map(({ status }) => status)).toEqual(["measured", "measured", "measured"]);
  });

  it("a limit of more days than a timer can wait is no limit of nothing", async () => {
    const [, trial] = await outcomes(inTrial("await new Promise((r) => setTimeout(r, 100)); return 0.5"), {
      limitSeconds: 3e6,
    });
    expect(trial).toMatchObject({ status: "measured", metric: 0.5 });
  });

  it("as many trials run at once as there are slots", async () => {
    const source =
      "let running = 0; export default async ({ X }) => { await new Promise((r) => setTimeout(r, 100)); return X; };";
    const started = performance.now();
    await outcomes(source, {}, { levels: [innerLoop({ slots: 4 })] }, 8);
    expect(performance.now() - started).toBeGreaterThan(250); // baseline, then twice four
  });
});

it("what cannot be loaded is refused before anything runs", async () => {
  await expect(outcomes("export default 3")).rejects.toMatchObject({
    code: "E_OPTIONS_INVALID",
    message: "the module has no function default",
  });
  await expect(outcomes("export const x = 1", { module: "./nowhere.mjs" })).rejects.toMatchObject({
    code: "E_OPTIONS_INVALID",
  });
  await expect(outcomes("", { module: undefined })).rejects.toMatchObject({
    code: "E_OPTIONS_INVALID",
    message: "evaluateFunction() has no function",
  });
  await expect(outcomes("", { function: () => 1 })).rejects.toMatchObject({
    message: "a function itself cannot go into another thread",
  });
});
