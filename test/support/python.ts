import { spawnSync } from "node:child_process";

/** A Python of this machine that can run the runner of `evaluateRay`; undefined where there is none. */
export const localPython: string | undefined = ["python3", "python"].find(
  (name) => spawnSync(name, ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status === 0,
);

/** To be put beside a test's name that is skipped without it. */
export const withoutPython = localPython === undefined ? " (skipped: there is no Python 3.9 or newer on the PATH)" : "";
