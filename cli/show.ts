import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { CommandModule } from "yargs";
import type { ArmChange, Ledger, TaskChange, Trial, Verdict } from "../core/index.ts";
import { BilevelError, changeId } from "../core/index.ts";
import { describeChange } from "../kit/index.ts";
import {
  changeNamed,
  changeText,
  decisionWords,
  evidenceText,
  measurementOf,
  resultOf,
  say,
} from "../plugins/progress/index.ts";
import { askedIn, costText, totalOf, type Asked } from "../plugins/llm/index.ts";
import type { CommonArguments } from "./run.ts";
import { findRun, readRun } from "./runs.ts";

export const showVerb: CommandModule<object, CommonArguments & { trial: string; run?: string }> = {
  command: "show <trial>",
  describe: "one trial: 12, or of another level: research-3",
  builder: (args) =>
    args
      .positional("trial", { type: "string" })
      .option("run", { type: "string", describe: "the run (default: the latest)" }) as never,
  handler({ cwd, run, trial: wanted, json }) {
    const { folder, ledgers, facts } = readRun(findRun(resolve(cwd), run));
    const [, level, number = ""] = /^(?:(.+)-)?(\d+)$/.exec(wanted) ?? [];
    const ledger = level === undefined ? ledgers[0] : ledgers.find((one) => one.setup.name === level);
    const found = ledger?.trial(Number(number));
    if (!ledger || !found || number === "")
      throw new BilevelError("E_TRIAL_UNKNOWN", `there is no trial ${wanted} in this run`, {
        allowed:
          ledgers
            .flatMap(({ setup, nextTrial }, index) => {
              const [before, first] = index === 0 ? ["", 0] : [`${setup.name}-`, 1];
              return nextTrial > first ? [`${before}${first} to ${before}${nextTrial - 1}`] : [];
            })
            .join(", ") || "none yet",
        path: folder,
      });
    const asked = askedIn(folder, facts).filter((one) => one.level === ledger.setup.name && one.turn === found.turn);
    if (json) return console.log(JSON.stringify({ ...found, model: totalOf(asked) }));
    const lines =
      ledger.setup.level.kind === "task"
        ? taskLines(found as Trial<TaskChange>, ledger)
        : armLines(found as Trial<ArmChange>, ledgers);
    for (const line of [...lines, ...modelLines(asked)]) say(line);
    const files = join(folder, "trials", level === undefined ? number : wanted);
    if (existsSync(files)) console.log(`files: ${files}`);
  },
};

/** What the model was asked for its turn; both sides of a pair share it. */
function modelLines(asked: readonly Asked[]): string[] {
  const failed = asked.flatMap((one) => (one.failed === undefined ? [] : [`  ${one.purpose}: ${one.failed}`]));
  const purposes = asked.map(({ purpose }) => purpose).join(", ");
  return asked.length === 0 ? [] : [`the model was asked for it (${purposes}): ${costText(totalOf(asked))}`, ...failed];
}

function taskLines(trial: Trial<TaskChange>, ledger: Ledger): string[] {
  const { id, candidate, parent, repeatOf, hypothesis, verdict, outcome, seed, arm, tests, side } = trial;
  const before = (ledger.trial(parent) as Trial<TaskChange> | undefined)?.candidate ?? {};
  const other = tests === undefined ? undefined : ledger.turns.get(trial.turn)?.trials.find((one) => one !== id);
  const isMechanism = (tap: string): boolean =>
    [...ledger.mechanisms, ...ledger.setup.catalogue, ...ledger.evidence.keys()].includes(tap);
  return [
    `trial ${id}: ${measurementOf(outcome) || "running"}${verdict ? `, ${resultOf(trial)}: ${verdict.reason}` : ""}`,
    `by ${trial.by}, from trial ${parent}, seed ${seed}${repeatOf === undefined ? "" : `, a repeat of trial ${repeatOf}`}`,
    ...(id === 0 ? [] : [`change: ${describeChange(before, candidate) || "none"}`]),
    ...(hypothesis && hypothesis !== describeChange(before, candidate)
      ? [`why${beforeChange(trial)}: ${hypothesis}`]
      : []),
    `values: ${spaced(candidate.values ?? {})}`,
    ...(candidate.edits?.length ? [`edits: ${candidate.edits.map(({ file }) => file).join(", ")}`] : []),
    ...(arm.length > 0 ? [`changes in force: ${arm.map((one) => changeNamed(one, ledger.changes)).join(", ")}`] : []),
    ...(tests === undefined
      ? []
      : [
          `tests ${changeNamed(tests, ledger.changes)}${side ? `: this is the side ${side} it` : ": both sides were equal"}${other === undefined ? "" : `; the other side is trial ${other}`}`,
        ]),
    ...trial.touches
      .filter(({ tap, did }) => did !== "decided" || isMechanism(tap)) // the rule's own decision stands above
      .map((touch) => touchLine(touch, isMechanism(touch.tap))),
    ...(outcome?.status === "measured"
      ? [`metrics: ${spaced(outcome.metrics)}`]
      : outcome && "reason" in outcome
        ? [`${outcome.status}: ${outcome.reason}`]
        : []),
    ...(outcome
      ? [
          `took ${outcome.seconds.toFixed(1)} s${outcome.where ? ` on ${outcome.where.host}, slot ${outcome.where.slot}` : ""}`,
        ]
      : []),
  ];
}

/** A belief is of the point that was proposed: where others changed that one before it ran, says who did. */
function beforeChange({ touches }: Trial): string {
  const last = touches.slice(touches.findLastIndex(({ did }) => did === "proposed") + 1); // earlier ones are of refused drafts
  const names = new Set(last.filter(({ did }) => did === "changed").map(({ tap }) => tap));
  return names.size > 0 ? `, before ${[...names].join(", ")} changed it` : "";
}

/** What a mechanism did, and what would have been without it. */
function touchLine({ tap, hook, did, detail, instead }: Trial["touches"][number], isMechanism: boolean): string {
  if (did === "decided") return `  ${tap} decided: ${decided(detail)}; without it: ${decided(instead)}`;
  const without =
    instead !== undefined
      ? `; without it: ${spaced(instead)}`
      : did === "proposed" && isMechanism
        ? "; the proposer was not called"
        : "";
  return `  ${tap} ${did} (${hook})${detail ? `: ${detail}` : ""}${without}`;
}

/** JSON with blanks, so that a narrow terminal can break it. */
const spaced = (value: unknown): string => JSON.stringify(value, null, 1).replaceAll(/\n */g, " ");

const decided = (decision: unknown): string => decisionWords[decision as Verdict["decision"]];

function armLines(trial: Trial<ArmChange>, ledgers: readonly Ledger[]): string[] {
  const { id, candidate, hypothesis, verdict } = trial;
  const evidence = ledgers.find((one) => one.setup.name === candidate.of)?.evidence.get(changeId(candidate));
  return [
    `trial ${id}: tests ${changeText(candidate)} in ${candidate.of}${hypothesis ? ` (${hypothesis})` : ""}`,
    verdict ? `${resultOf(trial)}: ${verdict.reason}` : "under way",
    ...(evidence ? [`evidence so far: ${evidenceText(evidence)}`] : []),
    ...trial.touches.filter(({ did }) => did !== "decided").map((touch) => touchLine(touch, false)),
  ];
}
