import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { compiled, kernels } from "./support/kernels.ts";

const root = new URL("..", import.meta.url).pathname;
const lines = (path: string): number => readFileSync(root + path, "utf8").split("\n").length - 1;
const tracked = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.ts"], { cwd: root, encoding: "utf8" })
  .trim()
  .split("\n");

/** What the README links to and the package leaves out. */
const examplesOfTheRepository = ["community-mechanism", "karpathy-surrogate", "ray"].map((name) => `examples/${name}`);

describe("the house", () => {
  it("has a core of at most 12 files and 2,700 lines", () => {
    const files = readdirSync(`${root}core`);
    expect(files.length).toBeLessThanOrEqual(12);
    expect(files.reduce((sum, file) => sum + lines(`core/${file}`), 0)).toBeLessThanOrEqual(2700);
  });

  it("has no source file of more than 500 lines", () => {
    expect(tracked.filter((file) => lines(file) > 500)).toEqual([]);
  });

  it("lets imports go one way, without a cycle", () => {
    const cruiser = `${root}node_modules/.bin/depcruise`;
    const told = execFileSync(
      cruiser,
      ["--output-type", "err", "core", "kit", "plugins", "presets", "cli", "ray-node-client"],
      {
        cwd: root,
        encoding: "utf8",
      },
    );
    expect(told).toContain("no dependency violations found");
  }, 60_000);

  it("has kernels in WebAssembly that are what their sources compile to", () => {
    for (const one of kernels) expect(readFileSync(one.target).equals(compiled(one))).toBe(true);
  }, 60_000);

  it("is published with the Python that runs on a cluster, and with what the demos need", () => {
    const told = execFileSync("npm", ["pack", "--dry-run", "--ignore-scripts", "--json"], {
      cwd: root,
      encoding: "utf8",
    });
    const [{ files }] = JSON.parse(told) as [{ files: { path: string }[] }];
    const python = execFileSync("git", ["ls-files", "plugins/*.py"], { cwd: root, encoding: "utf8" })
      .trim()
      .split("\n");
    expect(python).toContain("plugins/evaluate-ray/runner/trial.py");
    const shown = execFileSync("git", ["ls-files", "bilevel.config.ts", "examples/demo", "examples/gpt-pretrain-cpu"], {
      cwd: root,
      encoding: "utf8",
    });
    const carried = shown.split("\n").filter((path) => path !== "" && !path.endsWith("corpus.txt")); // that one is fetched
    const paths = files.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining([...python, ...carried]));
    const readme = readFileSync(`${root}README.md`, "utf8");
    const linked = [...readme.matchAll(/\]\(((?!http)[^)]+)\)/g)].map(([, path = ""]) => path);
    const lacking = linked.filter((path) => !paths.some((one) => one === path || one.startsWith(`${path}/`)));
    expect([...new Set(lacking)].sort()).toEqual(examplesOfTheRepository);
  });

  it("documents every error code once", () => {
    const codes = [...readFileSync(`${root}core/errors.ts`, "utf8").matchAll(/^ {2}(E_[A-Z_]+): (\d)/gm)].map(
      ([, code, status]) => `${code} (${status})`,
    );
    const told = [...readFileSync(`${root}docs/errors.md`, "utf8").matchAll(/^\| `(E_[A-Z_]+)` \((\d)\)/gm)].map(
      ([, code, status]) => `${code} (${status})`,
    );
    expect([...told].sort()).toEqual([...codes].sort());
  });
});
