import type { Draft, Generated, Plugin, TaskChange, Turn, Values, Verdict, View } from "../../core/index.ts";
import { digest, FinalStrike, isObject, KnownFailure } from "../../core/index.ts";
import { hashOf } from "../../kit/index.ts";
import { conductProblem } from "./conduct.ts";
import { allowed, GuestFailure, Machine, type Allowance } from "./machine.ts";
import { plainText, type Head, type Message, type TapName } from "./protocol.ts";
import type { Sandbox } from "./sandbox.ts";

const stages = ["BRIEF", "TURN", "SOURCE", "SHAPE", "GUARD"] as const;
const longestReason = 500;
const longestAdvice = 2000;
const otherwise = "built again from the trials, it answered otherwise: it keeps state outside reflect";

/**
 * A generated mechanism as a plugin: its file runs in a machine of its own, and
 * what it answers is checked here before it counts. A call that fails is
 * recorded, so that a replay fails there too, and is thrown: the hooks count it.
 */
export function generated(sandbox: Sandbox, name: string, source: Generated): Plugin {
  const taps = (source.taps ?? [...stages.map((stage) => `propose:${stage}`), "progress", "select"]) as TapName[];
  const machines: Machine[] = [];
  return {
    name,
    contract: 1,
    role: "mechanism",
    origin: "generated",
    fuel: () => machines.reduce((sum, { fuel }) => sum + fuel, 0),
    apply(arm) {
      const { level, seed, objective } = arm;
      const space = { parameters: arm.space?.parameters ?? {} }; // constraints are functions: they stay here
      const start = { level, seed, objective, space, options: source.options };
      const state = arm.state(
        () => {
          const machine = new Machine(sandbox, source.code, start);
          machines.push(machine);
          return machine;
        },
        (machine, trial, view) => {
          machine.note(trial, view);
          return machine;
        },
      );
      for (const stage of stages) {
        const tap: TapName = `propose:${stage}`;
        if (!taps.includes(tap)) continue;
        arm.propose(stage, async (draft: Draft<TaskChange>, turn: Turn<TaskChange>) => {
          const draws = [turn.random(), turn.random()].map((draw) => Math.floor(draw * 2 ** 32));
          const { number, parent, refused } = turn;
          const message = (head: Partial<Head>): Message => ({
            do: "propose",
            tap,
            head,
            draft,
            turn: { number, parent: parent.id, refused, draws },
          });
          const request = { mechanism: name, tap, draws, draft: digest(JSON.stringify(draft)) };
          const allowance = stage === "TURN" || stage === "SOURCE" ? allowed.propose : allowed.refine;
          return recorded(turn, request, async () => {
            const first = await ask(name, state.value, message, turn.view, allowance);
            if (refused.length === 0 && isCheckpoint(name, number)) {
              await state.value.drop();
              const again = await ask(name, state.value, message, turn.view, allowance);
              if (JSON.stringify(again) !== JSON.stringify(first)) throw new FinalStrike(otherwise);
            }
            return first === undefined ? undefined : draftOf(first, draft, name);
          });
        });
      }
      if (taps.includes("progress"))
        arm.progress(async (trial, progress, view: View) => {
          const answer = await ask(
            name,
            state.value,
            (head) => ({ do: "progress", head, trial, progress }),
            view,
            allowed.decide,
          );
          if (answer !== undefined && answer !== "stop")
            throw new TypeError(`progress answered ${shown(answer)}: "stop" or nothing is allowed`);
          return answer;
        });
      if (taps.includes("select"))
        arm.select(async (verdict, trial, judging) => {
          if (trial.confirms) return undefined; // the end of a run is not the search's to judge
          const request = { mechanism: name, tap: "select", verdict: digest(JSON.stringify(verdict)) };
          const message = (head: Partial<Head>): Message => ({ do: "select", head, trial, verdict });
          const decided = await recorded(judging, request, async () => {
            const answer = await ask(name, state.value, message, judging, allowed.decide);
            return answer === undefined ? undefined : verdictOf(answer, verdict);
          });
          // else one trial could be measured for ever
          return decided?.decision === "repeat" && trial.repeatOf !== undefined ? undefined : decided;
        });
    },
  };
}

/**
 * One turn between each power of two and the next, from 16 to 1,024: there a
 * mechanism is asked twice, the second time built again from the trials, as
 * after a resume. What it kept elsewhere shows, also where it behaved in its
 * rehearsal; further on, building it again would cost more than a trial.
 */
