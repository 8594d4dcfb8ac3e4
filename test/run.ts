import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Runs the tests: run.ts quick|full [arguments for vitest]. The last line says
 * `N passed, N failed`; a run that breaks off or tests nothing has failed.
 */
const [, , kind = "quick", ...rest] = process.argv;
const folder = mkdtempSync(join(tmpdir(), "bilevel-tests-"));
const results = join(folder, "results.json");
const vitest = new URL("../node_modules/vitest/vitest.mjs", import.meta.url).pathname;
const ran = spawnSync(
  process.execPath,
  [vitest, "run", "--project", kind, "--reporter=default", "--reporter=json", `--outputFile.json=${results}`, ...rest],
  { stdio: "inherit", cwd: new URL("..", import.meta.url).pathname },
);
let [passed, failed, skipped] = [0, 0, 0];
try {
  const told = JSON.parse(readFileSync(results, "utf8")) as Record<string, number>;
  [passed, failed, skipped] = [told.numPassedTests ?? 0, told.numFailedTests ?? 0, told.numPendingTests ?? 0];
} catch {
  console.error("the test runner left no results");
}
rmSync(folder, { recursive: true, force: true });
const isBroken = ran.status !== 0 || passed + failed === 0;
if (isBroken && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = isBroken ? 1 : 0;
