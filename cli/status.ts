import { basename, resolve } from "node:path";
import type { CommandModule } from "yargs";
import { ownerOf, type TaskChange, type View } from "../core/index.ts";
import { blockOf, say } from "../plugins/progress/index.ts";
import { modelAccount, receiptOf, summaryLines, workOf } from "../plugins/report/index.ts";
import { simplifiedLines, takenBackIn } from "../plugins/simplify/index.ts";
import type { CommonArguments } from "./run.ts";
import { findRun, readRun } from "./runs.ts";

export const statusVerb: CommandModule<object, CommonArguments & { run?: string }> = {
  command: "status [run]",
  describe: "how a run stands, also while it goes on",
  builder: (args) => args.positional("run", { type: "string" }) as never,
  handler({ cwd, run, json }) {
    const { folder, ledgers, facts } = readRun(findRun(resolve(cwd), run));
    const views = ledgers.map((ledger) => ledger.view());
    const last = facts.findLast(({ type }) => type === "end" || type === "pause");
    const owner = ownerOf(folder);
    const baseline = ledgers[0]?.trial(0)?.outcome;
    const state =
      owner !== undefined
        ? `running (${owner})`
        : last && facts.at(-1) === last
          ? String(last.reason)
          : baseline !== undefined && baseline.status !== "measured"
            ? "the baseline could not be measured: mend the program, then bilevel run starts another"
            : "stopped without an end: bilevel resume goes on";
    if (json) {
      const [inner] = views;
      const { incumbent } = inner ?? {};
      const best = incumbent && {
        trial: incumbent.trial.id,
        value: incumbent.value,
        candidate: incumbent.trial.candidate,
      };
      console.log(
        JSON.stringify({
          run: basename(folder),
          state,
          budget: inner?.budget,
          baseline: inner?.baseline,
          noiseFloor: inner?.noiseFloor,
          best,
          mechanisms: inner ? workOf(inner, facts) : [],
          receipt: inner ? receiptOf([inner as View<TaskChange>, ...views.slice(1)]) : undefined,
          model: modelAccount(folder, facts),
        }),
      );
      return;
    }
    const changes = takenBackIn(facts);
    const slots = views[0]?.pending.length ?? 1;
    for (const line of blockOf({ name: basename(folder), views, slots, ended: state })) say(line);
    if (views[0] && views[0].trials.length > 0)
      for (const line of changes
        ? simplifiedLines(views[0] as View<TaskChange>, changes)
        : summaryLines(views, state, { folder, facts }).slice(1))
        say(line);
  },
};