function isCheckpoint(name: string, turn: number): boolean {
  const power = 2 ** (31 - Math.clz32(turn));
  return power >= 16 && power < 1024 && turn === power + (hashOf("checkpoint", name, power) % power);
}

async function ask(
  name: string,
  machine: Machine,
  message: (head: Partial<Head>) => Message,
  view: View,
  allowance: Allowance,
): Promise<unknown> {
  const problem = conductProblem(name, view);
  if (problem !== undefined) throw new FinalStrike(problem);
  try {
    return await machine.call(message, view, allowance);
  } catch (error) {
    throw error instanceof GuestFailure && error.isFinal ? new FinalStrike(error.message) : error;
  }
}

/** Only failures are recorded, and counted once: whether a call ends in one may hang on time and memory, what it answers does not. */
async function recorded<T>(
  recorder: Pick<Turn<unknown>, "once">,
  request: object,
  run: () => Promise<T | undefined>,
): Promise<T | undefined> {
  let answer: T | undefined;
  let isKnown = true;
  const failure = await recorder.once("failure", request, async () => {
    isKnown = false;
    try {
      answer = await run();
      return undefined;
    } catch (error) {
      return { reason: error instanceof Error ? error.message : String(error), final: error instanceof FinalStrike };
    }
  });
  if (failure && isKnown) throw new KnownFailure(failure.reason);
  if (failure) throw failure.final ? new FinalStrike(failure.reason) : new Error(failure.reason);
  return answer;
}

const shown = (value: unknown): string => plainText(JSON.stringify(value) ?? "nothing", 80);

/** What a guest's draft may change of the one it was given: the values, a refusal, a word to who reads. @throws TypeError */
export function draftOf(answer: unknown, draft: Draft<TaskChange>, name: string): Draft<TaskChange> {
  if (!isObject(answer)) throw new TypeError(`a draft was expected, not ${shown(answer)}`);
  const { candidate, refused, brief, hypothesis } = answer;
  if (refused !== undefined && draft.refused === undefined) {
    if (typeof refused !== "string") throw new TypeError(`a refusal is a text, not ${shown(refused)}`);
    return { ...draft, refused: plainText(refused, longestReason) };
  }
  const next = { ...draft };
  if (Array.isArray(brief) && brief.length > draft.brief.length) {
    const [said] = brief.slice(draft.brief.length) as { text?: unknown }[];
    if (typeof said?.text !== "string") throw new TypeError(`a brief is a text, not ${shown(said)}`);
    next.brief = [...draft.brief, { from: name, text: plainText(said.text, longestAdvice) }];
  }
  if (candidate === undefined) return next;
  if (!isObject(candidate)) throw new TypeError(`a candidate is { values }, not ${shown(candidate)}`);
  if (draft.candidate === undefined) next.by = name;
  if (typeof hypothesis === "string") next.hypothesis = plainText(hypothesis, longestReason);
  if (candidate.values !== undefined) next.candidate = { ...draft.candidate, values: valuesOf(candidate.values) };
  return next;
}

function valuesOf(values: unknown): Values {
  if (!isObject(values)) throw new TypeError(`values are an object, not ${shown(values)}`);
  for (const [key, value] of Object.entries(values)) {
    if (["__proto__", "constructor", "prototype"].includes(key)) throw new TypeError(`${key} is no parameter`);
    if (!isValue(value))
      throw new TypeError(
        `${shown(key)} is ${shown(value)}: a finite number, text, boolean or a list of those is allowed`,
      );
  }
  return values as Values;
}

const isValue = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.length <= 64 && value.every(isValue)
    : ["number", "string", "boolean"].includes(typeof value);

/**
 * What a guest may decide: what the rule could not estimate (it was not
 * measured, or broke a limit or the user's check) is never kept. @throws TypeError
 */
export function verdictOf(answer: unknown, verdict: Verdict): Verdict {
  if (!isObject(answer)) throw new TypeError(`a verdict was expected, not ${shown(answer)}`);
  const { decision, reason } = answer;
  if (decision !== "keep" && decision !== "discard" && decision !== "repeat")
    throw new TypeError(`a decision is keep, discard or repeat, not ${shown(decision)}`);
  if (decision !== "discard" && decision !== verdict.decision && !verdict.estimate)
    throw new TypeError(`${decision} was decided of a trial without an estimate: ${verdict.reason}`);
  return {
    ...verdict,
    decision,
    reason: typeof reason === "string" ? plainText(reason, longestReason) : verdict.reason,
  };
}
