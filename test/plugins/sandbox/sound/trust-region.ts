import { changed, complete, decode, encode, mechanism, type Space, type Value } from "bilevel/kit";

/** Keeps drafts within a box around the parent that grows with successes and shrinks with failures. */
export default mechanism({
  name: "trust-region",
  source: "Eriksson et al., Scalable global optimization via local Bayesian optimization (2019)",
  init: (space: Space) => ({ space, radius: 0.2, wins: 0, losses: 0 }),
  reflect(state, trial) {
    if (trial.id === 0 || trial.repeatOf !== undefined) return state;
    if (trial.verdict?.decision === "keep") [state.wins, state.losses] = [state.wins + 1, 0];
    else [state.wins, state.losses] = [0, state.losses + 1];
    if (state.wins >= 3) [state.radius, state.wins] = [Math.min(0.8, state.radius * 2), 0];
    if (state.losses >= 5) [state.radius, state.losses] = [Math.max(0.02, state.radius / 2), 0];
    return state;
  },
  refine({ space, radius }, { candidate }, { parent }) {
    const from = parent.candidate.values ?? {};
    const to = candidate.values ?? {};
    const inside: Record<string, Value> = {};
    for (const name of changed(from, to)) {
      const parameter = space.parameters[name];
      const [start, end] = [from[name], to[name]];
      if (parameter?.type !== "float" || start === undefined || end === undefined) continue;
      const [a = 0] = encode(parameter, start);
      const [b = 0] = encode(parameter, end);
      if (Math.abs(b - a) > radius) inside[name] = decode(parameter, [a + Math.sign(b - a) * radius]);
    }
    return Object.keys(inside).length === 0 ? undefined : { ...candidate, values: complete(space, to, inside) };
  },
});
