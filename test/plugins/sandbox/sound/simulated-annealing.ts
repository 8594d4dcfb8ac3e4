import { complete, decode, encode, mechanism, normal, pick, type Space } from "bilevel/kit";

/** Kicks a draft a second time while the temperature is high; the temperature falls with every trial. */
export default mechanism({
  name: "annealing-of-moves",
  source: "Kirkpatrick, Gelatt and Vecchi, Optimization by Simulated Annealing (1983)",
  options: {
    type: "object",
    properties: { cooling: { type: "number", exclusiveMinimum: 0, maximum: 1, default: 0.95 } },
  },
  init: (space: Space, { cooling }: { cooling: number }) => ({ space, cooling, temperature: 0.3 }),
  reflect(state, trial) {
    if (trial.repeatOf === undefined) state.temperature *= state.cooling;
    return state;
  },
  refine({ space, temperature }, { candidate }, { random, view }) {
    if (random() > temperature) return undefined;
    const values = candidate.values ?? {};
    const free = Object.keys(values).filter(
      (name) => space.parameters[name]?.type === "float" && !view.policy.frozen.includes(name),
    );
    if (free.length === 0) return undefined;
    const name = pick(random, free);
    const parameter = space.parameters[name];
    const value = values[name];
    if (!parameter || value === undefined) return undefined;
    const [unit = 0] = encode(parameter, value);
    return {
      ...candidate,
      values: complete(space, values, { [name]: decode(parameter, [unit + temperature * normal(random)]) }),
    };
  },
});
