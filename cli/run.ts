import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { CommandModule } from "yargs";
import type { ResolvedConfig } from "../core/index.ts";
import { BilevelError, execute } from "../core/index.ts";
import { plain } from "../kit/text.ts";
import type { RecordedModel } from "../plugins/llm/index.ts";
import { progress, say } from "../plugins/progress/index.ts";
import { report } from "../plugins/report/index.ts";
import { simplifyReport } from "../plugins/simplify/index.ts";
import { loadConfig } from "./config-file.ts";
import { extended, type Extension } from "./extend.ts";
import { configOf, configText, configYaml, foundLines, isWanted, keepLine, lookInto, type Line } from "./one-line.ts";
import { checkWritable } from "./own-folder.ts";
import { withPresentValues } from "./present-values.ts";
import { newRun, runWithConfig } from "./runs.ts";

export interface CommonArguments {
  config?: string;
  cwd: string;
  json: boolean;
}

type RunArguments = CommonArguments &
  Partial<Line> & {
    yes: boolean;
    save?: string;
    name?: string;
    run?: string;
    quiet: boolean;
    durable: boolean;
    preset?: string;
    replay?: string;
    replaySequence?: string;
  };

export const runOptions = {
  preset: { type: "string", describe: "a preset over the config: bilevel, ray, paper-a to paper-d, a file" },
  quiet: { type: "boolean", default: false, describe: "print only the end" },
  durable: { type: "boolean", default: false, describe: "sync every line of the journal to the disk" },
} as const;

const lineOptions = {
  command: {
    type: "string",
    describe: 'without a config: what runs a trial, as in "python train.py"',
    implies: "metric",
  },
  metric: { type: "string", describe: "what the program prints as `name: value`", implies: "command" },
  minimize: { type: "boolean", implies: "command", conflicts: "maximize" },
  maximize: { type: "boolean", implies: "command" },
  params: { type: "string", implies: "command", describe: "constants to search, with commas between" },
  trials: { type: "number", implies: "command", describe: "how many (default 20)" },
  yes: { type: "boolean", default: false, describe: "do not ask before starting" },
  save: { type: "string", describe: "write the config that is used, as TypeScript, or: --save yaml" },
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
      .options(lineOptions)
      .option("replay", { type: "string", describe: "an llm.jsonl that answers in the model's place" })
      .option("replay-sequence", {
        type: "string",
        describe: "the same, questions of a kind in the order of the file",
        conflicts: "replay",
      })
      .options(runOptions) as never,
  async handler(args) {
    if (args.command !== undefined) return goByLine({ ...args, command: args.command });
    const resolved = withPresentValues(await loadConfig(resolve(args.cwd), args.config, args.preset));
    answerFrom(resolved, args);
    await go(resolved, newRun(resolved.home, args.name ?? resolved.config.name), args);
  },
};

/** Starts a run without a config: what is found in the program is shown, and used where nobody objects. */
async function goByLine(args: RunArguments & { command: string }): Promise<void> {
  const folder = resolve(args.cwd);
  const { command, metric = "", minimize, maximize, params, trials = 20 } = args;
  const found = lookInto(folder, { command, metric, minimize, maximize, params, trials });
  const config = args.save === undefined ? undefined : placeToSave(folder, args.save);
  if (args.yes) for (const line of args.json ? [] : foundLines(found)) say(line);
  else if (!(await isWanted(foundLines(found)))) return;
  const run = newRun(folder, args.name);
  if (config !== undefined) writeFileSync(config, config.endsWith(".yaml") ? configYaml(found) : configText(found));
  const resolved = config === undefined ? configOf(found, folder) : withPresentValues(await loadConfig(folder, config));
  if (config === undefined) keepLine(run, found);
  await go(resolved, run, args);
}

/** @throws E_USAGE */
function placeToSave(folder: string, form: string): string {
  const [name, yaml] = ["bilevel.config.ts", "bilevel.config.yaml"];
  if (form !== "" && form !== "yaml")
    throw new BilevelError("E_USAGE", "is no form of a config that can be written", {
      path: "bilevel run --save",
      received: form,
      allowed: `nothing for ${name}, or yaml for ${yaml}`,
    });
  const there = [name, yaml].find((one) => existsSync(join(folder, one)));
  if (there !== undefined)
    throw new BilevelError("E_USAGE", "there is a config here already", {
      path: join(folder, there),
      hint: "leave --save out, or run it: bilevel run",
    });
  return join(folder, form === "" ? name : yaml);
}

export const resumeVerb: CommandModule<object, Omit<RunArguments, keyof Extension> & Extension> = {
  command: "resume [run]",
  describe: "go on with a run where it stopped (the latest, or the one named)",
  builder: (args) =>
    args
      .positional("run", { type: "string" })
      .option("trials", { type: "string", describe: "the budget from now on: 130, or +100 for so many more" })
      .option("hours", { type: "string", describe: "the same in hours" })
      .option("slots", { type: "number", describe: "trials at a time, until the next resume" })
      .options(runOptions) as never,
  async handler(args) {
    const { resolved, folder } = await runWithConfig(args);
    checkWritable(folder);
    await go(extended(resolved, folder, args), folder, args);
  },
};

/** Runs to the end, or until ^C: once stops in good order, twice at once. */
export async function go(
  resolved: ResolvedConfig,
  folder: string,
  { json, quiet, durable }: Pick<RunArguments, "json" | "quiet" | "durable">,
): Promise<void> {
  const stop = new AbortController();
  let by: "SIGINT" | "SIGTERM" | undefined;
  const interrupt = (name: "SIGINT" | "SIGTERM"): void => {
    if (by !== undefined) process.exit(name === "SIGINT" ? 130 : 143);
    by = name;
    console.error("stopping: what runs is ended, and will be run again by `bilevel resume`; once more to stop at once");
    stop.abort();
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  // nobody at a terminal: what nohup asked for, and Node takes back at its start
  if (!process.stdout.isTTY && !process.stderr.isTTY) process.on("SIGHUP", () => undefined);
  const show = progress(json ? { mode: "json" } : quiet ? { mode: "quiet" } : {});
  const isSmall = resolved.config.levels[0]?.name === "simplify";
  const sumUp = (isSmall ? simplifyReport : report)({ print: (line) => (json ? undefined : say(line)) });
  try {
    const end = await execute(resolved, folder, { observers: [sumUp, show], signal: stop.signal, durable });
    const inner = [...end.levels.values()][0];
    const { target, direction } = resolved.config.objective;
    const best = inner?.incumbent?.value;
    const isReached =
      target !== undefined && best !== undefined && (direction === "minimize" ? best <= target : best >= target);
    const isMeasured = [...(inner?.trials ?? [])].some(
      ({ id, repeatOf, outcome }) => (repeatOf ?? id) !== 0 && outcome?.status === "measured",
    );
    if (end.interrupted) {
      console.error(`stopped; go on with: bilevel resume ${basename(folder)}`);
      process.exitCode = by === "SIGTERM" ? 143 : 130;
    } else process.exitCode = (target === undefined ? isMeasured : isReached) ? 0 : 1;
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
  const lines = plain(readFileSync(file, "utf8")).trimEnd().split("\n").slice(-20);
  for (const line of [`the end of ${file}:`, ...lines.map((one) => `  | ${one.slice(0, 300)}`)])
    say(line, process.stderr);
}
