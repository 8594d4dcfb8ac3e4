import { mechanism, sample, valuesKey, type Space } from "bilevel/kit";

/** After some trials without a gain, proposes a point from anywhere; then waits as long again. */
export default mechanism({
  name: "restart-on-stagnation",
  source: "Luby, Sinclair and Zuckerman, Optimal speedup of Las Vegas algorithms (1993)",
  options: { type: "object", properties: { patience: { type: "integer", minimum: 1, default: 8 } } },
  init: (space: Space, { patience }: { patience: number }) => ({ space, patience, idle: 0 }),
  reflect(state, trial) {
    state.idle = trial.verdict?.decision === "keep" ? 0 : (state.idle + 1) % (2 * state.patience);
    return state;
  },
  propose({ space, patience, idle }, { random, parent, view }) {
    if (idle !== patience) return undefined;
    const drawn = sample(space, random);
    const own = parent.candidate.values ?? {};
    const values = Object.fromEntries(
      Object.entries(drawn).map(([name, value]) => [
        name,
        view.policy.frozen.includes(name) ? (own[name] ?? value) : value,
      ]),
    );
    return valuesKey(values) === valuesKey(own) ? undefined : { values };
  },
});
