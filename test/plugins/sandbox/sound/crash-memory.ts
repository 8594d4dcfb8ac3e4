import { distance, mechanism, type Space, type Values } from "bilevel/kit";

/** Refuses what is nearer to a crashed trial than to any that ran. */
export default mechanism({
  name: "crash-memory",
  source: "nearest neighbour rule: Cover and Hart (1967)",
  init: (space: Space) => ({ space, crashed: [] as Values[], ran: [] as Values[] }),
  reflect(state, trial) {
    const values = trial.candidate.values ?? {};
    if (trial.outcome?.status === "crashed") state.crashed.push(values);
    else if (trial.outcome?.status === "measured") state.ran.push(values);
    return state;
  },
  refine({ space, crashed, ran }, { candidate }) {
    const values = candidate.values ?? {};
    const nearest = (points: Values[]): number => Math.min(...points.map((point) => distance(space, point, values)));
    return crashed.length > 0 && nearest(crashed) < 0.5 * nearest(ran)
      ? { refuse: "near a trial that crashed" }
      : undefined;
  },
});
