import type { Draft, Plugin, TaskChange, Taps, Trial, Turn } from "../../core/index.ts";
import { describeMove, localMove, valuesKey } from "../../kit/index.ts";

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

/** By the policy's strategy, how long steps are. */
const lengths: Readonly<Record<string, number>> = { explore: 2, balanced: 1, exploit: 0.5 };
/** A move that repeats a known point is drawn again so often. */
const draws = 20;

/** Proposes a small move from the turn's parent: the (1+1) local search, on any space. */
export function proposeLocal(given: ProposeLocalOptions = {}): Plugin {
  const options = { step: usualStep, ...given }; // also where it is part of another proposer
  return {
    name: "propose-local",
    contract: 1,
    schema,
    options,
    apply(taps: Taps<TaskChange>) {
      taps.propose("SOURCE", localMoves(taps, options));
    },
  };
}

/** The moves of `proposeLocal` as another proposer's part: fills a draft that is empty. */
export function localMoves(
  taps: Taps<TaskChange>,
  options: Required<ProposeLocalOptions> = { step: usualStep },
): (draft: Draft<TaskChange>, turn: Turn<TaskChange>) => Draft<TaskChange> | undefined {
  const tried = taps.state(
    () => new Set<string>(),
    (keys, trial: Trial<TaskChange>) => keys.add(valuesKey(trial.candidate.values ?? {})),
  );
  return (draft, turn) => {
    const { space, policy, pending } = turn.view;
    if (draft.candidate !== undefined || !space) return undefined;
    const from = turn.parent.candidate.values ?? {};
    const known = new Set(pending.map((trial) => valuesKey(trial.candidate.values ?? {})));
    const move = {
      step: options.step * (lengths[policy.strategy] ?? 1),
      frozen: policy.frozen,
      focus: policy.focus,
    };
    let values = from;
    for (let draw = 0; draw < draws; draw++) {
      values = localMove(space, from, turn.random, move);
      const key = valuesKey(values);
      if (!tried.value.has(key) && !known.has(key) && key !== valuesKey(from)) break;
    }
    return { ...draft, candidate: { values }, by: "propose-local", hypothesis: describeMove(from, values) };
  };
}
