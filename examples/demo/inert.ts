import { distance, mechanism, type Space, type Values } from "bilevel/kit";

/** Computes how far the proposal is from everything tried, and changes nothing. */
export default mechanism({
  name: "inert",
  init: (space: Space) => ({ space, tried: [] as Values[] }),
  reflect(state, trial) {
    state.tried.push(trial.candidate.values ?? {});
    return state;
  },
  refine({ space, tried }, { candidate }) {
    const nearest = Math.min(...tried.map((other) => distance(space, other, candidate.values ?? {})));
    return nearest < 0 ? { refuse: "nearer than near" } : undefined;
  },
});
