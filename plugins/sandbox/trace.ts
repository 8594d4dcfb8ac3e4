import type {
  Estimate,
  Objective,
  Outcome,
  Space,
  TaskChange,
  Trial,
  Values,
  Verdict,
  View,
} from "../../core/index.ts";
import { openPolicy } from "../../core/index.ts";
import { defaults, distance, localMove, normal, sample, streamOf, valuesKey } from "../../kit/index.ts";

/** A turn as it was planned when `after` trials had finished: with the draft of the proposer, and the parameters that were frozen. */
export interface TraceTurn {
  after: number;
  number: number;
  view: View<TaskChange>;
  draft: TaskChange;
}

/** Finished trials in order, each with the view of its moment, and the turns at which a mechanism can be asked. */
export interface Trace {
  name: string;
  space: Space;
  objective: Objective;
  steps: { trial: Trial<TaskChange>; view: View<TaskChange> }[];
  turns: TraceTurn[];
  /** A made-up search goes on: runs what the turn ended with (undefined: its draft was refused), and adds the next turn. */
  advance?: (values: Values | undefined) => void;
}

const mostTrials = 2000;
const mostTurns = 60;

/** This run's own turns, its last sixty: every proposed trial with what was known when it was planned. */
export function ownTrace(now: View<TaskChange>): Trace {
  const trials = now.trials.last(mostTrials);
  const follow = follower(now);
  const steps = trials.map((trial) => ({ trial, view: follow(trial) }));
  const proposed = trials.filter((trial) => trial.id !== 0 && trial.repeatOf === undefined && trial.side !== "with");
  const turns = proposed.slice(-mostTurns).flatMap((trial): TraceTurn[] => {
    const after = trials.filter((other) => other.turn < trial.turn).length;
    const view = steps[after - 1]?.view;
    return view?.incumbent ? [{ after, number: trial.turn, view, draft: trial.candidate }] : [];
  });
  return { name: "this run", space: now.space ?? { parameters: {} }, objective: now.objective, steps, turns };
}

type Fixed = Pick<View, "level" | "policy" | "space" | "objective" | "budget">;

/** Gives the view after each trial of a search, from what the trials themselves tell; what was pending is forgotten. */
function follower(now: Fixed): (trial: Trial<TaskChange>) => View<TaskChange> {
  const sign = now.objective.direction === "minimize" ? 1 : -1;
  const trials: Trial<TaskChange>[] = [];
  const places = new Map<number, number>();
  const find = (id: number, length: number) =>
    (places.get(id) ?? Infinity) < length ? trials[places.get(id) as number] : undefined;
  let [baseline, noiseFloor]: (number | undefined)[] = [];
  let incumbent: (Estimate & { trial: Trial<TaskChange> }) | undefined;
  return (trial) => {
    places.set(trial.id, trials.length);
    const length = trials.push(trial);
    const { verdict, outcome } = trial;
    const root = trial.repeatOf === undefined ? trial : (find(trial.repeatOf, length) ?? trial);
    const estimate =
      verdict?.estimate ?? (outcome?.status === "measured" ? { value: outcome.metric, se: 0, repeats: 1 } : undefined);
    const isBetter =
      !!estimate && (!incumbent || root.id === incumbent.trial.id || sign * estimate.value < sign * incumbent.value);
    if (verdict?.decision === "keep" && isBetter) incumbent = { trial: root, ...estimate };
    if (root.id === 0) baseline = estimate?.value ?? baseline;
    noiseFloor = verdict?.noiseFloor ?? noiseFloor;
    return {
      ...now,
      trials: {
        length,
        at: (at) => (at < 0 ? trials[Math.max(-1, length + at)] : at < length ? trials[at] : undefined),
        last: (count) => trials.slice(Math.max(0, length - count), length),
        [Symbol.iterator]: () => trials.slice(0, length)[Symbol.iterator](),
      },
      trial: (id) => find(id, length),
      pending: [],
      budget: { trials: now.budget.trials, used: length },
      slots: { count: 1, busy: 1 },
      inForce: [],
      catalogue: [],
      struck: [],
      ...(baseline === undefined ? {} : { baseline }),
      ...(noiseFloor === undefined ? {} : { noiseFloor }),
      ...(incumbent ? { incumbent } : {}),
      evidence: new Map(),
    };
  };
}

