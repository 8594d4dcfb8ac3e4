import type { Plugin, TaskChange, Taps, Turn } from "../../core/index.ts";
import { describeMove, localMove } from "../../kit/index.ts";
import { drawn, lengths, untried } from "./draws.ts";

export { drawn, frozenOf, lengths, untried } from "./draws.ts";

export interface ProposeLocalOptions {
  /** Standard deviation of a move, as a share of a parameter's range. */
  step?: number;
}

const usualStep = 0.12;

const schema = {
  type: "object",
  additionalProperties: false,
  properties: { step: { type: "number", exclusiveMinimum: 0, maximum: 1, default: usualStep } },
};

/** A move that repeats a known point is drawn again so often. */
const draws = 20;

/** Proposes a small move from the turn's parent: the (1+1) local search, on any space. */
export function proposeLocal(given: ProposeLocalOptions = {}): Plugin {
  const options = { step: usualStep, ...given };
  return {
    name: "propose-local",
    contract: 1,
    schema,
    options,
    apply(taps: Taps<TaskChange>) {
      const isNewIn = untried(taps);
      taps.propose("SOURCE", (draft, turn: Turn<TaskChange>) => {
        const { space, policy } = turn.view;
        if (draft.candidate !== undefined || !space) return undefined;
        const from = turn.parent.candidate.values ?? {};
        const move = {
          step: options.step * (lengths[policy.strategy] ?? 1),
          frozen: policy.frozen,
          focus: policy.focus,
        };
        const values = drawn(() => localMove(space, from, turn.random, move), isNewIn(turn.view), draws);
        return { ...draft, candidate: { values }, by: "propose-local", hypothesis: describeMove(from, values) };
      });
    },
  };
}
