import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Told when something of Python cannot be installed; its message says what went wrong or is missing. */
export class CannotInstall extends Error {}

/** The interpreter of a virtual environment with these packages from PyPI; made once, in a folder that Git ignores. */
export function environmentWith(folder: string, packages: readonly string[], python = "python3"): string {
  const inside = join(folder, "bin", "python");
  const whole = join(folder, "installed");
  if (existsSync(whole) && readFileSync(whole, "utf8") === packages.join("\n")) return inside;
  // the programs of a virtual environment name their own path, so it is made in place and marked when it is whole
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  run(python, ["-m", "venv", folder]);
  run(inside, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages]);
  writeFileSync(whole, packages.join("\n"));
  return inside;
}

function run(program: string, args: readonly string[]): void {
  const ran = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (ran.status !== 0) throw new CannotInstall(ran.error?.message ?? `${program} ${args.join(" ")} failed`);
}
