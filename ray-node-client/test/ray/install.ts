import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { CannotInstall, environmentWith } from "../environment.ts";

/** The release of Ray that the tests run against. */
export const rayVersion = "2.60.0";

const environment = new URL(`../../../.cache/ray/ray-${rayVersion}`, import.meta.url).pathname;

/** The programs of the virtual environment. */
export const bin = (program: "python" | "ray"): string => join(environment, "bin", program);

/** Installs Ray from PyPI, once: later calls find it. Needs Python 3.11 and some 500 MB of disk. @throws CannotInstall */
export function installRay(): void {
  const python = ["python3.11", "python3"].find((name) => versionOf(name) === "3.11");
  if (python === undefined)
    throw new CannotInstall("Python 3.11 is missing: neither python3.11 nor python3 on the PATH is that version.");
  environmentWith(environment, [`ray[default]==${rayVersion}`], python);
}

function versionOf(python: string): string | undefined {
  const asked = spawnSync(python, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"], { encoding: "utf8" });
  return asked.status === 0 ? asked.stdout.trim() : undefined;
}
