import type { Draft, Plugin, Progress, Space, Taps, TaskChange, Trial, Turn, Verdict, View } from "../core/contract.ts";

/**
 * A search mechanism: what the outer loop tries out, and what people publish.
 * All its state comes from folding every finished trial of its level, in the
 * order of their verdicts, through `reflect`, whichever arm ran the trial; so a
 * resumed run has it again. Outside `reflect` the state is read-only.
 */
export interface Mechanism<S, O = unknown, C = TaskChange> {
  name: string;
  /** Where the method comes from: a paper, a book. */
  source?: string;
  /** Loops that it shapes: those that change tasks (default), those that change arms. */
  kinds?: readonly ("task" | "arm")[];
  /** JSON Schema of its options; options are JSON. */
  options?: object;
  init(space: Space, options: O): S;
  /** May change its state in place. */
  reflect(state: S, trial: Trial<C>, view: View<C>): S;
  /** Say something to a proposer that reads. */
  brief?(state: S, turn: Turn<C>): string | undefined;
  /** Take the turn: propose in the proposer's place. */
  propose?(state: S, turn: Turn<C>): C | undefined;
  /** Change what was proposed, or refuse it with a reason. */
  refine?(state: S, draft: Draft<C> & { candidate: C }, turn: Turn<C>): C | { refuse: string } | undefined;
  /** Stop a trial that cannot win any more. */
  prune?(state: S, trial: Trial<C>, progress: readonly Progress[], view: View<C>): boolean;
  /** Change the verdict. */
  select?(state: S, verdict: Verdict, trial: Trial<C>, view: View<C>): Verdict | undefined;
}

/** Makes a mechanism a plugin: its methods become taps, its `reflect` the fold of its state. */
export function mechanism<S, O extends object = Record<string, never>, C = TaskChange>(
  definition: Mechanism<S, O, C>,
): (options?: Partial<O>) => Plugin {
  const { name, source, brief, propose, refine, prune, select } = definition;
  for (const method of ["init", "reflect"] as const)
    if (typeof definition[method] !== "function") throw new TypeError(`mechanism ${name} has no ${method}()`);
  const schema = { additionalProperties: false, ...(definition.options ?? { type: "object" }) };
  return (given = {}) => {
    const options = { ...given } as O;
    return {
      name,
      contract: 1,
      role: "mechanism",
      ...(source === undefined ? {} : { source }),
      kinds: definition.kinds ?? ["task"],
      proposes: !!(brief ?? propose ?? refine),
      schema,
      options,
      apply(taps: Taps<C>) {
        const space = taps.space ?? { parameters: {} };
        const state = taps.state(
          () => definition.init(space, options),
          (before: S, trial, view) => {
            const after = definition.reflect(before, trial, view);
            if (after === undefined && before !== undefined) throw new TypeError("reflect gave back no state");
            return after;
          },
        );
        if (brief)
          taps.propose("BRIEF", (draft, turn) => {
            const text = now(brief.call(definition, state.value, turn), "brief");
            return text === undefined ? undefined : { ...draft, brief: [...draft.brief, { from: name, text }] };
          });
        if (propose)
          taps.propose("TURN", (draft, turn) => {
            const candidate =
              draft.candidate === undefined ? now(propose.call(definition, state.value, turn), "propose") : undefined;
            return candidate === undefined ? undefined : { ...draft, candidate, by: name };
          });
        if (refine)
          taps.propose("SHAPE", (draft, turn) => {
            if (draft.candidate === undefined || draft.refused !== undefined) return undefined;
            const answer = now(
              refine.call(definition, state.value, draft as Draft<C> & { candidate: C }, turn),
              "refine",
            );
            if (answer === undefined) return undefined;
            return isRefusal(answer) ? { ...draft, refused: answer.refuse } : { ...draft, candidate: answer };
          });
        if (prune)
          taps.progress((trial, progress, view) =>
            now(prune.call(definition, state.value, trial, progress, view), "prune") ? "stop" : undefined,
          );
        if (select)
          taps.select((verdict, trial, judging) =>
            now(select.call(definition, state.value, verdict, trial, judging), "select"),
          );
      },
    };
  };
}

/** A promise would pass for an answer and be none. */
function now<T>(answer: T, method: string): T {
  if (typeof answer === "object" && answer !== null && "then" in answer)
    throw new TypeError(`${method} answered with a promise: mechanisms answer at once`);
  return answer;
}

const isRefusal = (answer: unknown): answer is { refuse: string } =>
  typeof answer === "object" && answer !== null && "refuse" in answer;
