import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = new URL("../../", import.meta.url).pathname;
const compiler = join(root, "node_modules/typescript/bin/tsc");
const node = (args: readonly string[]): string => {
  try {
    return execFileSync(process.execPath, args, { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    return expect.fail((error as { stdout: string }).stdout);
  }
};

const program = `
import { failureOf, JobSubmissionClient, RayError, type JobInfo } from "ray-node-client";
const client = new JobSubmissionClient("http://127.0.0.1:1", { proxy: false, retryForMs: 0 });
const look = async (id: string): Promise<JobInfo["status"]> => (await client.getJobInfo(id)).status;
look("x").catch((error: unknown) => console.log(error instanceof RayError && error.code, typeof failureOf));
`;

it("runs and type-checks where it is installed, compiled", () => {
  mkdirSync(join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(root, ".cache", "published-")); // the dependencies are found above it
  const installed = join(folder, "node_modules", "ray-node-client");
  node([compiler, "-p", join(root, "ray-node-client/tsconfig.build.json"), "--outDir", join(installed, "dist")]);
  cpSync(join(root, "ray-node-client/package.json"), join(installed, "package.json"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "main.ts"), program);
  const options = { module: "nodenext", target: "es2024", strict: true, noEmit: true, types: ["node"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["main.ts"] }));
  node([compiler, "-p", folder]);
  expect(node([join(folder, "main.ts")])).toBe("UNREACHABLE function\n");
  rmSync(folder, { recursive: true });
}, 60_000);
