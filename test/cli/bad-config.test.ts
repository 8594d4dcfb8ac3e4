import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../cli/config-file.ts";
import type { BilevelError } from "../../core/index.ts";
import { configSource } from "../support/config-source.ts";
import { emptyFolder } from "../support/run.ts";

const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;
const bilevel = (...args: string[]) =>
  spawnSync(process.execPath, ["--no-warnings", command, ...args], { encoding: "utf8" });

const parameter = (text: string) => ({ space: `{ parameters: { LR: ${text}, N: { type: "int", min: 1, max: 8 } } }` });
const task = (text: string) => ({ task: `{ folder: ".", command: ["node", "x.js"], ${text} }` });

/** What is wrong, and what the message says: where, what was received, what is allowed, what was probably meant. */
const cases: [
  name: string,
  parts: Record<string, string>,
  expected: { code?: string; path?: string; received?: string; allowed?: string; hint?: string },
][] = [
  [
    "a misspelt key",
    { objectiv: "{}" },
    { path: "objectiv", received: "an unknown key", hint: "did you mean objective?" },
  ],
  [
    "no objective",
    { objective: "" },
    {
      path: "objective",
      received: "nothing",
      allowed: 'what is measured, such as { metric: "loss", direction: "minimize" }',
    },
  ],
  [
    "no evaluator",
    { evaluator: "" },
    {
      path: "evaluator",
      received: "nothing",
      allowed: 'what runs the trials, such as evaluateProcess(), in YAML { use: "bilevel#evaluateProcess" }',
    },
  ],
  [
    "no metric",
    { objective: '{ direction: "minimize" }' },
    { path: "objective.metric", received: "nothing", allowed: "string: its name, as the program prints it" },
  ],
  [
    "no direction",
    { objective: '{ metric: "loss" }' },
    { path: "objective.direction", received: "nothing", allowed: '"minimize", "maximize"' },
  ],
  [
    "a wrong direction",
    { objective: '{ metric: "loss", direction: "min" }' },
    { path: "objective.direction", received: '"min" (string)', allowed: '"minimize", "maximize"' },
  ],
  [
    "a metric that is no text",
    { objective: '{ metric: 3, direction: "minimize" }' },
    { path: "objective.metric", received: "3 (number)", allowed: "string" },
  ],
  [
    "a target as text",
    { objective: '{ metric: "loss", direction: "minimize", target: "2" }' },
    { path: "objective.target", received: '"2" (string)', allowed: "number" },
  ],
  [
    "a limit that is misspelt",
    { objective: '{ metric: "loss", direction: "minimize", limits: { mem: { maxi: 3 } } }' },
    { path: "objective.limits.mem.maxi", hint: "did you mean max?" },
  ],
  [
    "a limit without an end",
    { objective: '{ metric: "loss", direction: "minimize", limits: { mem: {} } }' },
    { path: "objective.limits.mem", received: "{} (object)", allowed: "min or max" },
  ],
  [
    "a noise that is not none",
    { objective: '{ metric: "loss", direction: "minimize", noise: "low" }' },
    { path: "objective.noise", received: '"low" (string)', allowed: '"none"' },
  ],
  [
    "a target that is never reached",
    { objective: '{ metric: "loss", direction: "minimize", target: -Infinity }' },
    { path: "objective.target", received: "-Infinity (number)", allowed: "a finite number" },
  ],
  [
    "a check that is no command",
    { objective: '{ metric: "loss", direction: "minimize", check: [] }' },
    { path: "objective.check", received: "[] (array)", allowed: "a list of 1 or more" },
  ],
  [
    "a check of an empty word",
    { objective: '{ metric: "loss", direction: "minimize", check: [""] }' },
    { path: "objective.check[0]", received: '"" (string)', allowed: "a text of 1 character or more" },
  ],
  [
    "a name that is no folder's",
    { name: '"a/b"' },
    { path: "name", received: '"a/b" (string)', allowed: expect.stringContaining("letters, digits, dots") as string },
  ],
  ["no evaluator", { evaluator: "" }, { path: "evaluator", received: "nothing" }],
  [
    "an evaluator that was not called",
    { evaluator: "evaluateProcess" },
    { code: "E_PLUGIN_INVALID", path: "evaluator", hint: "call it: add ()" },
  ],
  ["an evaluator that is no plugin", { evaluator: "{ module: 'x' }" }, { code: "E_PLUGIN_INVALID", path: "evaluator" }],
  [
    "a plugin for another contract",
    { evaluator: '{ name: "old", contract: 2 }' },
    { code: "E_PLUGIN_INVALID", path: "evaluator", received: "contract 2 (number)", allowed: "contract 1" },
  ],
  [
    "an unknown option",
    { evaluator: "evaluateFunction({ functon: () => 1 })" },
    { code: "E_OPTIONS_INVALID", path: "evaluator.functon", hint: "did you mean function?" },
  ],
  [
    "an option of the wrong type",
    { evaluator: "evaluateProcess({ limitSeconds: '900' })" },
    { code: "E_OPTIONS_INVALID", path: "evaluator.limitSeconds", received: '"900" (string)', allowed: "number" },
  ],
  [
    "an option out of range",
    { evaluator: "evaluateProcess({ limitSeconds: 0 })" },
    { code: "E_OPTIONS_INVALID", path: "evaluator.limitSeconds", received: "0 (number)", allowed: "more than 0" },
  ],
  [
    "slots as text",
    { levels: '[innerLoop({ slots: "two" })]' },
    { code: "E_OPTIONS_INVALID", path: "levels[0].slots", received: '"two" (string)', allowed: "integer (default 1)" },
  ],
  [
    "no slot",
    { levels: "[innerLoop({ slots: 0 })]" },
    { code: "E_OPTIONS_INVALID", path: "levels[0].slots", received: "0 (number)", allowed: "1 or more (default 1)" },
  ],
  [
    "half a slot",
    { levels: "[innerLoop({ slots: 1.5 })]" },
    { code: "E_OPTIONS_INVALID", path: "levels[0].slots", received: "1.5 (number)" },
  ],
  [
    "a misspelt option of a level",
    { levels: "[innerLoop({ slot: 2 })]" },
    { code: "E_OPTIONS_INVALID", path: "levels[0].slot", hint: "did you mean slots?" },
  ],
  [
    "what an outer level cannot change",
    { levels: '[innerLoop(), outerLoop({ changes: "polices" })]' },
    {
      code: "E_OPTIONS_INVALID",
      path: "levels[1].changes",
      received: '"polices" (string)',
      allowed: '"policy", "mechanisms" (default "mechanisms")',
    },
  ],
  [
    "an outer level that looks never",
    { levels: "[innerLoop(), outerLoop({ every: 0 })]" },
    { code: "E_OPTIONS_INVALID", path: "levels[1].every", received: "0 (number)" },
  ],
  ["no level", { levels: "[]" }, { path: "levels", received: "[] (array)" }],
  ["levels that are no list", { levels: "innerLoop()" }, { path: "levels", allowed: "array" }],
  [
    "a level that was not called",
    { levels: "[innerLoop]" },
    { code: "E_PLUGIN_INVALID", path: "levels[0]", hint: "call it: add ()" },
  ],
  [
    "a plugin among the levels",
    { levels: "[innerLoop(), tabu()]" },
    { code: "E_PLUGIN_INVALID", path: "levels[1]", allowed: "innerLoop() or outerLoop()" },
  ],
  ["an outer level first", { levels: "[outerLoop(), innerLoop()]" }, { path: "levels[0]", allowed: "innerLoop()" }],
  [
    "two inner loops",
    { levels: '[innerLoop(), innerLoop({ name: "b" })]' },
    { path: "levels[1]", allowed: "outerLoop()" },
  ],
  [
    "two levels of one name",
    { levels: "[innerLoop(), outerLoop(), outerLoop()]" },
    { path: "levels[2]", hint: 'give it another: outerLoop({ name: "…" })' },
  ],
  [
    "a level that changes one that is not there",
    { levels: '[innerLoop(), outerLoop({ of: "iner" })]' },
    { path: "levels[1].of", received: '"iner" (string)', allowed: "inner", hint: "did you mean inner?" },
  ],
  [
    "a mechanism that was not called",
    { plugins: "[tabu]" },
    { code: "E_PLUGIN_INVALID", path: "plugins[0]", hint: "call it: add ()" },
  ],
  [
    "a mechanism's option out of range",
    { plugins: "[tabu({ tenure: 0 })]" },
    { code: "E_OPTIONS_INVALID", path: "plugins[0].tenure", received: "0 (number)", allowed: "1 or more (default 7)" },
  ],
  [
    "a misspelt option of a mechanism",
    { plugins: "[tabu({ tenur: 3 })]" },
    { code: "E_OPTIONS_INVALID", path: "plugins[0].tenur", hint: "did you mean tenure?" },
  ],
  [
    "a proposer's option",
    { proposer: "proposeLocal({ step: 2 })" },
    { code: "E_OPTIONS_INVALID", path: "proposer.step", received: "2 (number)", allowed: "1 or less (default 0.12)" },
  ],
  [
    "a selector's option",
    { selector: 'selectImprovement({ measurements: "3" })' },
    { code: "E_OPTIONS_INVALID", path: "selector.measurements", received: '"3" (string)' },
  ],
  ["no budget", { budget: "" }, { path: "budget", received: "nothing" }],
  ["a misspelt budget", { budget: "{ trails: 10 }" }, { path: "budget.trails", hint: "did you mean trials?" }],
  [
    "half a trial",
    { budget: "{ trials: 1.5 }" },
    { path: "budget.trials", received: "1.5 (number)", allowed: "integer" },
  ],
  [
    "no time at all",
    { budget: "{ hours: 0 }" },
    { path: "budget.hours", received: "0 (number)", allowed: "more than 0" },
  ],
  ["a task without a command", { task: '{ folder: "." }' }, { path: "task.command", received: "nothing" }],
  [
    "a command as one text",
    { task: '{ folder: ".", command: "python train.py" }' },
    { path: "task.command", received: '"python train.py" (string)', allowed: "array" },
  ],
  [
    "values by an unknown way",
    task('values: { via: "arg" }'),
    {
      path: "task.values.via",
      received: '"arg" (string)',
      allowed: '"constants", "env", "args", "json"',
      hint: "did you mean args?",
    },
  ],
  [
    "values by no way",
    task("values: {}"),
    { path: "task.values.via", received: "nothing", allowed: '"constants", "env", "args", "json"' },
  ],
  ["constants without a file", task('values: { via: "constants" }'), { path: "task.values.file", received: "nothing" }],
  [
    "a seed by an unknown way",
    task("seed: { constnt: 'SEED' }"),
    {
      path: "task.seed",
      received: '{"constnt":"SEED"} (object)',
      allowed: '"none", { constant: "SEED" }, { env: "SEED" } or { arg: "seed" }',
    },
  ],
  [
    "an empty space",
    { space: "{ parameters: {} }" },
    { code: "E_SPACE_INVALID", path: "space.parameters", received: "no parameter" },
  ],
  [
    "an unknown type of parameter",
    parameter('{ type: "real", min: 0, max: 1 }'),
    {
      path: "space.parameters.LR.type",
      received: '"real" (string)',
      allowed: '"float", "int", "bool", "choice", "tuple"',
    },
  ],
  [
    "a parameter without its end",
    parameter('{ type: "float", min: 0 }'),
    { path: "space.parameters.LR.max", received: "nothing" },
  ],
  [
    "a parameter with its end misspelt",
    parameter('{ type: "float", min: 0, mx: 1 }'),
    { path: "space.parameters.LR.max", received: "nothing", hint: "mx is not known here: did you mean max?" },
  ],
  [
    "an end that is no number",
    parameter('{ type: "float", min: NaN, max: 1 }'),
    { path: "space.parameters.LR.min", received: "NaN (number)", allowed: "a finite number" },
  ],
  [
    "ends that leave no room",
    parameter('{ type: "float", min: 1, max: 1 }'),
    { code: "E_SPACE_INVALID", path: "space.parameters.LR.max", received: "1", allowed: "more than min, 1" },
  ],
  [
    "a log scale from 0",
    parameter('{ type: "float", min: 0, max: 1, scale: "log" }'),
    { code: "E_SPACE_INVALID", path: "space.parameters.LR.min", received: "0", allowed: "more than 0" },
  ],
  [
    "powers of two that are none",
    parameter('{ type: "int", min: 3, max: 64, scale: "pow2" }'),
    { code: "E_SPACE_INVALID", path: "space.parameters.LR", received: "min 3, max 64" },
  ],
  [
    "ends that are too far apart",
    parameter('{ type: "float", min: -1.7e308, max: 1.7e308 }'),
    { code: "E_SPACE_INVALID", path: "space.parameters.LR", received: "min -1.7e+308, max 1.7e+308" },
  ],
  [
    "a step beyond the end",
    parameter('{ type: "int", min: 4, max: 10, step: 100 }'),
    { code: "E_SPACE_INVALID", path: "space.parameters.LR.step", received: "100", allowed: "max - min, 6, or less" },
  ],
  [
    "a step between powers of two",
    parameter('{ type: "int", min: 4, max: 16, scale: "pow2", step: 2 }'),
    { code: "E_SPACE_INVALID", path: "space.parameters.LR.step", received: "2", allowed: "nothing: leave it out" },
  ],
  [
    "a misspelt key of a parameter",
    parameter('{ type: "float", min: 0, max: 1, defualt: 0.5 }'),
    { path: "space.parameters.LR.defualt", hint: "did you mean default?" },
  ],
  [
    "a default out of range",
    parameter('{ type: "float", min: 0, max: 1, default: 2 }'),
    { code: "E_SPACE_INVALID", path: "space.parameters.LR.default", received: "2" },
  ],
  [
    "a choice of nothing",
    parameter('{ type: "choice", values: [] }'),
    { path: "space.parameters.LR.values", received: "[] (array)" },
  ],
  [
    "a choice of one value twice",
    parameter('{ type: "choice", values: [1, "a", 1] }'),
    { code: "E_SPACE_INVALID", path: "space.parameters.LR.values[2]", received: "1", allowed: "each value once" },
  ],
  [
    "a choice of null",
    parameter('{ type: "choice", values: [0.01, null] }'),
    {
      path: "space.parameters.LR.values[1]",
      received: "null (null)",
      allowed: "number or string or boolean or array",
    },
  ],
  [
    "a choice of what no program could be given",
    parameter('{ type: "choice", values: [0.01, [{ a: 1 }]] }'),
    {
      path: "space.parameters.LR.values[1][0]",
      received: '{"a":1} (object)',
      allowed: "number or string or boolean or array",
    },
  ],
  [
    "a space of one point",
    { space: '{ parameters: { LR: { type: "choice", values: [0.1] } } }' },
    { code: "E_SPACE_INVALID", path: "space.parameters", received: "one value in all", allowed: "two or more" },
  ],
  [
    "a condition on what is not there",
    parameter('{ type: "bool", when: { M: [1] } }'),
    { code: "E_SPACE_INVALID", path: "space.parameters.LR.when.M", allowed: "N" },
  ],
  [
    "a condition that can never hold",
    parameter('{ type: "bool", when: { N: [9] } }'),
    { code: "E_SPACE_INVALID", path: "space.parameters.LR.when.N", received: "9" },
  ],
  [
    "conditions in a circle",
    {
      space:
        '{ parameters: { A: { type: "bool", when: { B: [true] } }, B: { type: "bool", when: { C: [true] } }, C: { type: "bool", when: { B: [true] } } } }',
    },
    { code: "E_SPACE_INVALID", path: "space.parameters.B.when", received: "B hangs on C, and C on B" },
  ],
  [
    "conditions that cannot hold at once",
    {
      space:
        '{ parameters: { A: { type: "bool", when: { B: [true], C: [1] } }, B: { type: "bool", when: { C: [2, 3] } }, C: { type: "int", min: 1, max: 4 } } }',
    },
    { code: "E_SPACE_INVALID", path: "space.parameters.A.when", received: "1, and 2 or 3 for B" },
  ],
  [
    "a baseline against the constraints",
    {
      space:
        '{ parameters: { A: { type: "int", min: 1, max: 8, default: 8 } }, constraints: [({ A }) => A < 5 || "A is too large"] }',
    },
    { code: "E_SPACE_INVALID", path: "space", allowed: "defaults that meet every constraint" },
  ],
];

describe("a bad config is answered with where, what was received and what is allowed", () => {
  for (const [name, parts, { code = "E_CONFIG_INVALID", path, ...details }] of cases)
    it(name, async () => {
      const folder = emptyFolder();
      writeFileSync(join(folder, "bilevel.config.ts"), configSource(parts));
      const error = (await loadConfig(folder).catch((thrown: unknown) => thrown)) as BilevelError;
      expect(error).toMatchObject({ code, exitCode: 2, details });
      expect(error.details.path).toBe(`bilevel.config.ts › ${path}`);
    });
});

it("the command prints it without a stack and ends with 2", () => {
  const folder = emptyFolder();
  writeFileSync(join(folder, "bilevel.config.ts"), configSource({ levels: '[innerLoop({ slots: "two" })]' }));
  for (const verb of ["run", "config", "resume"]) {
    const { status, stderr, stdout } = bilevel(verb, "-C", folder);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toBe(
      'E_OPTIONS_INVALID  bilevel.config.ts › levels[0].slots\n  problem   is not allowed\n  received  "two" (string)\n  allowed   integer (default 1)\n',
    );
  }
});
