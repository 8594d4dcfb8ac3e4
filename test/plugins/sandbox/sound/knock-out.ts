import { changed, complete, mechanism, type Space, type Value, type Values } from "bilevel/kit";

interface KnockOut {
  space: Space;
  queue: { values: Values; from: Values; names: string[] }[];
}

/** Takes a trial that gained with several changes apart: proposes it again with one of the changes undone. */
export default mechanism({
  name: "knock-out",
  source: "ablation study; Fawcett and Hoos, Analysing differences between algorithm configurations (2016)",
  init: (space: Space): KnockOut => ({ space, queue: [] }),
  reflect(state, trial, view) {
    const from = view.trial(trial.parent)?.candidate.values ?? {};
    const values = trial.candidate.values ?? {};
    const names = changed(from, values);
    if (trial.verdict?.decision === "keep" && trial.repeatOf === undefined && names.length > 1)
      state.queue = [{ values, from, names }];
    else if (trial.by === "knock-out" || state.queue[0]?.names.length === 0)
      state.queue = state.queue
        .map((one) => ({ ...one, names: one.names.slice(1) }))
        .filter(({ names: left }) => left.length > 0);
    return state;
  },
  propose({ space, queue: [first] }, { number, view, parent }) {
    const name = first?.names.find((one) => !view.policy.frozen.includes(one) && one in first.from);
    if (!first || name === undefined || number % 2 === 1 || view.policy.frozen.length > 0) return undefined;
    const values = complete(space, first.values, { [name]: first.from[name] as Value });
    const tried = [parent, ...view.trials].some(
      (trial) => JSON.stringify(trial.candidate.values) === JSON.stringify(values),
    );
    return tried ? undefined : { values };
  },
});
