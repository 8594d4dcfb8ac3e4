import type { Evidence, Fact, TaskChange, View } from "../../core/index.ts";
import { describeMove } from "../../kit/index.ts";
import { costOf, type Exchange, type Price } from "../llm/index.ts";
import { changeText, evidenceText, short, signed } from "../progress/index.ts";
import { confirmed } from "../select-improvement/index.ts";
import type { ArmChange, Trial } from "../../core/index.ts";
import { changeId, isEmpty } from "../../core/index.ts";

/** What a mechanism did and took, counted over a run. */
export interface Work {
  name: string;
  /** By kind of touch: in how many trials. */
  touches: Readonly<Record<string, number>>;
  /** Calls of its taps, their milliseconds, and ticks of its interpreter where it has one. */
  calls: number;
  ms: number;
  fuel?: number;
  /** Calls that failed. */
  strikes: number;
  evidence?: Evidence;
  inForce: boolean;
  /** Left out for its failures. */
  struck: boolean;
}

/** `name@hash`: a mechanism that was written for the run. */
const generatedName = /^[a-z][a-z0-9-]*@[0-9a-f]{8}$/;

/** The mechanisms that are in force or were tried, with what they did; `facts` tell what they took. */
export function workOf(view: View, facts: readonly Fact[] = []): Work[] {
  const written = [...view.evidence.keys(), ...view.struck].filter((id) => generatedName.test(id));
  const names = [...new Set([...view.inForce, ...view.catalogue, ...written])];
  const counts = new Map<string, Record<string, number>>(names.map((name) => [name, {}]));
  for (const trial of view.trials)
    for (const { tap, did } of trial.touches) {
      const count = counts.get(tap);
      if (count && did !== "decided") count[did] = (count[did] ?? 0) + 1;
    }
  const costs = costsOf(view.level, facts);
  return names.map((name) => ({
    name,
    touches: counts.get(name) ?? {},
    ...(costs.get(name) ?? { calls: 0, ms: 0 }),
    strikes: facts.filter(({ type, level, plugin }) => type === "strike" && level === view.level && plugin === name)
      .length,
    evidence: view.evidence.get(name),
    inForce: view.inForce.includes(name),
    struck: view.struck.includes(name),
  }));
}

type Cost = Pick<Work, "calls" | "ms" | "fuel">;

/** What each plugin's taps took in a level: the last count of every session, all sessions together. */
function costsOf(level: string, facts: readonly Fact[]): Map<string, Cost> {
  const sessions: Record<string, Cost>[] = [{}];
  for (const { type, volatile } of facts) {
    if (type === "session") sessions.push({});
    if (volatile?.taps) sessions[sessions.length - 1] = volatile.taps as Record<string, Cost>;
  }
  const total = new Map<string, Cost>();
  for (const taps of sessions) {
    const mine = new Map<string, Cost>();
    for (const [key, { calls, ms, fuel }] of Object.entries(taps)) {
      const [of, plugin = ""] = key.split(" ");
      if (of !== level) continue;
      const known = mine.get(plugin) ?? { calls: 0, ms: 0 };
      mine.set(plugin, { calls: known.calls + calls, ms: known.ms + ms, ...(fuel === undefined ? {} : { fuel }) });
    }
    for (const [plugin, { calls, ms, fuel }] of mine) {
      const known = total.get(plugin) ?? { calls: 0, ms: 0 };
      total.set(plugin, {
        calls: known.calls + calls,
        ms: Math.round(known.ms + ms),
        ...(fuel === undefined ? {} : { fuel: (known.fuel ?? 0) + fuel }),
      });
    }
  }
  return total;
}

/** What a run came to, in a few lines. */
export function summaryLines(views: readonly View[], reason: string, facts: readonly Fact[] = []): string[] {
  const [inner, ...outer] = views as [View<TaskChange>, ...View[]];
  const { incumbent, baseline, objective } = inner;
  const lines = [`end: ${reason}`];
  if (!incumbent || baseline === undefined) return [...lines, "nothing was measured"];
  const gain = objective.direction === "minimize" ? baseline - incumbent.value : incumbent.value - baseline;
  if (incumbent.trial.id === 0)
    lines.push(`best: the baseline, ${objective.metric} ${short(baseline)}; nothing was better beyond the noise`);
  else {
    lines.push(confirmedLine(inner, `during the search ${short(incumbent.value)}, gain ${signed(gain)}`));
    lines.push(
      `best: trial ${incumbent.trial.id}: ${describeMove(inner.trial(0)?.candidate.values ?? {}, incumbent.trial.candidate.values ?? {})}`,
    );
  }
  lines.push(...spentLines(inner), ...modelLines(inner, facts), ...mechanismLines(inner, facts), ...testLines(outer));
  return lines;
}

function confirmedLine(view: View<TaskChange>, search: string): string {
  const result = confirmed(view);
  const { metric } = view.objective;
  if (!result) return `${metric} ${search}; not measured on fresh seeds`;
  const found = `${short(result.baseline)} → ${short(result.winner)} ± ${short(result.se)}, n=${result.n}`;
  return result.confirmed
    ? `confirmed: ${metric} ${found}; ${search}`
    : `not confirmed on fresh seeds: ${metric} ${found}; ${search}`;
}

function spentLines(view: View<TaskChange>): string[] {
  const count = (test: (trial: Trial<TaskChange>) => boolean) => [...view.trials].filter(test).length;
  const repeats = count((trial) => trial.repeatOf !== undefined && trial.repeatOf !== 0 && !trial.confirms);
  const crashed = count(({ outcome }) => outcome?.status === "crashed");
  const kept = count((trial) => trial.verdict?.decision === "keep" && trial.id !== 0 && trial.repeatOf === undefined);
  return [
    `${view.budget.used} trials: ${kept} kept, ${crashed} crashed, ${repeats} to measure again, ${count((trial) => trial.confirms === true)} to confirm`,
  ];
}