/** What a search can be like: each is a way for a mechanism to be needed. */
const kinds = ["progress", "plateau", "crashes", "noise"] as const;
const length = 50;

/** Made-up searches in this space: one that goes well, one without any gain, one in which a third crashes, one that is mostly noise; in every fifth turn half of the parameters are frozen. */
export const madeUpTraces = (space: Space, objective: Objective): Trace[] =>
  kinds.map((kind) => madeUp(kind, space, objective));

function madeUp(kind: (typeof kinds)[number], space: Space, objective: Objective): Trace {
  const random = streamOf("trace", kind);
  const first = defaults(space);
  const goal = sample(space, streamOf("trace", "goal"));
  const scale = Math.max(1e-9, distance(space, first, goal));
  const noise = kind === "noise" ? 0.5 : 0.01;
  const follow = follower({
    level: "inner",
    policy: openPolicy,
    space,
    objective,
    budget: { trials: 2 * length, used: 0 },
  });
  const trace: Trace = { name: kind, space, objective, steps: [], turns: [] };
  const names = Object.keys(space.parameters);
  let best = { id: 0, values: first, loss: Infinity };

  const run = (values: Values, by: string): void => {
    const id = trace.steps.length;
    const isGood = kind === "plateau" ? 1 + (id === 0 ? 0 : 0.1 * random()) : 1 + distance(space, values, goal) / scale;
    const loss = isGood + noise * normal(random) * (kind === "plateau" ? 0 : 1);
    const crashed = kind === "crashes" && id > 0 && random() < 1 / 3;
    const metric = objective.direction === "minimize" ? loss : -loss;
    const kept = !crashed && loss < best.loss;
    const outcome: Outcome = crashed
      ? { status: "crashed", kind: "oom", reason: "out of memory", seconds: 1 }
      : { status: "measured", metric, metrics: { [objective.metric]: metric }, seconds: 1 };
    const verdict: Verdict = {
      decision: kept ? "keep" : "discard",
      ...(crashed || id === 0 ? {} : { gain: best.loss - loss }),
      ...(crashed ? {} : { estimate: { value: metric, se: 0, repeats: 1 } }),
      noiseFloor: noise,
      reason: kept ? "better" : "not better",
    };
    const trial: Trial<TaskChange> = {
      id,
      turn: id,
      parent: best.id,
      candidate: { values },
      by,
      arm: [],
      seed: 1,
      touches: [],
      outcome,
      verdict,
    };
    if (kept) best = { id, values, loss };
    trace.steps.push({ trial, view: follow(trial) });
  };
  const draft = (frozen: readonly string[]): Values => {
    let values = best.values;
    for (let round = 0; round < 20 && valuesKey(values) === valuesKey(best.values); round++)
      values = localMove(space, best.values, random, { step: 0.15, frozen });
    return values;
  };
  const plan = (): void => {
    const after = trace.steps.length;
    const view = trace.steps.at(-1)?.view as View<TaskChange>;
    const frozen = after % 5 === 0 ? names.filter((_, index) => index % 2 === 0) : [];
    trace.turns.push({
      after,
      number: after,
      view: { ...view, policy: { ...openPolicy, frozen } },
      draft: { values: draft(frozen) },
    });
  };

  run(first, "baseline");
  run(draft([]), "local");
  plan();
  trace.advance = (values) => {
    run(values ?? draft([]), "local");
    if (trace.steps.length < length) plan();
  };
  return trace;
}
