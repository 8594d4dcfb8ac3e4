import { complete, decode, encode, mechanism, valuesKey, type Space, type Value, type Values } from "bilevel/kit";

/** Where a draft's move failed before, tries its mirror image about the parent. */
export default mechanism({
  name: "opposition-based",
  source: "Tizhoosh, Opposition-based learning (2005)",
  init: (space: Space) => ({ space, failed: [] as Record<string, number>[] }),
  reflect(state, trial, view) {
    const from = view.trial(trial.parent)?.candidate.values ?? {};
    if (trial.id === 0 || (trial.verdict?.gain ?? -1) > 0) return state;
    state.failed = [...state.failed, directions(state.space, from, trial.candidate.values ?? {})].slice(-10);
    return state;
  },
  refine({ space, failed }, { candidate }, { parent }) {
    const from = parent.candidate.values ?? {};
    const to = candidate.values ?? {};
    const move = directions(space, from, to);
    const agrees = (other: Record<string, number>): boolean =>
      Object.keys(move).some((name) => Math.sign(other[name] ?? 0) === Math.sign(move[name] ?? 0));
    if (failed.filter(agrees).length < 4) return undefined;
    const mirrored: Record<string, Value> = {};
    for (const [name, step] of Object.entries(move)) {
      const parameter = space.parameters[name];
      const start = from[name];
      if (parameter && start !== undefined)
        mirrored[name] = decode(parameter, [Math.min(1, Math.max(0, (encode(parameter, start)[0] ?? 0) - step))]);
    }
    const values = complete(space, to, mirrored);
    return valuesKey(values) === valuesKey(from) ? undefined : { ...candidate, values };
  },
});

function directions(space: Space, from: Values, to: Values): Record<string, number> {
  const steps: Record<string, number> = {};
  for (const [name, parameter] of Object.entries(space.parameters)) {
    const [start, end] = [from[name], to[name]];
    if (parameter.type !== "float" || start === undefined || end === undefined || start === end) continue;
    steps[name] = (encode(parameter, end)[0] ?? 0) - (encode(parameter, start)[0] ?? 0);
  }
  return steps;
}