/** What became of the files that were written: let in, acting, called, kept. */
function writtenLine(view: View, facts: readonly Fact[]): string[] {
  const admissions = facts.flatMap(({ type, kind, result }) =>
    type === "once" && kind === "admission" && result
      ? [(result as { admission: { standing?: string } }).admission]
      : [],
  );
  if (admissions.length === 0) return [];
  const admitted = admissions.filter(({ standing }) => standing !== undefined);
  const live = admitted.filter(({ standing }) => standing === "live");
  const works = workOf(view, facts).filter(({ name }) => generatedName.test(name));
  const called = works.filter(({ calls }) => calls > 0);
  return [
    `mechanisms: ${admissions.length} written, ${admitted.length} admitted, ${live.length} live, ${called.length} called, ${works.filter(({ inForce }) => inForce).length} kept`,
  ];
}

/** What the model and the search each proposed and what came of it, and what the model took. */
function modelLines(view: View<TaskChange>, facts: readonly Fact[]): string[] {
  const exchanges = facts.flatMap((fact) =>
    fact.type === "once" && fact.kind === "model" && fact.result ? [fact.result as Exchange] : [],
  );
  if (exchanges.length === 0) return [];
  const price = (facts[0]?.config as { llm?: { options?: { price?: Price } } } | undefined)?.llm?.options?.price;
  const used = exchanges.reduce(
    (sum, { usage }) => ({
      input: sum.input + usage.input,
      cached: sum.cached + usage.cached,
      output: sum.output + usage.output,
    }),
    { input: 0, cached: 0, output: 0 },
  );
  const failed = exchanges.filter((one) => one.failed !== undefined);
  const faults = exchanges.reduce((sum, one) => sum + (one.faults?.length ?? 0), 0);
  const trials = [...view.trials].filter(({ id, repeatOf }) => id !== 0 && repeatOf === undefined);
  const told = (name: string, by: string): string => {
    const made = trials.filter((trial) => trial.by === by);
    return `${name}: ${made.length} proposed, ${made.filter(({ verdict }) => verdict?.decision === "keep").length} kept`;
  };
  const cost = price ? `, $${costOf(used, price).toFixed(2)}` : "";
  const purposes = [...Map.groupBy(exchanges, ({ purpose }) => purpose)].map(
    ([purpose, all]) => `${purpose} ${all.length}`,
  );
  return [
    ...writtenLine(view, facts),
    `${told("model", "propose-llm")}, ${used.input + used.output} tokens${cost}; ${told("search", "propose-local")}`,
    `the model was asked ${exchanges.length} times (${purposes.join(", ")})${failed.length > 0 ? `; ${failed.length} without a usable answer, so the search went on without it (${failed.at(-1)?.failed ?? ""})` : ""}${faults > failed.length ? `; ${faults} faults on the way` : ""}`,
  ];
}

function mechanismLines(view: View<TaskChange>, facts: readonly Fact[]): string[] {
  return workOf(view, facts).map(({ name, touches, calls, ms, fuel, strikes, evidence, inForce, struck }) => {
    const did = Object.entries(touches)
      .map(([kind, times]) => `${kind} ${times}`)
      .join(", ");
    const effect = evidence?.effect
      ? `, per trial ${signed(evidence.effect.mean)} (95 %: ${short(evidence.effect.low)} to ${short(evidence.effect.high)})`
      : "";
    const told = evidence
      ? evidenceText(evidence) + effect
      : inForce
        ? "in force from the start, not judged"
        : "not tested";
    const state = struck
      ? `out after ${strikes} ${strikes === 1 ? "failure" : "failures"}`
      : inForce
        ? "kept"
        : evidence?.decision === "revert"
          ? "dropped"
          : evidence
            ? "too early"
            : "-";
    const took =
      calls === 0
        ? ""
        : `; ${calls} calls, ${ms} ms${fuel === undefined ? "" : `, fuel ${fuel}`}${strikes > 0 && !struck ? `, ${strikes} failed` : ""}`;
    return `mechanism ${name}: ${state}; ${did || "touched nothing"}${took}; ${told}`;
  });
}

function testLines(outer: readonly View[]): string[] {
  const tried = new Map<string, { change: ArmChange; evidence?: Evidence }>();
  for (const view of outer)
    for (const { candidate } of view.trials as Iterable<Trial<ArmChange>>)
      if (!isEmpty(candidate))
        tried.set(changeId(candidate), {
          change: candidate,
          evidence: targetOf(view, candidate.of)?.evidence.get(changeId(candidate)),
        });
  const policies = [...tried.values()].filter(({ change }) => change.policy);
  const expected = [...tried.values()]
    .reduce((sum, { evidence }) => sum + (evidence ? 1 / evidence.needed : 0), 0)
    .toFixed(2);
  return [
    ...policies.map(
      ({ change, evidence }) => `policy ${changeText(change)}: ${evidence ? evidenceText(evidence) : "no pair"}`,
    ),
    ...(tried.size > 0
      ? [
          `${tried.size} ${tried.size === 1 ? "change was" : "changes were"} tested; were none of them any good, at most ${expected} would be kept by chance`,
        ]
      : []),
  ];
}

const targetOf = (view: View, name: string): View | undefined =>
  view.level === name ? view : view.below && targetOf(view.below, name);
