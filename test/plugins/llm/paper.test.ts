import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sound } from "../../support/author.ts";
import { modelServer, sensible } from "../../support/model-server.ts";
import { emptyFolder } from "../../support/run.ts";

const command = new URL("../../../cli/bilevel.js", import.meta.url).pathname;

/** A folder with a program and a config: two parameters that count, and one that the paper locks. */
function project(url: string): string {
  const folder = emptyFolder();
  mkdirSync(join(folder, "task"));
  writeFileSync(
    join(folder, "task", "train.js"),
    "const a = 0.9;\nconst b = 0.9;\nconst DEPTH = 8;\nconsole.log(`loss: ${(a - 0.3) ** 2 + (b - 0.5) ** 2 + DEPTH}`);\n",
  );
  writeFileSync(
    join(folder, "bilevel.config.ts"),
    `import { defineConfig, evaluateProcess, innerLoop, llm } from "bilevel";
export default defineConfig({
  task: { folder: "task", command: ["node", "train.js"], values: { via: "constants", file: "train.js" }, seed: "none" },
  objective: { metric: "loss", direction: "minimize" },
  space: { parameters: { a: { type: "float", min: 0, max: 1, default: 0.9 }, b: { type: "float", min: 0, max: 1, default: 0.9 }, DEPTH: { type: "int", min: 4, max: 24, default: 8 } } },
  evaluator: evaluateProcess({ graceSeconds: 0.2 }),
  ${url && `llm: llm({ model: "scripted", baseURL: "${url}", retries: 0 }),`}
  levels: [innerLoop()],
  budget: { trials: 5 },
});`,
  );
  return folder;
}

/** The GPT example at a hundredth of its budget, with the shape of the model free, as the paper's task has it. */
function gptProject(url: string): string {
  const folder = emptyFolder();
  const task = join(folder, "gpt");
  cpSync(new URL("../../../examples/gpt-pretrain-cpu", import.meta.url), task, { recursive: true });
  const program = readFileSync(join(task, "train.ts"), "utf8");
  writeFileSync(join(task, "train.ts"), program.replace("FLOP_BUDGET = 240e9", "FLOP_BUDGET = 2.4e9"));
  writeFileSync(
    join(folder, "bilevel.config.ts"),
    `import { defineConfig, evaluateProcess, innerLoop, llm } from "bilevel";
import { wideSpace } from "./gpt/space.ts";
export default defineConfig({
  task: { folder: "gpt", command: ["node", "train.ts"], values: { via: "constants", file: "train.ts" }, seed: { constant: "SEED" }, protected: ["*.wasm", "corpus.txt", "data.ts", "model.ts"] },
  objective: { metric: "val_bpb", direction: "minimize" },
  space: wideSpace,
  evaluator: evaluateProcess(),
  llm: llm({ model: "scripted", baseURL: "${url}", retries: 0 }),
  levels: [innerLoop()],
  budget: { trials: 5 },
});`,
  );
  return folder;
}

/** Runs a preset to its end; what it printed. */
async function runPreset(preset: string, folder: string): Promise<{ status: unknown; out: string; error: string }> {
  const args = ["--no-warnings", command, "run", "--preset", preset, "-C", folder];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [out, error] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (error += chunk.toString()));
  const status = await new Promise((resolve) => child.once("exit", resolve));
  return { status, out, error };
}

describe("the paper's groups", () => {
  const answers = sensible({
    values: ({ number }) => ({ a: Number((0.9 - 0.007 * (number % 120)).toFixed(4)), b: 0.6 }),
    code: sound("trust-region"),
  });
  for (const [group, purposes] of Object.entries({
    a: ["proposal"],
    b: ["proposal", "policy"],
    c: ["proposal", "policy", "explore", "generate"],
    d: ["proposal", "explore", "generate"],
  }))
    it.concurrent(
      `paper-${group} runs its 30 trials end to end and says what became of its mechanisms`,
      async ({ expect: check }) => {
        const server = await modelServer(answers);
        const { status, out, error } = await runPreset(`paper-${group}`, project(server.url));
        await server.close();
        check([status, error]).toEqual([0, ""]);
        check(out).toContain("end: the budget of 30 trials is used up");
        check(out).not.toContain("DEPTH");
        for (const purpose of purposes) check(server.asked.some((one) => one.purpose === purpose)).toBe(true);
        check(out).toMatch(/model: \d+ proposed, \d+ kept, [\d,]+ tokens; search: \d+ proposed/);
        check(out).toMatch(
          purposes.includes("generate")
            ? /mechanisms: \d+ written, \d+ admitted, \d+ live, \d+ called, [1-9]\d* kept/
            : /mechanisms: 0 written, 0 admitted, 0 live, 0 called, 0 kept/,
        );
      },
      120_000,
    );

  it.each(["a", "b", "c", "d"])(
    "paper-%s runs on the GPT example too: real training, the shape locked, what is written in force at once",
    async (group) => {
      const rates = sensible({
        values: ({ number }) => ({ MATRIX_LR: Number((0.02 * 1.04 ** (number % 50)).toPrecision(4)) }),
        code: sound("trust-region"),
      });
      const server = await modelServer(rates);
      const { status, out, error } = await runPreset(`paper-${group}`, gptProject(server.url));
      await server.close();
      expect([status, error]).toEqual([0, ""]);
      expect(out).toMatch(/^trial 30 +\d\.\d{4}/m);
      expect(out).not.toMatch(/DEPTH|ASPECT_RATIO/);
      expect(out).toMatch(/^val_bpb during the search \d\.\d+, gain \+/m);
      expect(out).toMatch(
        "cd".includes(group)
          ? /mechanisms: [1-9]\d* written, [1-9]\d* admitted, \d+ live, [1-9]\d* called, [1-9]\d* kept/
          : /mechanisms: 0 written, 0 admitted, 0 live, 0 called, 0 kept/,
      );
    },
    300_000,
  );

  it("need a model, and say so", () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--no-warnings", command, "run", "--preset", "paper-c", "-C", project("")],
      { encoding: "utf8" },
    );
    expect(status).toBe(2);
    expect(stderr).toContain("preset paper-c needs a model");
  });
});
