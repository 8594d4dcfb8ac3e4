import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { CommandModule } from "yargs";
import type { ResolvedConfig } from "../core/index.ts";
import { BilevelError, execute } from "../core/index.ts";
import type { RecordedModel } from "../plugins/llm/index.ts";
import { progress } from "../plugins/progress/index.ts";
import { report } from "../plugins/report/index.ts";
import { loadConfig } from "./config-file.ts";
import { findRun, newRun } from "./runs.ts";

export interface CommonArguments {
  config?: string;
  cwd: string;
  json: boolean;
}

type RunArguments = CommonArguments & {
  name?: string;
  run?: string;
  quiet: boolean;
  durable: boolean;
  preset?: string;
  replay?: string;
  replaySequence?: string;
};

const options = {
  preset: { type: "string", describe: "a preset over the config: bilevel, ray, paper-a to paper-d, a file" },
  quiet: { type: "boolean", default: false, describe: "print only the end" },
  durable: { type: "boolean", default: false, describe: "sync every line of the journal to the disk" },
} as const;

/** A recording in the model's place. */
function answerFrom({ config }: ResolvedConfig, { replay, replaySequence, cwd }: RunArguments): void {
  const file = replay ?? replaySequence;
  if (file === undefined) return;
  if (!config.llm || !("replay" in config.llm))
    throw new BilevelError("E_USAGE", "there is no model in the config that the recording could answer for", {
      path: "llm",
      hint: "llm: llm({ model: … })",
    });
  (config.llm as RecordedModel).replay(resolve(cwd, file), replay === undefined);
}

export const runVerb: CommandModule<object, RunArguments> = {
  command: "run",
  describe: "start a run",
  builder: (args) =>
    args
      .option("name", { type: "string", describe: "name of the run's folder in .bilevel" })
      .option("replay", { type: "string", describe: "an llm.jsonl that answers in the model's place" })
      .option("replay-sequence", {
        type: "string",
        describe: "the same, in the order of the file",
        conflicts: "replay",
      })
      .options(options) as never,
  async handler(args) {
    const resolved = await loadConfig(resolve(args.cwd), args.config, args.preset);
    answerFrom(resolved, args);
    await go(resolved, newRun(resolved.home, args.name ?? resolved.config.name), args);
  },
};

export const resumeVerb: CommandModule<object, RunArguments> = {
  command: "resume [run]",
  describe: "go on with a run where it stopped (the latest, or the one named)",
  builder: (args) => args.positional("run", { type: "string" }).options(options) as never,
  async handler(args) {
    const resolved = await loadConfig(resolve(args.cwd), args.config, args.preset);
    await go(resolved, findRun(resolved.home, args.run ?? resolved.config.name), args);
  },
};

/** Runs to the end, or until ^C: once stops in good order, twice at once. */
async function go(resolved: ResolvedConfig, folder: string, { json, quiet, durable }: RunArguments): Promise<void> {
  const stop = new AbortController();
  let by: "SIGINT" | "SIGTERM" | undefined;
  const interrupt = (name: "SIGINT" | "SIGTERM"): void => {
    if (by !== undefined) process.exit(name === "SIGINT" ? 130 : 143);
    by = name;
    console.error("stopping: what runs is ended, and will be run again by `bilevel resume`; once more to stop at once");
    stop.abort();
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  const show = progress(json ? { mode: "json" } : quiet ? { mode: "quiet" } : {});
  const sumUp = report({ print: (line) => (json ? undefined : console.log(line)) });
  try {
    const end = await execute(resolved, folder, { observers: [sumUp, show], signal: stop.signal, durable });
    const inner = [...end.levels.values()][0];
    const { target, direction } = resolved.config.objective;
    const best = inner?.incumbent?.value;
    const isMissed =
      target !== undefined && best !== undefined && (direction === "minimize" ? best > target : best < target);
    const isMeasured = [...(inner?.trials ?? [])].some(({ id, outcome }) => id !== 0 && outcome?.status === "measured");
    if (end.interrupted) {
      console.error(`stopped; go on with: bilevel resume ${basename(folder)}`);
      process.exitCode = by === "SIGTERM" ? 143 : 130;
    } else process.exitCode = isMissed || !isMeasured ? 1 : 0;
  } catch (error) {
    if (error instanceof BilevelError && error.code === "E_BASELINE_FAILED")
      showLog(join(folder, "trials", "0", "output.log"));
    throw error;
  } finally {
    // once interrupted, the process is on its way out: a second ^C then must not end it by the signal's default
    if (by === undefined) process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/** The end of a trial's log, where there is one. */
function showLog(file: string): void {
  if (!existsSync(file)) return;
  const lines = readFileSync(file, "utf8").trimEnd().split("\n").slice(-20);
  console.error([`the end of ${file}:`, ...lines.map((line) => `  | ${line.slice(0, 300)}`)].join("\n"));
}
