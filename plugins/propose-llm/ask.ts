import type { Draft, Edit, Space, TaskChange, Taps, Turn } from "../../core/index.ts";
import { canonical } from "../../core/index.ts";
import { candidateKey, complete, violation } from "../../kit/index.ts";
import type { Program } from "./program.ts";
import { formOf, promptOf, system } from "./prompt.ts";
import { mended } from "./values.ts";

/** A proposal that breaks a rule is sent back so often. */
const returns = 1;

/** How the model is asked. */
export interface Asking {
  program: Program;
  /** So many different changes in one call, of which the first that may run is taken. */
  atOnce: number;
  /** What the search would try in this turn. */
  suggestion?: TaskChange;
}

interface Proposed {
  values?: Readonly<Record<string, unknown>>;
  edits?: readonly Edit[];
  hypothesis: string;
  expected?: string;
}

/**
 * One change by the model, checked here so that it can be told what it hit: a
 * value out of bounds, a frozen parameter, a point that is known, an edit that
 * cannot be made. It is asked again once; then there is no draft.
 */
export async function askForChange(
  taps: Pick<Taps<TaskChange>, "model" | "space" | "task">,
  turn: Turn<TaskChange>,
  draft: Draft<TaskChange>,
  { program, atOnce, suggestion }: Asking,
): Promise<{ draft: Draft<TaskChange> } | { failed: string }> {
  const { model, space = { parameters: {} }, task } = taps;
  if (!model) return { failed: "there is no model" };
  const form = formOf(space, { atOnce, editable: task?.editable });
  const context = await program.text(turn.parent.candidate, Object.keys(space.parameters));
  const refused = [...turn.refused];
  for (let asked = 0; asked <= returns; asked++) {
    const prompt = promptOf({ ...turn, refused }, draft.brief, { atOnce, suggestion });
    const question = { purpose: "proposal", system, prompt, form, ...(context ? { context } : {}) };
    const answer = await model.ask<Proposed | { changes: Proposed[] }>(turn, question);
    if ("failed" in answer) return { failed: answer.failed };
    for (const proposed of "changes" in answer.value ? answer.value.changes : [answer.value]) {
      const { values = {}, edits, hypothesis, expected } = proposed;
      const candidate = { values: mended(space, values), ...(edits?.length ? { edits } : {}) };
      const reason = await problemOf(space, turn, candidate, program);
      const told = expected ? `${hypothesis} (expected: ${expected})` : hypothesis;
      if (reason === undefined) return { draft: { ...draft, candidate, hypothesis: told } };
      refused.push({ candidate, reason });
      await turn.once("refusal", { candidate }, () => Promise.resolve({ reason })); // so that it is in the journal
    }
  }
  return { failed: `its changes were refused: ${refused.at(-1)?.reason ?? ""}` };
}

async function problemOf(
  space: Space,
  { view, parent, once }: Turn<TaskChange>,
  { values = {}, edits = [] }: TaskChange,
  program: Program,
): Promise<string | undefined> {
  if (Object.keys(values).length === 0 && edits.length === 0) return "it changes nothing";
  const own = parent.candidate.values ?? {};
  const whole = complete(space, own, values);
  const problem = violation(space, whole);
  if (problem !== undefined) return problem;
  const isMoved = (name: string): boolean => canonical(whole[name]) !== canonical(own[name]);
  const frozen = Object.keys(values).find((name) => view.policy.frozen.includes(name) && isMoved(name));
  if (frozen !== undefined) return `${frozen} is frozen`;
  const all = [...(parent.candidate.edits ?? []), ...edits];
  const key = candidateKey({ values: whole, edits: all });
  const known = [...view.trials, ...view.pending].find((trial) => candidateKey(trial.candidate) === key);
  if (known) return `this is trial ${known.id} again`;
  if (edits.length === 0) return undefined;
  // recorded: a replay has no files
  const found = await once("edits", all, async () => ({
    problem: await program.problem({ values: whole, edits: all }),
  }));
  return found.problem;
}
