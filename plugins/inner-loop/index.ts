import type { Level, Plugin, TaskChange, Trial, Turn, Value, Values, View } from "../../core/index.ts";
import { canonical } from "../../core/index.ts";
import {
  candidateKey,
  complete,
  defaults,
  enumerate,
  pointCount,
  sample,
  valuesKey,
  violation,
} from "../../kit/index.ts";
import { proposeHybrid } from "../propose-hybrid/index.ts";
import { proposeSearch } from "../propose-search/index.ts";
import { baselineRepeats, selectImprovement } from "../select-improvement/index.ts";

export interface InnerLoopOptions {
  name?: string;
  /** Trials that run at the same time. */
  slots?: number;
  /** Turns proposed while no slot is free. */
  ahead?: number;
  /** Unused seeds on which winner and baseline are measured at the end; one per ten trials of the budget at most. */
  confirm?: number;
  /** In force in this loop from the start. */
  plugins?: readonly Plugin[];
}

const schema = {
  type: "object",
  additionalProperties: false,
  properties: {
    name: { type: "string", minLength: 1, default: "inner" },
    slots: { type: "integer", minimum: 1, default: 1 },
    ahead: { type: "integer", minimum: 0 },
    confirm: { type: "integer", minimum: 0, default: 3 },
    plugins: { type: "array", default: [] },
  },
};

/** Finite spaces up to this size are searched to their end. */
const enumerable = 4096;

/**
 * The loop whose candidates are changes to the task. A draft names what differs
 * from its parent; the trial's candidate is whole: all active values, and all
 * edits since the frozen task.
 */
export function innerLoop(given: InnerLoopOptions = {}): Level<TaskChange> {
  const options = { ...given } as Required<Omit<InnerLoopOptions, "ahead">> & { ahead?: number };
  const confirmSeeds = (view: View<TaskChange>): number => {
    const noisy = view.noiseFloor !== 0;
    return noisy ? Math.min(options.confirm, Math.floor(view.budget.trials / 10)) : 0;
  };
  return {
    name: given.name ?? "inner",
    contract: 1,
    schema,
    options,
    kind: "task",
    defaults: { proposer: proposeSearch(), selector: selectImprovement(), withModel: proposeHybrid() },
    get slots() {
      return options.slots;
    },
    get ahead() {
      return options.ahead;
    },
    get plugins() {
      return options.plugins;
    },
    start: (space) => ({ values: space ? defaults(space) : {} }),
    together: ({ objective, budget }) =>
      objective.noise === "none" ? 1 : Math.min(options.slots, 1 + baselineRepeats(budget.trials)),
    admit,
    key: candidateKey,
    fallback,
    reserve: (view) => 2 * confirmSeeds(view),
    finish(view) {
      const winner = view.incumbent?.trial.id ?? 0;
      const groups = winner === 0 ? 0 : confirmSeeds(view);
      return Array.from({ length: groups }, (_, group) => (group % 2 === 0 ? [winner, 0] : [0, winner]));
    },
  };
}

const valuesOf = (trial: Trial<TaskChange>): Values => trial.candidate.values ?? {};

function admit(candidate: TaskChange, turn: Turn<TaskChange>): { candidate: TaskChange } | { refused: string } {
  const { space, policy } = turn.view;
  const parent = valuesOf(turn.parent);
  const values = space ? complete(space, parent, candidate.values ?? {}) : { ...parent, ...candidate.values };
  const problem = space && violation(space, values);
  if (problem !== undefined) return { refused: problem };
  const moved = policy.frozen.find(
    (name) => name in values && name in parent && canonical(values[name]) !== canonical(parent[name]),
  );
  if (moved !== undefined) return { refused: `${moved} is frozen` };
  const edits = [...(turn.parent.candidate.edits ?? []), ...(candidate.edits ?? [])];
  return { candidate: { values, ...(edits.length > 0 ? { edits } : {}) } };
}

/** A random point that was not tried; in a small finite space one of those left, or undefined when none is. */
function fallback({ view, parent, random }: Turn<TaskChange>): TaskChange | undefined {
  const { space, policy } = view;
  if (!space) return undefined;
  const frozen = Object.fromEntries(
    policy.frozen.filter((name) => name in valuesOf(parent)).map((name) => [name, valuesOf(parent)[name] as Value]),
  );
  if (pointCount(space) > enumerable) return { values: { ...sample(space, random), ...frozen } };
  const tried = new Set([...view.trials, ...view.pending].map((trial) => valuesKey(valuesOf(trial))));
  const holds = (values: Values) =>
    Object.entries(frozen).every(([name, value]) => canonical(values[name]) === canonical(value));
  const left = [...enumerate(space)].filter((values) => holds(values) && !tried.has(valuesKey(values)));
  return left.length === 0 ? undefined : { values: left[Math.floor(random() * left.length)] };
}
