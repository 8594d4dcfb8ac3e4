import {
  complete,
  decode,
  encode,
  mechanism,
  orthogonalArray,
  valuesKey,
  type Space,
  type Value,
  type Values,
} from "bilevel/kit";

interface Screen {
  space: Space;
  names: string[];
  rows: number[][];
  next: number;
  effects: Map<string, { high: number[]; low: number[] }>;
}

/** Screens the floats with a two-level design around the best point, then says which of them matter. */
export default mechanism({
  name: "plackett-burman",
  source: "Plackett and Burman, The design of optimum multifactorial experiments (1946)",
  init(space: Space): Screen {
    const names = Object.keys(space.parameters)
      .filter((name) => space.parameters[name]?.type === "float")
      .slice(0, 11);
    return {
      space,
      names,
      rows: names.length > 0 ? orthogonalArray(Math.max(2, names.length), 2) : [],
      next: 0,
      effects: new Map(),
    };
  },
  reflect(state, trial) {
    state.next = Math.min(state.rows.length, state.next + (trial.id % 2));
    if (trial.outcome?.status !== "measured") return state;
    for (const [column, name] of state.names.entries()) {
      const sides = state.effects.get(name) ?? { high: [], low: [] };
      const isHigh = state.rows[state.next % Math.max(1, state.rows.length)]?.[column] === 1;
      sides[isHigh ? "high" : "low"].push(trial.outcome.metric);
      state.effects.set(name, sides);
    }
    return state;
  },
  propose({ space, names, rows, next }, { number, parent, view }) {
    const row = rows[next];
    if (!row || number % 2 === 0) return undefined;
    const base: Values = parent.candidate.values ?? {};
    const moved: Record<string, Value> = {};
    for (const [column, name] of names.entries()) {
      const parameter = space.parameters[name];
      const value = base[name];
      if (!parameter || value === undefined || view.policy.frozen.includes(name)) continue;
      const [unit = 0] = encode(parameter, value);
      moved[name] = decode(parameter, [Math.min(1, Math.max(0, unit + (row[column] === 1 ? 0.1 : -0.1)))]);
    }
    const values = complete(space, base, moved);
    return valuesKey(values) === valuesKey(base) ? undefined : { values };
  },
});
