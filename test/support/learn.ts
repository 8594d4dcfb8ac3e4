import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const packages = ["scikit-learn==1.3.2", "numpy<2", "tensorboardX==2.6.2.2"];
const environment = new URL("../../.cache/learn", import.meta.url).pathname;

/** A Python with scikit-learn and a tracker, installed from PyPI once, some 300 MB; undefined, and said why, where that is not possible. */
export function learningPython(): string | undefined {
  const python = join(environment, "bin", "python");
  const whole = join(environment, "installed");
  if (existsSync(whole)) return python;
  mkdirSync(environment, { recursive: true });
  rmSync(environment, { recursive: true, force: true });
  for (const [program, args] of [
    ["python3", ["-m", "venv", environment]],
    [python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages]],
  ] as const) {
    const ran = spawnSync(program, args, { encoding: "utf8" });
    if (ran.status === 0) continue;
    console.error(
      `the tests on Python programs cannot run: ${program} ${args.join(" ")}: ${ran.stderr || String(ran.error)}`,
    );
    return undefined;
  }
  writeFileSync(whole, "");
  return python;
}
