import { readFileSync } from "node:fs";
import yargs from "yargs";
import { BilevelError, messageOf } from "../core/index.ts";
import { say } from "../plugins/progress/index.ts";
import { configVerb } from "./config.ts";
import { demoVerb } from "./demo.ts";
import { mechanismVerb } from "./mechanism.ts";
import { packageRoot } from "./package-root.ts";
import { pluginsVerb } from "./plugins.ts";
import { replayVerb } from "./replay.ts";
import { resumeVerb, runVerb } from "./run.ts";
import { showVerb } from "./show.ts";
import { simplifyVerb } from "./simplify.ts";
import { statusVerb } from "./status.ts";
import { usageError } from "./usage-error.ts";

const { version } = JSON.parse(readFileSync(new URL("package.json", packageRoot), "utf8")) as { version: string };

/** Runs the command with these arguments and sets the process's exit code. */
export async function main(args: readonly string[]): Promise<void> {
  // `| head` has read enough, a disk is full: what is done counts, not what is seen of it
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const command = yargs([...args])
    .scriptName("bilevel")
    .usage("$0 <verb>\n\nSearches for a better program, and for a better search.")
    .option("config", { alias: "c", type: "string", describe: "config file (default: bilevel.config.* here)" })
    .option("cwd", { alias: "C", type: "string", default: ".", describe: "folder to work in" })
    .option("json", { type: "boolean", default: false, describe: "JSON for programs" })
    .option("debug", { type: "boolean", default: false, describe: "show stacks of unexpected errors" })
    .command(runVerb)
    .command(resumeVerb)
    .command(statusVerb)
    .command(showVerb)
    .command(replayVerb)
    .command(simplifyVerb)
    .command(mechanismVerb)
    .command(pluginsVerb)
    .command(demoVerb)
    .command(configVerb)
    .demandCommand(1, "a verb is needed")
    .strict()
    .locale("en") // as all that is said here
    .parserConfiguration({ "duplicate-arguments-array": false }) // of an option given twice, the last counts
    .version(version)
    .help()
    .alias("help", "h")
    .wrap(Math.min(100, process.stdout.columns || 100))
    .exitProcess(false)
    .fail((message, error: Error | undefined, asked) => {
      if (error) throw error;
      asked.wrap(100); // so that no name in it is broken
      asked.showHelp((help) => {
        throw usageError(message, args, help);
      });
    });
  try {
    await command.parseAsync();
  } catch (error) {
    process.exitCode = tell(error, args.includes("--debug"));
  }
}

function tell(thrown: unknown, isDebug: boolean): number {
  const error = refusedByDisk(thrown);
  if (error instanceof BilevelError) {
    for (const line of error.toString().split("\n")) say(line, process.stderr);
    if (isDebug) console.error(error.stack, error.details.cause ?? "");
    return error.exitCode;
  }
  console.error(
    isDebug && error instanceof Error ? error.stack : `unexpected: ${messageOf(error)} (--debug shows where)`,
  );
  return 1;
}

/** A file that cannot be read or written, which may be anywhere: the place, and what to do. */
function refusedByDisk(thrown: unknown): unknown {
  const { code = "", path, syscall = "spawn" } = (thrown ?? {}) as NodeJS.ErrnoException;
  if (path === undefined || syscall.startsWith("spawn")) return thrown;
  const isFull = ["ENOSPC", "EDQUOT"].includes(code);
  return new BilevelError(
    isFull ? "E_DISK_FULL" : "E_FOLDER",
    isFull ? "the disk is full" : "cannot be read or written",
    {
      path,
      received: messageOf(thrown),
      hint: isFull ? "free some space, then do it again" : "mend that, or work in a copy elsewhere: -C FOLDER",
      cause: thrown,
    },
  );
}
