import {
  canonical,
  complete,
  decode,
  encode,
  mechanism,
  orthogonalArray,
  type Space,
  type Value,
  type Values,
} from "../../kit/index.ts";

/** Two levels of every factor around a centre, and what its rows measured. */
interface Design {
  /** Trial at the centre. */
  centre: number;
  factors: string[];
  rows: Values[];
  losses: Map<string, number>;
}

interface Orthogonal {
  space: Space;
  step: number;
  sign: number;
  /** Finished trials since the last design was used up. */
  rest: number;
  design?: Design;
}

/** Trials left to others between two designs. */
const pause = 12;

/**
 * Takes every second turn for the rows of a two-level orthogonal array around
 * the best point, so that each parameter's main effect is measured with half of
 * the rows; then proposes the levels that did better, all together.
 */
export default mechanism({
  name: "orthogonal-design",
  source: "Taguchi, System of Experimental Design (1987), chapter 6; arrays: Rao (1947), Plackett and Burman (1946)",
  options: {
    type: "object",
    properties: { step: { type: "number", exclusiveMinimum: 0, maximum: 0.5, default: 0.1 } },
  },
  init: (space, { step }: { step: number }): Orthogonal => ({ space, step, sign: 1, rest: pause }),
  reflect(state, trial, view) {
    state.sign = view.objective.direction === "minimize" ? 1 : -1;
    state.rest++;
    const values = trial.candidate.values ?? {};
    const { design } = state;
    const row = design?.rows.findIndex((one) => canonical(one) === canonical(values)) ?? -1;
    const loss = trial.outcome?.status === "measured" ? state.sign * trial.outcome.metric : Infinity;
    if (design && row >= 0) design.losses.set(canonical(values), loss);
    const predicted = design && prediction(state, design);
    const isKnown = (point: Values) => [canonical(values), ...(design?.losses.keys() ?? [])].includes(canonical(point));
    if (predicted && isKnown(predicted)) [state.design, state.rest] = [undefined, 0];
    const best = view.incumbent?.trial;
    const isStale = state.design && best && best.id !== state.design.centre && state.design.losses.size === 0;
    if (best && (isStale || (!state.design && state.rest >= pause)))
      state.design = designAround(state, best.id, best.candidate.values ?? {}, view.policy.frozen);
    return state;
  },
  propose(state, turn) {
    const { design } = state;
    if (!design || turn.number % 2 === 0) return undefined;
    const pending = turn.view.pending.map((trial) => canonical(trial.candidate.values));
    const own = turn.parent.candidate.values ?? {};
    const isFree = (values: Values) =>
      turn.view.policy.frozen.every((name) => canonical(values[name]) === canonical(own[name]));
    const isOpen = (values: Values) => !design.losses.has(canonical(values)) && !pending.includes(canonical(values));
    const next = design.rows.find(isOpen);
    const values = next ?? prediction(state, design);
    return values && isFree(values) && !pending.includes(canonical(values)) ? { values } : undefined;
  },
});

function designAround(state: Orthogonal, centre: number, from: Values, frozen: readonly string[]): Design | undefined {
  const factors = Object.keys(from)
    .filter((name) => isNumber(state.space, name) && !frozen.includes(name))
    .slice(0, 31);
  if (factors.length < 3) return undefined;
  const rows = orthogonalArray(factors.length, 2).map((levels) => {
    const moved = factors.map((name, factor) => [name, levelOf(state, name, from[name] as Value, levels[factor] ?? 0)]);
    return complete(state.space, from, Object.fromEntries(moved) as Values);
  });
  return { centre, factors, rows, losses: new Map() };
}

const isNumber = (space: Space, name: string): boolean => ["float", "int"].includes(space.parameters[name]?.type ?? "");

function levelOf({ space, step }: Orthogonal, name: string, value: Value, level: number): Value {
  const parameter = space.parameters[name];
  if (!parameter) return value;
  const [unit = 0] = encode(parameter, value);
  const low = Math.min(Math.max(0, unit - step), 1 - 2 * step);
  return decode(parameter, [low + 2 * step * level]);
}

/** The better level of every factor, once all rows are measured. */
function prediction({ space }: Orthogonal, design: Design): Values | undefined {
  if (design.losses.size < design.rows.length) return undefined;
  const lossOf = (row: Values): number => design.losses.get(canonical(row)) ?? Infinity;
  const chosen = design.factors.map((name) => {
    const sums = new Map<string, { value: Value; sum: number; rows: number }>();
    for (const row of design.rows.filter((one) => lossOf(one) < Infinity)) {
      const value = row[name] as Value;
      const { sum, rows } = sums.get(canonical(value)) ?? { sum: 0, rows: 0 };
      sums.set(canonical(value), { value, sum: sum + lossOf(row), rows: rows + 1 });
    }
    const [better] = [...sums.values()].sort((a, b) => a.sum / a.rows - b.sum / b.rows);
    return [name, better?.value ?? (design.rows[0]?.[name] as Value)];
  });
  return complete(space, design.rows[0] ?? {}, Object.fromEntries(chosen) as Values);
}
