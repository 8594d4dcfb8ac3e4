import { basename } from "node:path";
import { createLogUpdate } from "log-update";
import type {
  ArmChange,
  Config,
  Evidence,
  Fact,
  Plugin,
  Run,
  TaskChange,
  Trial,
  Verdict,
  View,
} from "../../core/index.ts";
import { changeId, isEmpty } from "../../core/index.ts";
import type { Difference } from "../../kit/index.ts";
import { count } from "../../kit/text.ts";
import { baselineRepeats } from "../select-improvement/index.ts";
import { blockOf, testedText, trialLine, type Shown } from "./block.ts";
import { fitted, say } from "./screen.ts";
import { changeText, evidenceText, short } from "./words.ts";

export { blockOf, testLines, trialLine, type Shown } from "./block.ts";
export { say } from "./screen.ts";
export {
  changeNamed,
  changeText,
  decisionWords,
  duration,
  evidenceText,
  measurementOf,
  resultOf,
  short,
  signed,
  touchesText,
} from "./words.ts";

export interface ProgressOptions {
  stream?: NodeJS.WriteStream;
  /** `live`: one block that is drawn anew; `plain`: a line per event; `json`: a JSON object per event. Default by the stream, and by what its terminal can do. */
  mode?: "live" | "plain" | "json" | "quiet";
}

const redrawMs = 200;

/** Shows a run while it goes on. */
export function progress({
  stream = process.stdout,
  mode = stream.isTTY && process.env.TERM !== "dumb" ? "live" : "plain",
}: ProgressOptions = {}): Plugin {
  let close = (): void => undefined;
  return {
    name: "progress",
    contract: 1,
    open(run) {
      if (mode === "quiet") return Promise.resolve();
      if (mode === "json") run.on((fact) => void stream.write(`${JSON.stringify(fact)}\n`));
      else {
        const print =
          mode === "live" ? drawer(run, stream, (end) => (close = end)) : (line: string) => say(line, stream);
        run.on((fact) => {
          for (const line of linesOf(fact, run, mode === "live")) print(line);
        });
      }
      return Promise.resolve();
    },
    close() {
      close();
      return Promise.resolve();
    },
  };
}

/** Draws the block over and over; lines that stay are printed above it. */
function drawer(run: Run, stream: NodeJS.WriteStream, onClose: (end: () => void) => void): (line: string) => void {
  const update = createLogUpdate(stream);
  const started = Date.now();
  let ended: string | undefined;
  let above: string[] = [];
  const draw = (): void => {
    if (above.length > 0) {
      update.clear();
      stream.write(above.map((line) => `${fitted(line, stream)}\n`).join(""));
      above = [];
    }
    const shown = { ...shownOf(run, started), ended };
    const blockWith = (trials: number): string =>
      blockOf({ ...shown, trials })
        .map((line) => fitted(line, stream))
        .join("\n");
    const isRoomFor = (trials: number): boolean => blockWith(trials).split("\n").length < (stream.rows || Infinity); // else the top of it would be cut, where the best stands
    update(blockWith([5, 4, 3, 2, 1].find(isRoomFor) ?? 0));
  };
  const timer = setInterval(draw, redrawMs);
  run.on((fact) => {
    if (fact.type === "end" || fact.type === "pause") ended = String(fact.reason);
  });
  onClose(() => {
    clearInterval(timer);
    draw();
    update.done();
  });
  return (line) => void above.push(line);
}

const viewsOf = (run: Run): View[] => run.config.levels.map(({ name }) => run.view(name));

export function shownOf(run: Run, startedAt: number): Shown {
  const views = viewsOf(run);
  const inner = views[0] as View;
  const slots = run.config.levels[0]?.slots ?? 1;
  const done = inner.trials.length;
  const left = inner.budget.trials - inner.budget.used + inner.pending.length;
  const perTrial = (Date.now() - startedAt) / 1000 / Math.max(1, done);
  return {
    name: basename(run.folder),
    views,
    slots,
    ...(done > 0 && Number.isFinite(left) ? { secondsLeft: left * perTrial } : {}),
  };
}

