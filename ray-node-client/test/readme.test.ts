import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { RayErrorCode } from "ray-node-client";

const root = new URL("../../", import.meta.url).pathname;
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const source = (file: string): string => readFileSync(new URL(`../src/${file}`, import.meta.url), "utf8");

describe("README.md", () => {
  it("has only code that the compiler takes", () => {
    const blocks = [...readme.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code = ""]) => code);
    expect(blocks.length).toBeGreaterThan(5);
    // inside the repository, so that the packages of the examples are found
    mkdirSync(join(root, ".cache"), { recursive: true });
    const folder = mkdtempSync(join(root, ".cache", "readme-"));
    const files = blocks.map((code, index) => join(folder, `${index}.ts`));
    files.forEach((file, index) => writeFileSync(file, blocks[index] ?? ""));
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: join(root, "tsconfig.json"),
        files,
        include: [],
        compilerOptions: { lib: ["esnext"] },
      }),
    );
    try {
      execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8", stdio: "pipe" });
    } catch (error) {
      expect.fail((error as { stdout: string }).stdout);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);

  it("tells every method and every code of an error", () => {
    const methods = [...source("client.ts").matchAll(/^ {2}(?:async )?([a-z]\w+)\(/gm)].map(([, name = ""]) => name);
    const told = methods.filter((name) => name !== "constructor");
    expect(told.length).toBe(14);
    for (const name of told) expect(readme).toContain(`\`${name}(`);
    const codes = [...source("errors.ts").matchAll(/\| "([A-Z_]+)"/g)].map(([, code]) => code as RayErrorCode);
    expect(codes.length).toBeGreaterThan(20);
    for (const code of codes) expect(readme).toContain(`\`${code}\``);
  });
});
