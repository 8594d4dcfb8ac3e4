import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The release of Ray that the tests run against. */
export const rayVersion = "2.60.0";

/** Where Ray is installed: a virtual environment in a folder that Git ignores. */
const cache = new URL("../../../.cache/ray/", import.meta.url).pathname;
const environment = join(cache, `ray-${rayVersion}`);
const whole = join(environment, "installed");

/** The programs of the virtual environment. */
export const bin = (program: "python" | "ray"): string => join(environment, "bin", program);

/** Told when Ray cannot be installed; its message says what is missing and what to do. */
export class CannotInstall extends Error {}

/** Installs Ray from PyPI, once: later calls find it. Needs Python 3.11 and some 500 MB of disk. */
export function installRay(): void {
  if (existsSync(whole)) return;
  const python = ["python3.11", "python3"].find((name) => versionOf(name) === "3.11");
  if (python === undefined) {
    throw new CannotInstall("Python 3.11 is missing: neither python3.11 nor python3 on the PATH is that version.");
  }
  mkdirSync(cache, { recursive: true });
  // the programs of a virtual environment name their own path, so it is made in place and marked when it is whole
  rmSync(environment, { recursive: true, force: true });
  run(python, ["-m", "venv", environment]);
  run(bin("python"), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `ray[default]==${rayVersion}`]);
  writeFileSync(whole, "");
}

function versionOf(python: string): string | undefined {
  const asked = spawnSync(python, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"], { encoding: "utf8" });
  return asked.status === 0 ? asked.stdout.trim() : undefined;
}

function run(program: string, args: readonly string[]): void {
  const ran = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (ran.status !== 0) throw new CannotInstall(`${program} ${args.join(" ")} failed (status ${ran.status ?? "none"})`);
}