/** What is said once of a fact; in `live` mode only what the block does not show. */
function linesOf(fact: Fact, run: Run, isLive: boolean): string[] {
  const { config } = run;
  const inner = config.levels[0]?.name;
  switch (fact.type) {
    case "run":
      return [
        `run ${basename(run.folder)}: ${config.objective.direction} ${config.objective.metric}`,
        ...outlookOf(config),
      ];
    case "session":
      return [`run ${basename(run.folder)} goes on${changesText(fact)}${endText(config)}`];
    case "notice":
      return [`note: ${String(fact.text)}`];
    case "strike":
      return [`${String(fact.plugin)} failed in ${String(fact.hook)}: ${String(fact.reason)}`];
    case "outcome": {
      const { status, reason } = fact.outcome as { status: string; reason?: string };
      return status === "lost" ? [`trial ${String(fact.trial)} will be run again: ${reason ?? ""}`] : [];
    }
    case "pair": {
      const evidence = fact.evidence as Evidence;
      return isLive || evidence.pairs === 0
        ? []
        : [`  test ${testedText(viewsOf(run), String(fact.tests))}: ${evidenceText(evidence)}`];
    }
    case "turn":
      return isLive || fact.level === inner
        ? []
        : (fact.trials as Trial<ArmChange>[]).flatMap(({ candidate, hypothesis }) =>
            isEmpty(candidate) ? [] : [`testing ${changeText(candidate)}${hypothesis ? `: ${hypothesis}` : ""}`],
          );
    case "verdict":
      return fact.level === inner ? trialLines(fact, run, isLive) : outerLines(fact, run);
    default:
      return [];
  }
}

/** How far it goes: a resume may have been told. */
const endText = ({ budget: { trials } }: Config): string =>
  trials === undefined ? "" : `, to ${count(trials, "trial")} in all`;

/** What the config changes from here on. */
function changesText({ changed = [] }: Fact): string {
  const all = (changed as Difference[]).map(({ path, before, after }) => `${path} ${value(before)} → ${value(after)}`);
  return all.length > 0 ? ` with ${all.join(", ")}` : "";
}
const value = (one: unknown): string => (one === undefined ? "none" : JSON.stringify(one));

function trialLines(fact: Fact, run: Run, isLive: boolean): string[] {
  const view = run.view(String(fact.level)) as View<TaskChange>;
  const trial = view.trial(fact.trial as number);
  if (!trial || isLive) return [];
  const best = view.incumbent && view.incumbent.trial.id === trial.id && trial.id !== 0 ? "  ← best" : "";
  return [trialLine(trial, viewsOf(run)) + best];
}

function outerLines(fact: Fact, run: Run): string[] {
  const trial = run.view(String(fact.level)).trial(fact.trial as number) as Trial<ArmChange> | undefined;
  const verdict = fact.verdict as Verdict;
  if (!trial || isEmpty(trial.candidate) || verdict.decision === "repeat") return [];
  const evidence = run.view(trial.candidate.of).evidence.get(changeId(trial.candidate));
  const how = verdict.decision === "keep" ? "kept" : verdict.decision === "revert" ? "dropped" : "too early";
  return [`${changeText(trial.candidate)}: ${how}, ${verdict.reason}${evidence ? ` (${evidenceText(evidence)})` : ""}`];
}

/** What the budget can hold, before it starts. */
function outlookOf({ budget, levels, task, objective }: Config): string[] {
  const { trials } = budget;
  if (trials === undefined) return [];
  const testing = levels.filter((level) => level.changes !== undefined).length;
  const noisy = objective.noise !== "none" && task?.seed !== "none";
  const repeats = noisy ? baselineRepeats(trials) : 0;
  const pairs = Math.max(0, Math.floor((trials - (noisy ? 6 : 0)) / 2));
  const enough =
    pairs < 5
      ? "too few to judge a change"
      : pairs < 25
        ? "enough to judge one clear change"
        : `enough to judge about ${Math.floor(pairs / 12)} changes`;
  const several =
    testing > 1 && pairs < 25 ? `; ${short(testing).replace(/\.0+$/, "")} levels test at once: expect "too early"` : "";
  return [
    `baseline${repeats > 0 ? `, measured ${repeats + 1} times,` : ""} then ${count(trials, "trial")}`,
    ...(testing > 0 ? [`${count(trials, "trial")}: about ${count(pairs, "pair")}, ${enough}${several}`] : []),
  ];
}
