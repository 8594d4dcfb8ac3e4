import { changed, complete, decode, encode, mechanism, valuesKey, type Space, type Values } from "bilevel/kit";

interface Descent {
  space: Space;
  last?: { name: string; step: number };
}

/** Goes on in a direction of one parameter that just gained, with a longer step. */
export default mechanism({
  name: "coordinate-descent",
  source: "Hooke and Jeeves, Direct search solution of numerical and statistical problems (1961)",
  init: (space: Space): Descent => ({ space }),
  reflect(state, trial, view) {
    state.last = undefined;
    const from = view.trial(trial.parent)?.candidate.values ?? {};
    const to = trial.candidate.values ?? {};
    const numbers = changed(from, to).filter((name) =>
      ["float", "int"].includes(state.space.parameters[name]?.type ?? ""),
    );
    const [name] = numbers;
    if (trial.verdict?.decision !== "keep" || trial.repeatOf !== undefined || name === undefined) return state;
    const parameter = state.space.parameters[name];
    const [start, end] = [from[name], to[name]];
    if (!parameter || start === undefined || end === undefined) return state;
    state.last = { name, step: 1.5 * ((encode(parameter, end)[0] ?? 0) - (encode(parameter, start)[0] ?? 0)) };
    return state;
  },
  propose({ space, last }, { parent, view }) {
    const own: Values = parent.candidate.values ?? {};
    const parameter = last && space.parameters[last.name];
    const value = last && own[last.name];
    if (!parameter || !last || value === undefined || view.policy.frozen.includes(last.name)) return undefined;
    const values = complete(space, own, {
      [last.name]: decode(parameter, [(encode(parameter, value)[0] ?? 0) + last.step]),
    });
    const isKnown = [...view.trials].some((trial) => valuesKey(trial.candidate.values ?? {}) === valuesKey(values));
    return isKnown ? undefined : { values };
  },
});
