import { spawnSync } from "node:child_process";
import { CannotInstall, installRay, rayVersion } from "../../ray-node-client/test/ray/install.ts";

/**
 * The tests against real Ray heads: `npm run test:ray [-- arguments for vitest]`. Installs Ray from PyPI into
 * `.cache/ray` once (Python 3.11, some 500 MB), and starts heads that listen on loopback alone. Each test file starts and
 * ends its own (ray-node-client/test/ray/head.ts). Some minutes on two cores.
 */
try {
  console.log(`Ray ${rayVersion} in .cache/ray`);
  installRay();
  const run = new URL("../run.ts", import.meta.url).pathname;
  const ran = spawnSync(process.execPath, [run, "ray", ...process.argv.slice(2)], { stdio: "inherit" });
  process.exitCode = ran.status ?? 1;
} catch (error) {
  if (!(error instanceof CannotInstall)) throw error;
  console.error(`the tests against a real head cannot run: ${error.message}`);
  console.log("0 passed, 1 failed");
  process.exitCode = 1;
}
