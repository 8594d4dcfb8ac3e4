import { basename } from "node:path";
import type { CommandModule } from "yargs";
import type { Config, TaskChange, View } from "../core/index.ts";
import { BilevelError, changesSince } from "../core/index.ts";
import { changesOfWinner } from "../plugins/simplify/index.ts";
import { go, runOptions, type CommonArguments } from "./run.ts";
import { newRun, readRun, runWithConfig } from "./runs.ts";
import { keepSimplification, simplified, type Simplification } from "./simplify-run.ts";

type SimplifyArguments = CommonArguments & {
  run?: string;
  trials?: number;
  name?: string;
  quiet: boolean;
  durable: boolean;
};

/** Seeds beyond those of the search and of its final comparison. */
const seedsAway = 2000;
const usualSeeds = 3;

export const simplifyVerb: CommandModule<object, SimplifyArguments> = {
  command: "simplify [run]",
  describe: "take the winner's changes back, one at a time, and leave out what is worth nothing",
  builder: (args) =>
    args
      .positional("run", { type: "string" })
      .option("trials", { type: "number", describe: "how many at most (default: enough to try each change)" })
      .option("name", { type: "string", describe: "name of the run that does it (default: RUN-small)" })
      .options({ quiet: runOptions.quiet, durable: runOptions.durable }) as never,
  async handler(args) {
    const { resolved, folder } = await runWithConfig(args);
    const of = basename(folder);
    const { facts, ledgers } = readRun(folder);
    changesSince(facts, resolved); // a winner of another program is none of this one
    const small = planOf(resolved.config, ledgers[0]?.view() as View<TaskChange>, of, args.trials);
    const run = newRun(resolved.home, args.name ?? `${of}-small`);
    keepSimplification(run, small);
    await go(simplified(resolved, small), run, args);
  },
};

/** @throws E_USAGE where there is nothing to take back, or too little to do it with */
function planOf(config: Config, view: View<TaskChange>, of: string, wanted: number | undefined): Simplification {
  const refuse = (message: string, received: string, hint: string): never => {
    throw new BilevelError("E_USAGE", message, { path: `bilevel simplify ${of}`, received, hint });
  };
  if (config.levels[0]?.name === "simplify")
    refuse("is itself a simplification", of, "name the run whose best is to be simplified");
  const winner = view.incumbent?.trial;
  const changes = changesOfWinner(view, config.space);
  if (!winner || changes.length === 0)
    return refuse(
      "this run has no winner: its best is the baseline",
      winner ? "no change" : "no measured trial",
      `more trials may find one: bilevel resume ${of} --trials +20`,
    );
  const { confirm } = (config.levels[0]?.options ?? {}) as { confirm?: number };
  const seeds = config.objective.noise === "none" ? 1 : confirm && confirm > 1 ? confirm : usualSeeds;
  const trials = wanted ?? seeds * changes.length;
  if (!Number.isInteger(trials) || trials < seeds)
    refuse(
      `--trials is too small: each change takes up to ${seeds}, one on each seed`,
      String(wanted),
      `--trials ${seeds * changes.length} tries all ${changes.length}`,
    );
  const firstSeed = (config.task?.firstSeed ?? 42) + seedsAway;
  return { of, trials, options: { winner: winner.candidate, changes, seeds, firstSeed } };
}
