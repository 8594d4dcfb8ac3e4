import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { Fact, Outcome, Plugin, Trial } from "../../core/index.ts";
import { execute, journalFile, readJournal, resolveConfig } from "../../core/index.ts";
import { evaluateRay, type EvaluateRayOptions } from "../../plugins/evaluate-ray/index.ts";
import { innerLoop } from "../../plugins/inner-loop/index.ts";
import { programConfig, type Program } from "./process-run.ts";
import { emptyFolder } from "./run.ts";

export interface RayProgram extends Omit<Program, "options"> {
  address: string;
  options?: EvaluateRayOptions;
  slots?: number;
  trials?: number;
}

/** Runs a program's trials on a cluster: the baseline with X = 0, then X = 1, 2 … */
export function startRay({ address, options, slots = 1, trials = 1, config, ...program }: RayProgram) {
  const evaluator = evaluateRay({ address, mode: "jobs", graceSeconds: 1, ...options });
  const levels = [innerLoop({ slots, confirm: 0 })];
  const { home, config: whole } = programConfig({
    ...program,
    config: { evaluator, levels, budget: { trials }, ...config },
  });
  const folder = join(home, "run");
  const stop = new AbortController();
  const ended = execute(resolveConfig(whole, join(home, "bilevel.config.ts")), folder, { signal: stop.signal });
  ended.catch(() => undefined); // looked at later
  return { home, folder, stop, ended, facts: () => factsOf(folder) };
}

/** The same to its end. */
export async function runRay(program: RayProgram) {
  const started = startRay(program);
  const end = await started.ended;
  const trials: Trial[] = [...(end.levels.get("inner")?.trials ?? [])];
  return { ...started, end, trials, outcomes: trials.map(({ outcome }) => outcome as Outcome) };
}

const factsOf = (folder: string): readonly Fact[] =>
  existsSync(journalFile(folder)) ? readJournal(journalFile(folder)).facts : [];

/** The outcomes in a journal, those that were owed again among them. */
export const outcomesIn = (facts: readonly Fact[]): (Outcome & { trial: number })[] =>
  facts
    .filter(({ type }) => type === "outcome")
    .map(({ trial, outcome }) => ({ ...(outcome as Outcome), trial: trial as number }));

/** The job of a trial, as it was journaled last. */
export function jobIn(facts: readonly Fact[], trial: number): string | undefined {
  const fact = facts.findLast((one) => one.type === "handle" && one.trial === trial);
  return fact?.volatile?.job as string | undefined;
}

/** A folder with a config and a program for the command line, whose trials note when they start and end. */
export function rayProject(
  home: string,
  address: string,
  { slots = 1, trials = 2, seconds = 1, options = {} } = {},
): void {
  mkdirSync(join(home, "task"));
  writeFileSync(join(home, "task", "train.js"), notingProgram(join(home, "notes"), seconds));
  writeFileSync(
    join(home, "bilevel.config.ts"),
    `import { defineConfig, evaluateRay, innerLoop } from "bilevel";
const counting = { name: "counting", contract: 1, apply: (taps) => taps.propose("SOURCE", (draft, turn) => ({ ...draft, by: "counting", candidate: { values: { X: turn.number } } })) };
export default defineConfig({
  task: { folder: "task", command: ["node", "train.js"], values: { via: "constants", file: "train.js" }, seed: "none" },
  objective: { metric: "loss", direction: "minimize" },
  space: { parameters: { X: { type: "int", min: 0, max: 1000, default: 0 } } },
  evaluator: evaluateRay(${JSON.stringify({ address, mode: "jobs", graceSeconds: 1, ...options })}),
  proposer: counting,
  levels: [innerLoop({ slots: ${slots}, confirm: 0 })],
  budget: { trials: ${trials} },
});`,
  );
}

/** The baseline ends at once; the other trials take their time. Each start and end is a line in the file of notes. */
export const notingProgram = (notes: string, seconds: number): string => `const X = 0;
const fs = require("fs");
const note = (what) => fs.appendFileSync(${JSON.stringify(notes)}, what + " " + X + "\\n");
note("start");
setTimeout(() => { note("end"); console.log("loss: " + (100 - X)); }, X === 0 ? 0 : ${seconds * 1000});
`;

/** The lines of the notes. */
export const notesIn = (home: string): string[] =>
  existsSync(join(home, "notes")) ? readFileSync(join(home, "notes"), "utf8").trim().split("\n") : [];

/** Waits for a line of the notes. */
export const noted = (home: string, line: string): Promise<void> =>
  expect.poll(() => notesIn(home), { timeout: 60_000, interval: 100 }).toContain(line);

/** A program that tells an intermediate value ten times a second, and ends by itself after a minute. */
export const reporting =
  "let step = 0; setInterval(() => { step++; console.log('progress ' + step + ' 5'); if (step > 600) { console.log('loss: 1'); process.exit() } }, 100)";

/** Stops every trial at its third intermediate value. */
export const stopper: Plugin = {
  name: "stopper",
  contract: 1,
  role: "mechanism",
  proposes: false,
  apply: (taps) => taps.progress((_, points) => (points.length >= 3 ? "stop" : undefined)),
};

/** A program whose trials say which GPUs they see, and end once so many of them have met. */
export const seeing = (count: number): string => `
    const { readdirSync, writeFileSync } = require("fs");
    const meeting = ${JSON.stringify(emptyFolder())};
    console.log("sees [" + process.env.CUDA_VISIBLE_DEVICES + "]");
    writeFileSync(meeting + "/" + X, "");
    setInterval(() => readdirSync(meeting).length >= ${count} && (console.log("loss: 1"), process.exit()), 100);`;
