import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What the benchmark compares with, and the tasks that are not ours; the report names these versions. */
export const packages = [
  "optuna==5.0.0",
  "cmaes==0.13.1",
  "nevergrad==1.0.12",
  "smac==2.4.1",
  "coco-experiment==2.8.2",
  "scikit-learn==1.9.1",
];

/** Its message says what went wrong. */
export class CannotInstall extends Error {}

const cache = new URL("../../.cache/search/", import.meta.url).pathname;
const environment = join(cache, "venv");
const whole = join(environment, "installed");

/** The interpreter of the benchmark's own virtual environment; installs it at first use (Python 3.11 or newer, some 700 MB). */
export function python(): string {
  const inside = join(environment, "bin", "python");
  if (existsSync(whole) && readFileSync(whole, "utf8") === packages.join("\n")) return inside;
  mkdirSync(cache, { recursive: true });
  rmSync(environment, { recursive: true, force: true });
  run("python3", ["-m", "venv", environment]);
  run(inside, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages]);
  writeFileSync(whole, packages.join("\n"));
  return inside;
}

function run(program: string, args: readonly string[]): void {
  const ran = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (ran.status !== 0) throw new CannotInstall(ran.error?.message ?? `${program} ${args.join(" ")} failed`);
}
