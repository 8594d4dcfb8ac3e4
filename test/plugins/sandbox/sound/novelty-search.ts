import { distance, localMove, mechanism, type Space, type Values } from "bilevel/kit";

/** While nothing gains, prefers of three moves the one farthest from what was tried. */
export default mechanism({
  name: "novelty-search",
  source: "Lehman and Stanley, Abandoning objectives (2011)",
  init: (space: Space) => ({ space, archive: [] as Values[], idle: 0 }),
  reflect(state, trial) {
    state.archive = [...state.archive, trial.candidate.values ?? {}].slice(-60);
    state.idle = trial.verdict?.decision === "keep" ? 0 : state.idle + 1;
    return state;
  },
  refine({ space, archive, idle }, { candidate }, { parent, random, view }) {
    if (idle < 5) return undefined;
    const own = parent.candidate.values ?? {};
    const moves = [0, 1].map(() => localMove(space, own, random, { step: 0.2, frozen: view.policy.frozen }));
    const novelty = (values: Values): number => {
      const near = archive
        .map((other) => distance(space, other, values))
        .sort((a, b) => a - b)
        .slice(0, 5);
      return near.reduce((sum, one) => sum + one, 0) / Math.max(1, near.length);
    };
    return {
      ...candidate,
      values: [candidate.values ?? {}, ...moves].reduce((a, b) => (novelty(b) > novelty(a) ? b : a)),
    };
  },
});
