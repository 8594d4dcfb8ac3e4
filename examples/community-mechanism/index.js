import { complete, isActive, mechanism, pick, sample } from "bilevel/kit";

/**
 * Bold steps first, small ones later (Kirkpatrick, Gelatt and Vecchi 1983): while it is hot, a draft gets one more
 * parameter at random; it cools by the factor `cooling` with each finished trial.
 */
export default mechanism({
  name: "cooling",
  source: "Kirkpatrick, Gelatt and Vecchi, Optimization by Simulated Annealing (1983)",
  options: {
    type: "object",
    properties: { cooling: { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1, default: 0.9 } },
  },
  init: (space, { cooling }) => ({ space, cooling, heat: 1 }),
  reflect(state) {
    state.heat *= state.cooling;
    return state;
  },
  refine({ space, heat }, { candidate }, { random, parent, view }) {
    if (random() > heat) return undefined;
    const from = parent.candidate.values ?? {};
    const values = complete(space, from, candidate.values ?? {});
    const open = Object.keys(space.parameters).filter(
      (name) => isActive(space, name, values) && !view.policy.frozen.includes(name),
    );
    if (open.length === 0) return undefined;
    const name = pick(random, open);
    return { ...candidate, values: { ...values, [name]: sample(space, random)[name] ?? values[name] } };
  },
});
