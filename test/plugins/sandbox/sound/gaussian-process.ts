import {
  coordinates,
  expectedImprovement,
  gaussianProcess,
  localMove,
  mechanism,
  type Space,
  type Values,
} from "bilevel/kit";

/** Replaces a draft by the one of several moves that a Gaussian process over the last trials expects most of. */
export default mechanism({
  name: "gaussian-process",
  source: "Jones, Schonlau and Welch, Efficient global optimization (1998)",
  init: (space: Space) => ({ space, points: [] as number[][], losses: [] as number[] }),
  reflect(state, trial, view) {
    if (trial.outcome?.status !== "measured") return state;
    state.points = [...state.points, coordinates(state.space, trial.candidate.values ?? {})].slice(-40);
    state.losses = [...state.losses, (view.objective.direction === "minimize" ? 1 : -1) * trial.outcome.metric].slice(
      -40,
    );
    return state;
  },
  refine({ space, points, losses }, { candidate }, { parent, random, view }) {
    if (points.length < 8) return undefined;
    const process = gaussianProcess(points, losses, { lengths: [0.3, 1], noises: [0.01] });
    const best = Math.min(...losses);
    const own: Values = parent.candidate.values ?? {};
    const moves = Array.from({ length: 8 }, () =>
      localMove(space, own, random, { step: 0.15, frozen: view.policy.frozen }),
    );
    const worth = (values: Values): number => expectedImprovement(process.predict(coordinates(space, values)), best);
    const choice = [candidate.values ?? {}, ...moves].reduce((a, b) => (worth(b) > worth(a) ? b : a));
    return { ...candidate, values: choice };
  },
});
