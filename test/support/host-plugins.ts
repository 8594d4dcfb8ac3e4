import { join } from "node:path";
import { loadConfig } from "../../cli/config-file.ts";
import { BilevelError, execute } from "../../core/index.ts";

/** Runs the configs of these folders, one after the other, and tells how each ended as a line of JSON. */
for (const folder of process.argv.slice(2)) {
  try {
    const end = await execute(await loadConfig(folder), join(folder, "run"));
    console.log(JSON.stringify({ ended: end.reason }));
  } catch (error) {
    if (!(error instanceof BilevelError)) console.log(JSON.stringify({ unexpected: String(error) }));
    else console.log(JSON.stringify({ code: error.code, exitCode: error.exitCode, text: error.toString() }));
  }
}
