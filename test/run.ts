import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { CannotInstall } from "../ray-node-client/test/environment.ts";
import { installRay } from "../ray-node-client/test/ray/install.ts";

/** What of the test runner's report is told. */
interface Results {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  testResults: readonly { name: string; status: string; message: string; assertionResults: readonly Result[] }[];
}

interface Result {
  status: string;
  fullName: string;
  failureMessages: readonly string[];
}

/**
 * Runs the tests: run.ts quick|full|ray [arguments for vitest]. At the end those that failed are named, and the last
 * line says `N passed, N failed`; a run that breaks off or tests nothing has failed.
 * `ray`, also a part of `full`, installs Ray into .cache/ray, once (Python 3.11,
 * some 500 MB), and starts heads that listen on loopback alone.
 */
const [, , kind = "quick", ...rest] = process.argv;
const lacksRay = kind !== "quick" && !canInstall();
if (kind === "ray" && lacksRay) {
  console.log("0 passed, 1 failed");
  process.exit(1);
}
const projects = kind === "full" && !lacksRay ? ["full", "ray"] : [kind];
const folder = mkdtempSync(join(tmpdir(), "bilevel-tests-"));
const results = join(folder, "results.json");
const vitest = new URL("../node_modules/vitest/vitest.mjs", import.meta.url).pathname;
const reports = ["--reporter=default", "--reporter=json", `--outputFile.json=${results}`];
const ran = spawnSync(
  process.execPath,
  [vitest, "run", ...projects.flatMap((name) => ["--project", name]), ...reports, ...rest],
  { stdio: "inherit", cwd: new URL("..", import.meta.url).pathname },
);
let [passed, failed, skipped] = [0, 0, 0];
try {
  const told = JSON.parse(readFileSync(results, "utf8")) as Results;
  [passed, failed, skipped] = [told.numPassedTests, told.numFailedTests, told.numPendingTests];
  for (const { name, status, message, assertionResults } of told.testResults) {
    const file = relative(process.cwd(), name);
    const lost = assertionResults.filter((one) => one.status === "failed");
    const say = (what: string, why = ""): void => console.log(`failed: ${what}: ${why.split("\n")[0]}`);
    for (const { fullName, failureMessages } of lost) say(`${file} > ${fullName}`, failureMessages[0]);
    if (status === "failed" && lost.length === 0) say(file, message);
  }
} catch {
  console.error("the test runner left no results");
}
rmSync(folder, { recursive: true, force: true });
if (lacksRay) failed++;
const isBroken = ran.status !== 0 || failed > 0 || passed === 0;
if (isBroken && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = isBroken ? 1 : 0;

function canInstall(): boolean {
  try {
    installRay();
    return true;
  } catch (error) {
    if (!(error instanceof CannotInstall)) throw error;
    console.error(`the tests against a real Ray head cannot run: ${error.message}`);
    return false;
  }
}
