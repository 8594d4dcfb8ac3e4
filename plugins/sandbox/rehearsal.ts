import type { Draft, Generated, TaskChange, Values, View } from "../../core/index.ts";
import { complete, changed, hashOf, valuesKey, violation } from "../../kit/index.ts";
import { draftOf, verdictOf } from "./generated.ts";
import { allowed, GuestFailure, Machine, type Allowance } from "./machine.ts";
import { plainText, type Head, type Message, type TapName } from "./protocol.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Problem } from "./scan.ts";
import type { Trace, TraceTurn } from "./trace.ts";

/** What a mechanism did on a trace. */
export interface Rehearsal {
  problem?: Problem;
  turns: number;
  /** Turns in which it changed, took or refused the draft. */
  acted: number;
  spoke: number;
  refused: number;
  /** Trials that it stopped, had measured again, and of those that were kept how many it discarded. */
  stopped: number;
  repeated: number;
  keeps: number;
  overruled: number;
  /** Points that it made itself, and how many of them had been tried before. */
  made: number;
  stale: number;
  /** The last of them: to make it again and again is as stale as to make what was tried. */
  last?: string;
  /** All its answers in one text for each turn that was asked: equal texts, equal answers. */
  answers: Map<number, string>;
}

interface Rehearsing {
  /** Asks only at some of the turns, irregularly; what it answers there must not depend on it. */
  sparsely?: boolean;
  /** Looks at the state before and after every call. */
  probing?: boolean;
}

/** Fuel for a rehearsal: half of what a run gives, so that a run is not lost by a tick. */
const half = ({ fuel, patienceMs }: Allowance): Allowance => ({ fuel: fuel / 2, patienceMs }) as Allowance;

const longestMessage = 500;

class Refusal extends Error {
  readonly problem: Problem;

  constructor(check: Problem["check"], message: string) {
    super(message);
    this.problem = { check, message: plainText(message, longestMessage) };
  }
}

/** Plays a trace to a mechanism in a machine of its own and asks it at the trace's turns; a made-up search goes on with what it answers. Stops at the first problem. */
export async function rehearse(
  sandbox: Sandbox,
  source: Generated,
  trace: Trace,
  { sparsely = false, probing = false }: Rehearsing = {},
): Promise<Rehearsal> {
  const { parameters } = trace.space;
  const start = {
    level: "inner",
    seed: "rehearsal",
    space: { parameters },
    objective: trace.objective,
    options: source.options,
  };
  const machine = new Machine(sandbox, source.code, start);
  const counts = { turns: 0, acted: 0, spoke: 0, refused: 0, made: 0, stale: 0 };
  const seen: Rehearsal = { ...counts, stopped: 0, repeated: 0, keeps: 0, overruled: 0, answers: new Map() };
  const tried = new Set<string>();
  let folded = 0;
  try {
    for (let index = 0; index < trace.turns.length; index++) {
      const turn = trace.turns[index] as TraceTurn;
      for (; folded < turn.after; folded++) {
        const step = trace.steps[folded];
        if (!step) break;
        machine.note(step.trial, step.view);
        tried.add(valuesKey(step.trial.candidate.values ?? {}));
      }
      if (sparsely && hashOf("sparsely", index) % 4 !== 0) continue;
      seen.turns++;
      const values = await ask(machine, source, trace, turn, seen, { tried, probing });
      trace.advance?.(values);
    }
  } catch (error) {
    seen.problem = problemOf(error, trace);
  } finally {
    await machine.drop();
  }
  return seen;
}

function problemOf(error: unknown, { name }: Trace): Problem {
  if (error instanceof Refusal) return error.problem;
  const told = plainText(error instanceof Error ? error.message : String(error), longestMessage);
  const message = `${told} (on the search "${name}")`;
  if (!(error instanceof GuestFailure) || error.kind === "error") return { check: "contract", message };
  return { check: "limits", message };
}

