import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sound } from "../../support/author.ts";
import { modelServer, sensible } from "../../support/model-server.ts";
import { emptyFolder } from "../../support/run.ts";

const command = new URL("../../../cli/bilevel.js", import.meta.url).pathname;

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
        const child = spawn(
          process.execPath,
          ["--no-warnings", command, "run", "--preset", `paper-${group}`, "-C", project(server.url)],
          { stdio: ["ignore", "pipe", "pipe"] },
        );
        let [out, error] = ["", ""];
        child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
        child.stderr.on("data", (chunk: Buffer) => (error += chunk.toString()));
        const status = await new Promise((resolve) => child.once("exit", resolve));
        await server.close();
        check([status, error]).toEqual([0, ""]);
        check(out).toContain("end: the budget of 30 trials is used up");
        check(out).not.toContain("DEPTH");
        for (const purpose of purposes) check(server.asked.some((one) => one.purpose === purpose)).toBe(true);
        check(out).toMatch(/model: \d+ proposed, \d+ kept, [\d,]+ tokens; search: \d+ proposed/);
        if (purposes.includes("generate"))
          check(out).toMatch(/mechanisms: \d+ written, \d+ admitted, \d+ live, \d+ called, [1-9]\d* kept/);
      },
      120_000,
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
