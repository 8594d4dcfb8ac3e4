import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../cli/config-file.ts";
import { configSource } from "../support/config-source.ts";
import { emptyFolder } from "../support/run.ts";

const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;
const bilevel = (...args: string[]) =>
  spawnSync(process.execPath, ["--no-warnings", command, ...args], { encoding: "utf8" });

describe("a config file", () => {
  const files: [name: string, file: string, text: string, expected: object][] = [
    ["that is empty", "bilevel.config.yaml", "", { code: "E_CONFIG_INVALID", message: "the file is empty" }],
    [
      "of JavaScript that fails when it is loaded",
      "bilevel.config.mjs",
      'import "node:fs"; throw Object.assign(new Error("no such data"), { code: "ENOENT" });',
      { code: "E_CONFIG_UNREADABLE", message: "no such data" },
    ],
    [
      "without a default export",
      "bilevel.config.ts",
      "export const config = {};",
      { code: "E_CONFIG_INVALID", details: { hint: "export default defineConfig({ … })" } },
    ],
    [
      "that exports a number",
      "bilevel.config.mjs",
      "export default 3;",
      { code: "E_CONFIG_INVALID", details: { received: "3 (number)" } },
    ],
    [
      "of YAML with a plugin that is not installed",
      "bilevel.config.yaml",
      "objective: { metric: loss, direction: minimize }\nevaluator: { use: bilevel-evaluator-nowhere }\nlevels: []\nbudget: {}",
      {
        code: "E_PLUGIN_MISSING",
        details: { path: "bilevel.config.yaml › evaluator", hint: "npm install bilevel-evaluator-nowhere" },
      },
    ],
    [
      "of JSON with a plugin by a wrong path",
      "bilevel.config.json",
      '{ "levels": [{ "use": "./nowhere.ts" }] }',
      {
        code: "E_PLUGIN_MISSING",
        details: { path: "bilevel.config.json › levels[0]", hint: "the path is relative to the config file" },
      },
    ],
    [
      "that extends what stands over a config",
      "bilevel.config.json",
      '{ "extends": "paper-a" }',
      {
        code: "E_CONFIG_INVALID",
        details: { hint: "leave it out here, and give it to the command: bilevel run --preset paper-a" },
      },
    ],
    [
      "that extends what is not there",
      "bilevel.config.json",
      '{ "extends": "quikstart" }',
      { code: "E_PLUGIN_MISSING" },
    ],
    ...["3", '["bilevel"]', "null"].map((base): [string, string, string, object] => [
      `that extends ${base}`,
      "bilevel.config.json",
      `{ "extends": ${base} }`,
      { code: "E_CONFIG_INVALID", details: { path: "bilevel.config.json › extends" } },
    ]),
    [
      "of YAML with a constraint",
      "bilevel.config.yaml",
      "extends: bilevel\nspace: { constraints: ['LR < 0.5'] }",
      {
        code: "E_SPACE_INVALID",
        message: "a constraint is a function",
        details: {
          path: "bilevel.config.yaml › space.constraints[0]",
          received: '"LR < 0.5" (string)',
          hint: "write the config in TypeScript or JavaScript: docs/config.md",
        },
      },
    ],
  ];
  for (const [name, file, text, expected] of files)
    it(name, async () => {
      const folder = emptyFolder();
      writeFileSync(join(folder, file), text);
      await expect(loadConfig(folder)).rejects.toMatchObject(expected);
    });

  const syntax: [file: string, text: string, place: string, problem: string][] = [
    ["bilevel.config.ts", "export default {\n  budget: ,\n};", "bilevel.config.ts:2", "Expression expected"],
    ["bilevel.config.mjs", "export default {\n  budget: ,\n};", "bilevel.config.mjs:2", "Unexpected token ','"],
    ["bilevel.config.yaml", "levels: [1\nbudget: 2\n", "bilevel.config.yaml", "deficient indentation (2:1)"],
    [
      "bilevel.config.json",
      '{ "levels": [],\n}',
      "bilevel.config.json",
      "Expected double-quoted property name in JSON at position 16 (line 2 column 1)",
    ],
    ["package.json", "{", "package.json", "Expected property name or '}' in JSON at position 1 (line 1 column 2)"],
  ];
  it.each(syntax)("with a mistake in its syntax is told where and which: %s", (file, text, place, problem) => {
    const folder = emptyFolder();
    writeFileSync(join(folder, file), text);
    const { status, stderr } = bilevel("config", "-C", folder);
    expect(status).toBe(2);
    expect(stderr).toContain(`E_CONFIG_UNREADABLE  ${join(folder, place)}\n  problem   ${problem}\n`);
  });

  it("elsewhere is not looked for while the package.json where one stands is broken", () => {
    const [here, elsewhere] = [emptyFolder(), emptyFolder()];
    writeFileSync(join(here, "package.json"), "{");
    writeFileSync(join(elsewhere, "bilevel.config.ts"), configSource({}));
    const { status, stderr } = spawnSync(process.execPath, [command, "config", "-C", elsewhere], {
      encoding: "utf8",
      cwd: here,
    });
    expect(status).toBe(2);
    expect(stderr).toContain(`E_CONFIG_UNREADABLE  ${join(here, "package.json")}\n`);
  });

  it("of TypeScript is a module, whatever the folder's package.json says", () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, "package.json"), '{ "type": "commonjs" }');
    writeFileSync(join(folder, "bilevel.config.ts"), configSource({}));
    const { status, stderr } = bilevel("config", "-C", folder);
    expect([status, stderr]).toEqual([0, ""]);
  });

  it("that is not there, here or by name", async () => {
    await expect(loadConfig(emptyFolder())).rejects.toMatchObject({ code: "E_CONFIG_MISSING" });
    await expect(loadConfig(emptyFolder(), "other.ts")).rejects.toMatchObject({ code: "E_CONFIG_MISSING" });
  });

  it("in JSON names its plugins by package and export, with options", async () => {
    const folder = emptyFolder();
    mkdirSync(join(folder, "mine"));
    writeFileSync(
      join(folder, "mine", "stop.mjs"),
      "export default (options) => ({ name: 'stop', contract: 1, options });",
    );
    writeFileSync(
      join(folder, "bilevel.config.json"),
      JSON.stringify({
        extends: "bilevel",
        objective: { metric: "loss", direction: "minimize" },
        evaluator: { use: "bilevel#evaluateProcess", options: { limitSeconds: 9 } },
        plugins: [{ use: "./mine/stop.mjs", options: { after: 3 } }],
        budget: { trials: 3 },
      }),
    );
    const { config, origins } = await loadConfig(folder);
    expect(config.evaluator).toMatchObject({ name: "evaluate-process", options: { limitSeconds: 9, graceSeconds: 5 } });
    expect(config.plugins?.[0]).toMatchObject({ name: "stop", options: { after: 3 } });
    expect(config.levels.map(({ name }) => name)).toEqual(["inner", "policy", "research"]);
    expect(origins).toMatchObject({ levels: "preset bilevel", "budget.trials": "bilevel.config.json" });
  });
});

it("in a clone is given the sources, whatever was compiled there before", () => {
  const clone = emptyFolder();
  const files = {
    "package.json": '{ "name": "bilevel", "type": "module", "exports": { ".": "./dist/index.js" } }',
    "index.ts": 'export default "sources";',
    "dist/index.js": 'export default "compiled";',
    "examples/one/config.ts": 'import from from "bilevel"; console.log(from);',
    "start.ts":
      'import { provideOwnPackage } from "./plugins/own-package/index.ts"; provideOwnPackage(); await import("./examples/one/config.ts");',
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(clone, path, ".."), { recursive: true });
    writeFileSync(join(clone, path), text);
  }
  cpSync(new URL("../../plugins/own-package", import.meta.url), join(clone, "plugins", "own-package"), {
    recursive: true,
  });
  const { stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", join(clone, "start.ts")], {
    encoding: "utf8",
  });
  expect({ stdout, stderr }).toEqual({ stdout: "sources\n", stderr: "" });
});
