import { predict, runnable } from "../examples/karpathy-surrogate/objective.ts";
import type { Plugin, TaskChange, Turn, Values } from "../core/index.ts";
import { distance, localMove, normal, valuesKey, type Space } from "../kit/index.ts";

/** Mechanisms whose worth is known: they see the hidden truth, the noise-free value of the surrogate, or are blind by construction. */

/** Without noise; what would rather crash than not counts as 3. */
export function truth(values: Values): number {
  const { bpb, crashProbability } = predict(runnable(values));
  return crashProbability > 0.5 ? 3 : bpb;
}

const step = 0.12; // of propose-local

/** Another draft, as propose-local would have made it. */
function fresh(space: Space, { parent, random, view }: Turn<TaskChange>, length = step): Values {
  const from = parent.candidate.values ?? {};
  let values = from;
  for (let draw = 0; draw < 20 && valuesKey(values) === valuesKey(from); draw++)
    values = localMove(space, from, random, { step: length, frozen: view.policy.frozen });
  return values;
}

type Shape = (drafted: Values, turn: Turn<TaskChange>, space: Space) => Values;

export const planted = (name: string, shape: Shape): Plugin => ({
  name,
  contract: 1,
  role: "mechanism",
  apply(taps) {
    taps.propose("SHAPE", (draft, turn: Turn<TaskChange>) => {
      const drafted = (draft.candidate as TaskChange | undefined)?.values;
      return drafted && taps.space ? { ...draft, candidate: { values: shape(drafted, turn, taps.space) } } : undefined;
    });
  },
});

const least = (candidates: readonly Values[], score: (values: Values) => number): Values => {
  const scores = candidates.map(score);
  return candidates[scores.indexOf(Math.min(...scores))] as Values;
};
const bestOf =
  (count: number, score: (values: Values, random: () => number) => number): Shape =>
  (drafted, turn, space) =>
    least([drafted, ...Array.from({ length: count - 1 }, () => fresh(space, turn))], (values) =>
      score(values, turn.random),
    );
const from = ({ parent }: Turn<TaskChange>): Values => parent.candidate.values ?? {};
const nearest =
  (count: number): Shape =>
  (drafted, turn, space) =>
    least([drafted, ...Array.from({ length: count - 1 }, () => fresh(space, turn))], (values) =>
      distance(space, from(turn), values),
    );

/** A score that knows the truth by a rank correlation of some 0.66 (tau 0.5). */
const weak =
  (tau: number) =>
  (values: Values, random: () => number): number =>
    Math.log(truth(values) - 0.968) + tau * normal(random);

/** One float moved by a hundredth of its range. */
const fine: Shape = (_drafted, turn, space) => {
  const values = from(turn);
  const floats = Object.keys(values).filter((name) => space.parameters[name]?.type === "float");
  const name = floats[Math.floor(turn.random() * floats.length)] as string;
  const parameter = space.parameters[name];
  if (parameter?.type !== "float") return values;
  const way = turn.random() < 0.5 ? -0.01 : 0.01;
  const to =
    parameter.scale === "log"
      ? (values[name] as number) * (parameter.max / parameter.min) ** way
      : (values[name] as number) + way * (parameter.max - parameter.min);
  return { ...values, [name]: Number(Math.min(parameter.max, Math.max(parameter.min, to)).toPrecision(6)) };
};

export const kinds: Readonly<Record<string, Shape>> = {
  placebo: (_drafted, turn, space) => fresh(space, turn),
  inert: (drafted) => drafted,
  "worst-of-2": bestOf(2, (values) => -truth(values)),
  "veto-of-gains": (drafted, turn, space) => {
    let values = drafted;
    for (let draw = 0; draw < 3 && truth(values) < truth(from(turn)); draw++) values = fresh(space, turn);
    return values;
  },
  "repeat-the-parent": (_drafted, turn) => from(turn),
  "fine-steps-only": fine,
  "best-of-2": bestOf(2, truth),
  "best-of-3": bestOf(3, truth),
  "weak-best-of-2": bestOf(2, weak(0.5)),
  timid: (_drafted, turn, space) => fresh(space, turn, step / 4),
  "shorter-of-2": nearest(2),
  "shorter-of-3": nearest(3),
};
