import { join } from "node:path";
import type { Fact, Plugin, TaskChange, Trial, View } from "../../core/index.ts";
import { isObject, writeAtomically } from "../../core/index.ts";
import { count } from "../../kit/text.ts";
import { short } from "../progress/index.ts";
import { resultsTable, summaryText, takeOverLine } from "../report/index.ts";
import { freezeTask, patchOf } from "../task/index.ts";
import { has, neededNow, textOfChange, withoutText, type Change } from "./changes.ts";
import type { SimplifyOptions } from "./index.ts";
import { worthOf } from "./worth.ts";

/** The changes that a simplification may take back, as its journal tells them; undefined for any other run. */
export function takenBackIn(facts: readonly Fact[]): readonly Change[] | undefined {
  const { levels = [] } = (facts[0]?.config ?? {}) as { levels?: { plugin?: string; options?: unknown }[] };
  const [level] = levels;
  return level?.plugin === "simplify" && isObject(level.options)
    ? (level.options as unknown as SimplifyOptions).changes
    : undefined;
}

/** What became of each change, those that are worth something first, and what is left of the winner. */
export function simplifiedLines(view: View<TaskChange>, changes: readonly Change[]): string[] {
  const { incumbent, objective } = view;
  if (!incumbent) return ["the winner was not measured again"];
  const trials = [...view.trials];
  const left = changes.filter((change) => has(incumbent.trial.candidate, change));
  const told = changes.map((change) => {
    const text = textOfChange(change);
    const trial = trials.find(({ hypothesis }) => hypothesis === withoutText(change));
    const worth = trial && worthOf(trials, { of: trial.id, against: trial.parent }, objective);
    return { worth: worth?.mean ?? Infinity, line: `${text}: ${fateOf(change, trial, worth, trials, left)}` };
  });
  const whole = worthOf(trials, { of: incumbent.trial.id, against: 0 }, objective);
  const against =
    incumbent.trial.id === 0 || !whole
      ? ": nothing was taken back"
      : whole.mean === 0
        ? `; ${objective.metric} as with all of them`
        : `; ${objective.metric} ${short(Math.abs(whole.mean))}${plusMinus(whole.se)} ${whole.mean > 0 ? "worse" : "better"} than with all of them, n=${whole.n}`;
  return [
    ...told.sort((a, b) => b.worth - a.worth).map(({ line }) => line),
    `${left.length} of ${count(changes.length, "change is", "changes are")} left${against}`,
  ];
}

const plusMinus = (se: number): string => (se > 0 ? ` ± ${short(se)}` : "");

function fateOf(
  change: Change,
  trial: Trial<TaskChange> | undefined,
  worth: ReturnType<typeof worthOf>,
  trials: readonly Trial<TaskChange>[],
  left: readonly Change[],
): string {
  if (!left.includes(change) && !trial) return "went with another, dropped";
  if (!trial) return "not tried, left in";
  if (!left.includes(change)) {
    if (!worth || worth.mean === 0) return "no effect, dropped";
    const size = `${short(Math.abs(worth.mean))}${plusMinus(worth.se)}`;
    return worth.mean > 0 ? `no effect beyond the noise (${size}), dropped` : `better without it by ${size}, dropped`;
  }
  const last = trials.findLast(({ id, repeatOf }) => (repeatOf ?? id) === trial.id) ?? trial;
  if (last.outcome?.status !== "measured") return `needed: without it, ${last.verdict?.reason ?? "it does not run"}`;
  const told = worth ? `worth ${short(worth.mean)}${plusMinus(worth.se)}` : "not compared";
  if (last.verdict?.decision === "repeat") return `${told} so far, not tried to the end, left in`;
  return last.verdict?.reason === neededNow ? `${told}, needed since others are gone` : told;
}

/** Keeps `results.tsv` and `best-small.patch` of a simplification current, and prints its table at the end. */
export function simplifyReport({ print }: { print: (line: string) => void }): Plugin {
  let finish = (): Promise<void> => Promise.resolve();
  return {
    name: "simplify-report",
    contract: 1,
    open(run) {
      const { config, folder, home } = run;
      let reason = "";
      run.on((fact) => {
        if (fact.type === "end" || fact.type === "pause") reason = String(fact.reason);
      });
      finish = async () => {
        const view = run.view("simplify") as View<TaskChange>;
        const { changes } = config.levels[0]?.options as SimplifyOptions;
        const best = view.incumbent?.trial;
        if (!best) return;
        writeAtomically(join(folder, "results.tsv"), resultsTable(view));
        const lines = [...(reason === "" ? [] : [`end: ${reason}`]), ...simplifiedLines(view, changes)];
        const task = config.task;
        const patch = task ? await patchOf(await freezeTask(task, home, folder), task, best.candidate) : "";
        if (task && patch) {
          const file = join(folder, "best-small.patch");
          writeAtomically(file, patch);
          lines.push(takeOverLine(home, task.folder, file));
        }
        if (reason !== "") for (const line of lines) print(line);
        writeAtomically(join(folder, "summary.md"), summaryText(`${config.objective.metric}, simplified`, lines));
      };
      return Promise.resolve();
    },
    close: () => finish(),
  };
}
