import { changed, complete, decode, encode, mechanism, type Space, type Value } from "bilevel/kit";

/** The 1/5 success rule: longer steps while more than a fifth of the trials gain, shorter ones otherwise. */
export default mechanism({
  name: "one-fifth-rule",
  source: "Rechenberg, Evolutionsstrategie (1973)",
  init: (space: Space) => ({ space, factor: 1 }),
  reflect(state, trial) {
    if (trial.repeatOf !== undefined || trial.id === 0) return state;
    const next = state.factor * ((trial.verdict?.gain ?? -1) > 0 ? 1.5 : 0.9);
    state.factor = Math.min(3, Math.max(0.3, next));
    return state;
  },
  refine({ space, factor }, { candidate }, { parent }) {
    const from = parent.candidate.values ?? {};
    const to = candidate.values ?? {};
    const moved: Record<string, Value> = {};
    for (const name of changed(from, to)) {
      const parameter = space.parameters[name];
      const [start, end] = [from[name], to[name]];
      if (parameter?.type !== "float" || start === undefined || end === undefined) continue;
      const [a = 0] = encode(parameter, start);
      const [b = 0] = encode(parameter, end);
      moved[name] = decode(parameter, [a + factor * (b - a)]);
    }
    return Object.keys(moved).length === 0 ? undefined : { ...candidate, values: complete(space, to, moved) };
  },
});
