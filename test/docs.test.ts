import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { defaultLoaders } from "cosmiconfig";
import { loadConfig } from "../cli/config-file.ts";
import { revealLines } from "../cli/demo-screen.ts";
import { execute, type ResolvedConfig } from "../core/index.ts";

const root = new URL("../", import.meta.url).pathname;
// inside the repository, so that its packages are found; a copy of what the blocks name
mkdirSync(join(root, ".cache"), { recursive: true });
const folder = mkdtempSync(join(root, ".cache", "docs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const blocks = (file: string, language: string): string[] =>
  [
    ...readFileSync(join(root, "docs", file), "utf8").matchAll(
      new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"),
    ),
  ].map(([, code = ""]) => code);
const write = (name: string, text: string): string => {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
};
const load = async (name: string, text: string): Promise<ResolvedConfig> => {
  write(name, text);
  return loadConfig(folder, name);
};
const parameters = { X: { type: "float", min: 0, max: 1 }, Y: { type: "float", min: 0, max: 1 } };
const small = {
  objective: { metric: "loss", direction: "minimize", noise: "none" },
  space: { parameters },
  levels: [{ use: "bilevel#innerLoop" }],
  budget: { trials: 3 },
};
const byFunction = { use: "bilevel#evaluateFunction", options: { module: "./objective.js" } };
write("objective.js", "export default ({ X, Y }) => X + Y;");

it("docs/config.md and docs/plugins.md have no block of code that is not tried here", () => {
  const tried = { "config.md": ["ts", "ts", "yaml"], "plugins.md": ["json", "ts", "ts", "ts", "ts", "yaml"] };
  for (const [file, kinds] of Object.entries(tried)) {
    const text = readFileSync(join(root, "docs", file), "utf8");
    const opened = [...text.matchAll(/^```(\w+)$/gm)].map(([, kind = ""]) => kind);
    expect(opened.sort()).toEqual(kinds);
  }
});

it("what is TypeScript in them passes the compiler", () => {
  const files = ["config.md", "plugins.md"].flatMap((file) =>
    blocks(file, "ts").map((code, index) => write(`types/${file}-${index}.ts`, code)),
  );
  const settings = { extends: join(root, "tsconfig.json"), files, include: [] };
  const project = write("tsconfig.json", JSON.stringify(settings));
  try {
    execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", project], { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    expect.fail((error as { stdout: string }).stdout);
  }
}, 120_000);

describe("docs/config.md", () => {
  it.each([0, 1])("has configs of TypeScript that are taken (%i)", async (index) => {
    const { config } = await load(`config-${index}.ts`, blocks("config.md", "ts")[index] ?? "");
    expect(config.levels.length).toBeGreaterThan(1);
  });

  it("has an objective in TypeScript that runs", async () => {
    const resolved = await load("runs.ts", blocks("config.md", "ts")[1] ?? "");
    const { levels, reason } = await execute(resolved, join(folder, "run-objective"));
    expect(reason).toMatch(/trials|target|best/);
    expect(levels.get("inner")?.incumbent?.trial.id).toBeGreaterThan(0);
  });

  it("has a config of YAML that is taken, and whose first line names the schema that is then there", async () => {
    const { config } = await load("config.yaml", blocks("config.md", "yaml")[0] ?? "");
    expect(config.plugins?.[0]).toMatchObject({ name: "tabu", options: { tenure: 9 } });
    expect(JSON.parse(readFileSync(join(folder, ".bilevel", "schema.json"), "utf8"))).toHaveProperty("title");
  });
});

it("docs/why.md has a command for each wish, and names no verb that there is not", () => {
  const text = readFileSync(join(root, "docs/why.md"), "utf8");
  const rows = text.split("\n").filter((line) => /^\| (?!wish|---)/.test(line));
  expect(rows.length).toBeGreaterThan(10);
  const shownBy = rows.map((row) => row.split(" | ").at(-1) ?? "");
  expect(shownBy.filter((cell) => !/`(bilevel|npm|kill) /.test(cell))).toEqual([]);
  const readme = readFileSync(join(root, "README.md"), "utf8");
  for (const [verb] of text.matchAll(/(?<=`)bilevel [a-z]+/g)) expect(readme).toContain(`| \`${verb}`);
});

it("the demo, its picture and docs/how-mechanisms-are-judged.md tell one rate of runs that name all four right", () => {
  const [page, picture] = ["how-mechanisms-are-judged.md", "demo.svg"].map((file) =>
    readFileSync(join(root, "docs", file), "utf8"),
  );
  const [, seeds, right] =
    /bench:demo -- --seeds (\d+)`[^]*?all four are named\s+right in (\d+)/.exec(page ?? "") ?? [];
  const rate = `expect all four in ${Math.round((100 * Number(right)) / Number(seeds))} of 100 runs`;
  expect(revealLines([], "run-1").join("\n")).toContain(rate);
  expect(picture).toContain(rate);
});

describe("docs/plugins.md", () => {
  const [stepBack = "", anything = "", sum = "", announce = ""] = blocks("plugins.md", "ts");

  it("has a mechanism, a proposer, an evaluator and a watcher that run together", async () => {
    for (const [name, code] of Object.entries({ "step-back": stepBack, anything, sum, announce }))
      write(`${name}.ts`, code);
    const config = {
      ...small,
      evaluator: { use: "./sum.ts", options: { offset: 1 } },
      proposer: { use: "./anything.ts" },
      plugins: [{ use: "./step-back.ts", options: { every: 2 } }, { use: "./announce.ts" }],
    };
    const end = await execute(await load("plugins.json", JSON.stringify(config)), join(folder, "run-plugins"));
    const trials = [...(end.levels.get("inner")?.trials ?? [])];
    expect(trials.map(({ by }) => by)).toEqual(["baseline", ...Array<string>(3).fill("propose-anything")]);
    expect(trials.every(({ outcome }) => outcome?.status === "measured" && outcome.metric >= 1)).toBe(true);
  });

  it("has the package.json of the example, and names it in YAML as it is named", async () => {
    const shown = JSON.parse(blocks("plugins.md", "json")[0] ?? "") as Record<string, unknown>;
    const real = JSON.parse(readFileSync(join(root, "examples/community-mechanism/package.json"), "utf8")) as object;
    expect(real).toMatchObject(shown);
    for (const [kind, name] of [
      ["mechanism", "cooling"],
      ["proposer", "halton"],
    ] as const)
      cpSync(join(root, `examples/community-${kind}`), join(folder, `node_modules/bilevel-${kind}-${name}`), {
        recursive: true,
      });
    write("step-back.ts", stepBack);
    const yaml = blocks("plugins.md", "yaml")[0] ?? "";
    const named = defaultLoaders[".yaml"]("plugins.yaml", yaml) as object;
    const { config } = await load("named.json", JSON.stringify({ ...small, evaluator: byFunction, ...named }));
    expect(config.proposer).toMatchObject({ name: "halton" });
    expect(config.plugins?.map(({ name, options }) => [name, options])).toEqual([
      ["cooling", { cooling: 0.8 }],
      ["step-back", { every: 4 }],
    ]);
  });
});
