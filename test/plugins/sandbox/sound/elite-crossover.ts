import { complete, mechanism, type Space, type Value, type Values } from "bilevel/kit";

interface Elite {
  space: Space;
  sign: number;
  best: { values: Values; loss: number }[];
}

/** Every third turn mixes the parent with one of the best trials, parameter by parameter. */
export default mechanism({
  name: "elite-crossover",
  source: "Holland, Adaptation in Natural and Artificial Systems (1975); uniform crossover: Syswerda (1989)",
  init: (space: Space): Elite => ({ space, sign: 1, best: [] }),
  reflect(state, trial, view) {
    state.sign = view.objective.direction === "minimize" ? 1 : -1;
    if (trial.outcome?.status !== "measured" || trial.repeatOf !== undefined) return state;
    state.best.push({ values: trial.candidate.values ?? {}, loss: state.sign * trial.outcome.metric });
    state.best.sort((a, b) => a.loss - b.loss);
    state.best.length = Math.min(state.best.length, 5);
    return state;
  },
  propose({ space, best }, { number, random, parent, view }) {
    const mate = best[1 + Math.floor(random() * (best.length - 1))];
    if (number % 3 !== 0 || !mate) return undefined;
    const own = parent.candidate.values ?? {};
    const taken = Object.keys(own).filter(
      (name) => name in mate.values && !view.policy.frozen.includes(name) && random() < 0.5,
    );
    const values = complete(space, own, Object.fromEntries(taken.map((name) => [name, mate.values[name] as Value])));
    const isKnown = [own, ...[...view.trials].map((trial) => trial.candidate.values ?? {})].some(
      (other) => JSON.stringify(other) === JSON.stringify(values),
    );
    return isKnown ? undefined : { values };
  },
});