async function ask(
  machine: Machine,
  { taps = [] }: Generated,
  trace: Trace,
  turn: TraceTurn,
  seen: Rehearsal,
  { tried, probing }: { tried: Set<string>; probing: boolean },
): Promise<Values | undefined> {
  const { view, number } = turn;
  const where = `turn ${number} of the search "${trace.name}"`;
  const parent = view.incumbent?.trial;
  const base: Values = parent?.candidate.values ?? {};
  const words: unknown[] = [];
  let acted = false;
  const calls: Calls = async (tap, message, allowance) => {
    if (!taps.includes(tap)) return undefined;
    const before = probing ? await machine.call(() => ({ do: "probe" }), undefined, allowed.propose) : undefined;
    const answer = await machine.call(message, view, half(allowance));
    words.push([tap, answer]);
    if (probing && (await machine.call(() => ({ do: "probe" }), undefined, allowed.propose)) !== before)
      throw new Refusal("state", `its state changed in ${tap}, at ${where}: only reflect may change it`);
    return answer;
  };
  const propose = async (stage: "BRIEF" | "TURN" | "SOURCE" | "SHAPE" | "GUARD", draft: Draft<TaskChange>) => {
    const tap: TapName = `propose:${stage}`;
    const text = { number, parent: parent?.id ?? 0, refused: [], draws: [hashOf(trace.name, number)] };
    const answer = await calls(
      tap,
      (head) => ({ do: "propose", tap, head, turn: text, draft }),
      stage === "TURN" || stage === "SOURCE" ? allowed.propose : allowed.refine,
    );
    return answer === undefined ? draft : draftOf(answer, draft, "it");
  };
  const said = await propose("BRIEF", { brief: [] });
  if (said.brief.length > 0) seen.spoke++;
  const taken = await propose("SOURCE", await propose("TURN", said));
  const given: Draft<TaskChange> = taken.candidate ? taken : { ...taken, candidate: turn.draft, by: "recorded" };
  const final = await propose("GUARD", await propose("SHAPE", given));
  let values: Values | undefined;
  if (final.refused !== undefined) {
    [acted, seen.refused] = [true, seen.refused + 1];
  } else {
    values = complete(trace.space, base, final.candidate?.values ?? {});
    if (valuesKey(values) !== valuesKey(complete(trace.space, base, turn.draft.values ?? {}))) {
      acted = true;
      check(trace, turn, base, values, where);
      seen.made++;
      const key = valuesKey(values);
      if (tried.has(key) || (trace.advance && seen.last === key)) seen.stale++;
      seen.last = key;
    }
  }
  await judge(calls, view, seen);
  if (acted) seen.acted++;
  seen.answers.set(number, JSON.stringify(words));
  return values;
}

type Calls = (tap: TapName, message: (head: Partial<Head>) => Message, allowance: Allowance) => Promise<unknown>;

/** Asks what it would stop and decide; a pair cannot tell the worth of that, so it is no act. */
async function judge(calls: Calls, { trials }: View<TaskChange>, seen: Rehearsal): Promise<void> {
  const trial = trials.at(-1);
  if (!trial) return;
  const progress = [1, 2, 3].map((step) => ({
    step,
    value: trial.outcome?.status === "measured" ? trial.outcome.metric * (1 + 1 / step) : step,
  }));
  const stop = await calls("progress", (head) => ({ do: "progress", head, trial, progress }), allowed.decide);
  if (stop !== undefined && stop !== "stop")
    throw new Refusal("contract", `progress answered ${JSON.stringify(stop)}: true or false is expected of prune`);
  const { verdict = { decision: "discard", reason: "" } } = trial;
  const answer = await calls("select", (head) => ({ do: "select", head, trial, verdict }), allowed.decide);
  const { decision } = answer === undefined ? verdict : verdictOf(answer, verdict);
  if (stop === "stop") seen.stopped++;
  if (decision === "repeat" && verdict.decision !== "repeat") seen.repeated++;
  if (verdict.decision === "keep") seen.keeps++;
  if (verdict.decision === "keep" && decision === "discard") seen.overruled++;
}

function check(trace: Trace, turn: TraceTurn, base: Values, values: Values, where: string): void {
  const problem = violation(trace.space, values);
  if (problem !== undefined) throw new Refusal("contract", `it proposed what cannot be run, at ${where}: ${problem}`);
  const moved = turn.view.policy.frozen.find(
    (name) => changed(base, values).includes(name) && name in base && name in values,
  );
  if (moved !== undefined)
    throw new Refusal(
      "contract",
      `it moved ${moved}, which is frozen, at ${where}: leave out what turn.view.policy.frozen names`,
    );
}
