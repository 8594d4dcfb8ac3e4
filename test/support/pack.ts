import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** The file that `npm pack` made. */
    tarball: string;
    /** A folder outside of the repository with the packed command installed as `npm install -g` does. */
    global: string;
  }
}

const root = new URL("../..", import.meta.url).pathname;

/** Runs npm; what it said is in the error where it fails. */
export function npm(cwd: string, ...args: string[]): string {
  try {
    return execFileSync("npm", args, { cwd, encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    throw new Error(`npm ${args.join(" ")} failed: ${(error as { stderr: string }).stderr}`, { cause: error });
  }
}

/** Installs packages from their files or the registry into a folder. */
export function install(folder: string, ...packages: string[]): void {
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n', { flag: "a" });
  npm(folder, "install", "--no-audit", "--no-fund", "--prefer-offline", ...packages);
}

/** Packs a folder's package and gives the file's path. */
export const pack = (folder: string, into: string): string =>
  join(into, npm(folder, "pack", "--silent", "--pack-destination", into).trim().split("\n").at(-1) ?? "");

/** Once for all tests of the package: builds and packs it and installs the file, with its dependencies from the registry. */
export default function setup({ provide }: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "bilevel-packed-"));
  const global = join(folder, "global");
  const tarball = pack(root, folder);
  try {
    npm(folder, "install", "--global", "--prefix", global, "--no-audit", "--no-fund", "--prefer-offline", tarball);
  } catch (error) {
    throw new Error("the tests of the package cannot run: they need a registry of npm packages", { cause: error });
  }
  provide("tarball", tarball);
  provide("global", global);
  return () => rmSync(folder, { recursive: true, force: true });
}
