import type { Level, Objective, Outcome, Plugin, Space, TaskChange, Trial, Turn, Values } from "../../core/index.ts";
import { complete, defaults, normal, sample, streamOf, valuesKey, violation } from "../../kit/index.ts";

/**
 * A task for tests of the engine: six floats, a bowl with its least, 0, at 0.3
 * each, the later ones steeper; with a proposer and a selector of a few lines.
 */
export const names = ["a", "b", "c", "d", "e", "f"];

export const space: Space = {
  parameters: Object.fromEntries(names.map((name) => [name, { type: "float", min: 0, max: 1, default: 1 }])),
};

export const objective: Objective = { metric: "loss", direction: "minimize" };

export const truth = (values: Values): number =>
  names.reduce((sum, name, index) => sum + (index + 1) * ((values[name] as number) - 0.3) ** 2, 0);

export const valuesOf = (trial: Trial<TaskChange>): Values => trial.candidate.values ?? {};

/** Some of the parent's values moved by normal steps. */
export function step(turn: Turn<TaskChange>, size = 0.15): Values {
  const moved = names.map((name) => {
    const [share, length] = [turn.random(), normal(turn.random)];
    const from = valuesOf(turn.parent)[name] as number;
    const isMoved = share < 0.4 && !turn.view.policy.frozen.includes(name);
    return [name, isMoved ? Math.min(1, Math.max(0, Number((from + size * length).toPrecision(6)))) : from];
  });
  return Object.fromEntries(moved) as Values;
}

const sizes: Readonly<Record<string, number>> = { explore: 0.3, balanced: 0.15, exploit: 0.075 };

export const proposer: Plugin = {
  name: "steps",
  contract: 1,
  apply(taps) {
    taps.propose("SOURCE", (draft, turn: Turn<TaskChange>) =>
      draft.candidate
        ? undefined
        : { ...draft, by: "steps", candidate: { values: step(turn, sizes[turn.view.policy.strategy]) } },
    );
  },
};

/** Keeps what measures lower than the best. */
export const selector: Plugin = {
  name: "lower",
  contract: 1,
  apply(taps) {
    taps.select((_verdict, { outcome }, { incumbent }) => {
      if (outcome?.status !== "measured") return { decision: "discard", reason: "not measured" };
      const gain = incumbent ? incumbent.value - outcome.metric : 0;
      const estimate = { value: outcome.metric, se: 0, repeats: 1 };
      const decision = !incumbent || gain > 0 ? "keep" : "discard";
      return { decision, gain, estimate, noiseFloor: 0, reason: decision === "keep" ? "lower" : "not lower" };
    });
  },
};

/** Measures the bowl; `noise` is the standard deviation, keyed by the trial. */
export const evaluator = (noise = 0, key = ""): Plugin => ({
  name: "bowl",
  contract: 1,
  apply(taps) {
    taps.evaluate((trial): Promise<Outcome> => {
      const metric = truth(valuesOf(trial as Trial<TaskChange>)) + noise * normal(streamOf("noise", key, trial.id));
      return Promise.resolve({ status: "measured", metric, metrics: { loss: metric }, seconds: 0 });
    });
  },
});

export const level = (extra: Partial<Level<TaskChange>> = {}): Level<TaskChange> => ({
  name: "inner",
  contract: 1,
  kind: "task",
  defaults: { proposer, selector },
  start: (of) => ({ values: defaults(of as Space) }),
  admit(candidate, { parent, view }) {
    const values = complete(view.space as Space, valuesOf(parent), candidate.values ?? {});
    const problem = violation(view.space as Space, values);
    return problem === undefined ? { candidate: { values } } : { refused: problem };
  },
  key: ({ values }) => valuesKey(values ?? {}),
  fallback: ({ random }) => ({ values: sample(space, random) }),
  ...extra,
});

/** A mechanism that turns a draft's values into others. */
export const shaper = (name: string, shape: (values: Values, turn: Turn<TaskChange>) => Values): Plugin => ({
  name,
  contract: 1,
  role: "mechanism",
  apply(taps) {
    taps.propose("SHAPE", (draft, turn: Turn<TaskChange>) =>
      draft.candidate
        ? { ...draft, candidate: { values: shape((draft.candidate as TaskChange).values ?? {}, turn) } }
        : undefined,
    );
  },
});

const better = (a: Values, b: Values): Values => (truth(b) < truth(a) ? b : a);

/** The better of the draft and another one, by the hidden truth. */
export const bestOfTwo = shaper("best-of-2", (values, turn) => better(values, step(turn)));
export const worstOfTwo = shaper("worst-of-2", (values, turn) => {
  const other = step(turn);
  return better(values, other) === values ? other : values;
});
/** Another draft, no better and no worse. */
export const placebo = shaper("placebo", (_values, turn) => step(turn));
export const inert = shaper("inert", (values) => values);
