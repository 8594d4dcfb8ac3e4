import { distance, mechanism, type Space, type Values } from "../../kit/index.ts";

interface Tabu {
  space: Space;
  tenure: number;
  radius: number;
  recent: Values[];
}

/**
 * Refuses points close to one of the last `tenure` trials, unless that trial is
 * the parent itself: around the best point the search may stay. `radius` is in
 * shares of a parameter's range, summed over the parameters.
 */
export default mechanism({
  name: "tabu",
  source: "Glover, Tabu Search, Part I, ORSA Journal on Computing 1 (1989)",
  options: {
    type: "object",
    properties: {
      tenure: { type: "integer", minimum: 1, default: 7 },
      radius: { type: "number", exclusiveMinimum: 0, default: 0.05 },
    },
  },
  init: (space, { tenure, radius }: { tenure: number; radius: number }): Tabu => ({
    space,
    tenure,
    radius,
    recent: [],
  }),
  reflect(state, trial) {
    if (trial.repeatOf === undefined)
      state.recent = [...state.recent, trial.candidate.values ?? {}].slice(-state.tenure);
    return state;
  },
  refine({ space, radius, recent }, { candidate }, { parent, view }) {
    const values = candidate.values ?? {};
    const tried = [...recent, ...view.pending.map((trial) => trial.candidate.values ?? {})];
    const own = parent.candidate.values ?? {};
    const near = tried.find((other) => distance(space, other, values) < radius && distance(space, other, own) > 0);
    return near ? { refuse: "too close to a recent trial" } : undefined;
  },
});
