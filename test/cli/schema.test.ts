import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { defaultLoaders } from "cosmiconfig";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../cli/config-file.ts";
import { emptyFolder } from "../support/run.ts";

const schema = JSON.parse(readFileSync(new URL("../../schema.json", import.meta.url), "utf8")) as object;
const check = new Ajv({ discriminator: true, strictTypes: false }).compile(schema);

const whole: Record<string, string> = {
  task: "{ folder: ., command: [node, train.js], values: { via: constants, file: train.js }, seed: none }",
  objective: "{ metric: loss, direction: minimize, limits: { mb: { max: 100 } } }",
  space: "{ parameters: { LR: { type: float, min: 0.01, max: 1, scale: log }, N: { type: int, min: 1, max: 8 } } }",
  evaluator: '{ use: "bilevel#evaluateProcess", options: { limitSeconds: 9 } }',
  levels:
    '[{ use: "bilevel#innerLoop", options: { slots: 2 } }, { use: "bilevel#outerLoop", options: { changes: policy } }]',
  budget: "{ trials: 10, hours: 1 }",
};
const yamlOf = (parts: Record<string, string | undefined>): string =>
  Object.entries({ ...whole, plugins: "[{ use: bilevel/mechanisms/tabu, options: { tenure: 3 } }]", ...parts })
    .flatMap(([key, text]) => (text === undefined ? [] : [`${key}: ${text}\n`]))
    .join("");

/** What an editor says by the schema, and what the command says. */
async function verdicts(yaml: string): Promise<[editor: boolean, command: boolean]> {
  const folder = emptyFolder();
  const file = join(folder, "bilevel.config.yaml");
  writeFileSync(file, yaml);
  const editor = check(defaultLoaders[".yaml"](file, yaml));
  const command = await loadConfig(folder).then(
    () => true,
    () => false,
  );
  return [editor, command];
}

describe("the schema of a config in YAML", () => {
  it.each<[string, Record<string, string | undefined>]>([
    ["everything", {}],
    ["a preset in the place of levels and plugins", { extends: "bilevel", levels: undefined, plugins: undefined }],
    ["a schema by its name", { $schema: "./.bilevel/schema.json" }],
    [
      "a seed in the environment",
      { task: "{ folder: ., command: [node, x.js], values: { via: env }, seed: { env: S } }" },
    ],
    [
      "a parameter that is fixed beside one that is not",
      { space: "{ parameters: { A: { type: choice, values: [adam] }, B: { type: float, min: 0, max: 1 } } }" },
    ],
    ["a name and a seed", { name: "first", seed: "whale" }],
    ["a command to check with", { objective: "{ metric: loss, direction: maximize, check: [npm, test] }" }],
    [
      "a condition",
      { space: "{ parameters: { A: { type: bool }, B: { type: float, min: 0, max: 1, when: { A: [true] } } } }" },
    ],
  ])("takes what the command takes: %s", async (_, parts) => {
    expect(await verdicts(yamlOf(parts))).toEqual([true, true]);
  });

  it.each<[string, Record<string, string | undefined>]>([
    ["a misspelt key", { objectiv: "{}" }],
    ["no objective", { objective: undefined }],
    ["no levels and no preset", { levels: undefined }],
    ["a wrong direction", { objective: "{ metric: loss, direction: down }" }],
    ["a command as one text", { task: "{ folder: ., command: node train.js }" }],
    ["values by an unknown way", { task: "{ folder: ., command: [node, x.js], values: { via: magic } }" }],
    ["an unknown type of parameter", { space: "{ parameters: { LR: { type: real, min: 0, max: 1 } } }" }],
    ["a misspelt key of a parameter", { space: "{ parameters: { LR: { type: float, mim: 0, max: 1 } } }" }],
    ["a choice of null", { space: "{ parameters: { A: { type: choice, values: [0.01, null] } } }" }],
    ["a limit without an end", { objective: "{ metric: loss, direction: minimize, limits: { mb: {} } }" }],
    ["a choice of objects", { space: "{ parameters: { LR: { type: choice, values: [0.1, { a: 1 }] } } }" }],
    ["no trial", { budget: "{ trials: 0 }" }],
    ["a misspelt budget", { budget: "{ trails: 3 }" }],
    ["no level", { levels: "[]" }],
    ["a misspelt word beside use", { plugins: "[{ use: bilevel/mechanisms/tabu, option: { tenure: 3 } }]" }],
    ["a plugin named by a number", { plugins: "[{ use: 3 }]" }],
    ["a name with a slash", { name: "a/b" }],
  ])("refuses what the command refuses: %s", async (_, parts) => {
    expect(await verdicts(yamlOf(parts))).toEqual([false, false]);
  });
});
