import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quantile } from "../kit/index.ts";
import type { Revealed } from "../cli/demo-screen.ts";
import { countOf, flagsOf } from "./flags.ts";

/** How often `bilevel demo` names all four right, and how long it takes, through its real command line: bench:demo [--json] [--seeds N] [--beside N]. */
const flags = flagsOf({
  json: { type: "boolean" },
  seeds: { type: "string", default: "100" },
  beside: { type: "string", default: "1" },
});
const command = new URL("../cli/bilevel.js", import.meta.url).pathname;

interface Shown {
  seed: string;
  trials: number;
  revealed: Revealed[];
}

function show(seed: number): Promise<Shown & { seconds: number }> {
  const folder = mkdtempSync(join(tmpdir(), "bilevel-demo-"));
  const started = performance.now();
  const child = spawn(
    process.execPath,
    ["--no-warnings", command, "demo", "--json", "--seed", String(seed), "-C", folder],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let told = "";
  child.stdout.on("data", (chunk: Buffer) => (told += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on("close", (code) => {
      const seconds = (performance.now() - started) / 1000;
      rmSync(folder, { recursive: true, force: true });
      if (code !== 0) reject(new Error(`seed ${seed} ended with ${code}`));
      else resolve({ ...(JSON.parse(told) as Shown), seconds });
    });
  });
}

const waiting = Array.from({ length: countOf("seeds", flags.seeds) }, (_, index) => index + 1);
const done: (Shown & { seconds: number })[] = [];
await Promise.all(
  Array.from({ length: countOf("beside", flags.beside) }, async () => {
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) done.push(await show(seed));
  }),
);

const wrong = done.flatMap(({ seed, revealed }) =>
  revealed.filter(({ right }) => !right).map(({ letter, role, said }) => `seed ${seed}: ${letter}, ${role}: ${said}`),
);
const share = (role: string): number =>
  done.filter(({ revealed }) => revealed.some((one) => one.role === role && one.right)).length / done.length;
const seconds = done.map((one) => one.seconds);
const figures = {
  demoRight: done.filter(({ revealed }) => revealed.every(({ right }) => right)).length / done.length,
  helps: share("helps"),
  harms: share("harms"),
  placebo: share("placebo"),
  inert: share("inert"),
  medianTrials: quantile(
    done.map(({ trials }) => trials),
    0.5,
  ),
  medianSeconds: Number(quantile(seconds, 0.5).toFixed(1)),
  longestSeconds: Number(Math.max(...seconds).toFixed(1)),
};
if (flags.json) console.log(JSON.stringify(figures));
else {
  for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(16)} ${value}`);
  for (const line of wrong) console.log(`  ${line}`);
}
