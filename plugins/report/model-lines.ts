import type { Fact, TaskChange, View } from "../../core/index.ts";
import { answerOf } from "../../core/index.ts";
import { count } from "../../kit/text.ts";
import { askedIn, costText, totalOf, type Asked, type Cost } from "../llm/index.ts";
import type { Work } from "./work.ts";
import { isGenerated } from "./work.ts";

/** What the model was asked in a run, what it took, and where. */
export interface ModelAccount extends Cost {
  failed: number;
  faults: number;
  byPurpose: Readonly<Record<string, Cost>>;
  byLevel: Readonly<Record<string, Cost>>;
  /** Changes of the model that could not be run, and why the last one. */
  refused: number;
  lastRefusal?: string;
  /** What tests of changes took: in their turns, all questions but the first. */
  inTests: Cost;
}

export function modelAccount(folder: string, facts: readonly Fact[]): ModelAccount {
  const asked = askedIn(folder, facts);
  const costsBy = (key: "purpose" | "level"): Record<string, Cost> =>
    Object.fromEntries([...Map.groupBy(asked, (one) => one[key])].map(([name, group]) => [name, totalOf(group)]));
  const testing = new Set(
    facts.flatMap(({ type, level, turn, tests }) =>
      type === "turn" && tests !== undefined ? [`${level} ${String(turn)}`] : [],
    ),
  );
  const turnOf = ({ level, turn }: Asked): string => `${level} ${turn}`;
  const refusals = facts.flatMap((fact) =>
    fact.type === "once" && fact.kind === "refusal" ? [(answerOf(folder, fact) as { reason: string }).reason] : [],
  );
  return {
    ...totalOf(asked),
    failed: asked.filter(({ failed }) => failed !== undefined).length,
    faults: asked.reduce((sum, { faults = [] }) => sum + faults.length, 0),
    byPurpose: costsBy("purpose"),
    byLevel: costsBy("level"),
    refused: refusals.length,
    ...(refusals.length > 0 ? { lastRefusal: refusals.at(-1) } : {}),
    inTests: totalOf(
      asked.filter(
        (one, index) => testing.has(turnOf(one)) && asked.findIndex((other) => turnOf(other) === turnOf(one)) < index,
      ),
    ),
  };
}

/** What the model and the search each proposed and what came of it, and what the model took; nothing where no model was asked. */
export function modelLines(
  view: View<TaskChange>,
  works: readonly Work[],
  folder: string,
  facts: readonly Fact[],
): string[] {
  const account = modelAccount(folder, facts);
  if (account.questions === 0) return [];
  const trials = [...view.trials].filter(({ id, repeatOf }) => id !== 0 && repeatOf === undefined);
  const told = (by: string): string => {
    const made = trials.filter((trial) => trial.by === by);
    return `${made.length} proposed, ${made.filter(({ verdict }) => verdict?.decision === "keep").length} kept`;
  };
  const nothing: Cost = { questions: 0, calls: 0, tokens: 0, ...(account.usd === undefined ? {} : { usd: 0 }) };
  const proposals = account.byPurpose.proposal ?? nothing;
  const free = account.usd === undefined ? "" : ", $0";
  const purposes = Object.entries(account.byPurpose).map(([purpose, { questions }]) => `${purpose} ${questions}`);
  const reason = askedIn(folder, facts).findLast(({ failed }) => failed !== undefined)?.failed ?? "";
  const without =
    account.failed > 0
      ? `; ${account.failed} without a usable answer, so the search went on without it (${reason})`
      : "";
  const faults = account.faults > account.failed ? `; ${count(account.faults, "fault")} on the way` : "";
  const levels = Object.entries(account.byLevel).map(([level, cost]) => `${level} ${costText(cost)}`);
  const tests = account.inTests.calls > 0 ? `; second proposals in tests ${costText(account.inTests)}` : "";
  const refused =
    account.refused > 0 ? `; ${account.refused} of its changes could not be run (${account.lastRefusal})` : "";
  return [
    writtenLine(folder, facts, works),
    `model: ${told("propose-llm")}, ${costText(proposals)}; search: ${told("propose-search")}${free}`,
    `the model was asked ${count(account.questions, "time")} (${purposes.join(", ")})${without}${refused}${faults}`,
    `the model took ${costText(account)} in ${count(account.calls, "call")}, ${costText(shareOf(account, view.budget.used))} a trial: ${levels.join("; ")}${tests}`,
  ];
}

const shareOf = (cost: Cost, trials: number): Cost => ({
  ...cost,
  tokens: Math.round(cost.tokens / Math.max(1, trials)),
  ...(cost.usd === undefined ? {} : { usd: cost.usd / Math.max(1, trials) }),
});

/** What became of the files that were written: let in, acting, called, kept. */
function writtenLine(folder: string, facts: readonly Fact[], works: readonly Work[]): string {
  const admissions = facts
    .filter(({ type, kind }) => type === "once" && kind === "admission")
    .map((fact) => (answerOf(folder, fact) as { admission: { standing?: string } }).admission);
  const standing = (test: (one: string | undefined) => boolean) =>
    admissions.filter((one) => test(one.standing)).length;
  const written = works.filter(({ name }) => isGenerated(name));
  const counts = [
    `${admissions.length} written`,
    `${standing((one) => one !== undefined)} admitted`,
    `${standing((one) => one === "live")} live`,
    `${written.filter(({ calls }) => calls > 0).length} called`,
    `${written.filter(({ inForce }) => inForce).length} kept`,
  ];
  return `mechanisms: ${counts.join(", ")}`;
}
