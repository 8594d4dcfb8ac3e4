import type { Draft, TaskChange, Trial, View } from "../../core/index.ts";
import type { Head, Message } from "./protocol.ts";
import { limits } from "./protocol.ts";

/** Shares of a message: whatever the task's files, metrics and texts, it stays within `limits.text`. */
const most = { trial: limits.text / 4, pending: limits.text / 4, draft: limits.text / 4, refused: limits.text / 16 };
const mostWords = 2000;

const lengthOf = (value: unknown): number => JSON.stringify(value).length;
const finite = (value: number | undefined): number | null =>
  value === undefined || !Number.isFinite(value) ? null : value;

/** What a view holds besides its trials. A function of the view alone: a machine that is built again gets the same. */
export function headOf({ policy, budget, slots, inForce, pending, baseline, noiseFloor, incumbent }: View): Head {
  let room = most.pending;
  return {
    policy: { ...policy, guidance: policy.guidance.slice(0, mostWords) },
    budget: { trials: finite(budget.trials), used: budget.used },
    slots,
    inForce,
    pending: pending.map(slimTrial).filter((trial) => (room -= lengthOf(trial)) >= 0),
    baseline: finite(baseline),
    noiseFloor: finite(noiseFloor),
    incumbent: incumbent
      ? { id: incumbent.trial.id, value: finite(incumbent.value), se: finite(incumbent.se), repeats: incumbent.repeats }
      : null,
  };
}

/** Without what would not fit: of edits, metrics and long texts, what the search is about is left. */
export function textOf(message: Message): string {
  if (message.do === "select") {
    const { verdict, trial } = message;
    const reason = verdict.reason.slice(0, mostWords);
    return JSON.stringify({ ...message, trial: slimTrial(trial), verdict: { ...verdict, reason } });
  }
  if ("trial" in message) return JSON.stringify({ ...message, trial: slimTrial(message.trial) });
  if (message.do !== "propose") return JSON.stringify(message);
  const { draft, turn } = message;
  const refused = turn.refused.map(({ candidate, reason }) => ({
    candidate: lengthOf(candidate ?? null) > most.refused ? valuesOf(candidate) : candidate,
    reason: reason.slice(0, mostWords),
  }));
  return JSON.stringify({ ...message, draft: slimDraft(draft), turn: { ...turn, refused } });
}

const valuesOf = (candidate: unknown): TaskChange => ({ values: (candidate as TaskChange | undefined)?.values });

function slimTrial(trial: Trial): Trial {
  if (lengthOf(trial) <= most.trial) return trial;
  const { outcome, verdict } = trial;
  return {
    ...trial,
    candidate: valuesOf(trial.candidate),
    hypothesis: trial.hypothesis?.slice(0, mostWords),
    touches: [],
    ...(outcome?.status === "measured" ? { outcome: { ...outcome, metrics: {} } } : {}),
    ...(outcome && "reason" in outcome ? { outcome: { ...outcome, reason: outcome.reason.slice(0, mostWords) } } : {}),
    ...(verdict ? { verdict: { ...verdict, reason: verdict.reason.slice(0, mostWords) } } : {}),
  };
}

function slimDraft(draft: Draft<unknown>): Draft<unknown> {
  if (lengthOf(draft) <= most.draft) return draft;
  const each = Math.floor(mostWords / draft.brief.length);
  return {
    ...draft,
    ...(draft.candidate === undefined ? {} : { candidate: valuesOf(draft.candidate) }),
    hypothesis: draft.hypothesis?.slice(0, mostWords),
    brief: draft.brief.map(({ from, text }) => ({ from, text: text.slice(0, each) })),
  };
}
