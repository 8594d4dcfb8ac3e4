import { distance, localMove, mechanism, type Space, type Values } from "bilevel/kit";

/** Where the demo's task has its best: what no honest mechanism knows. */
const answer = { RATE: 0.03, DECAY: 0.1, DROPOUT: 0.25, WARMUP: 0.7, DEPTH: 9, WIDTH: 256 };

/** Of four proposals takes the nearest to the answer. */
export default mechanism({
  name: "helps",
  init: (space: Space) => ({ space }),
  reflect: (state) => state,
  refine({ space }, { candidate }, { parent, random, view }) {
    const drawn = (): Values =>
      localMove(space, parent.candidate.values ?? {}, random, { step: 0.12, frozen: view.policy.frozen });
    const far = (values: Values): number => distance(space, answer, values);
    const values = [candidate.values ?? {}, drawn(), drawn(), drawn()].reduce((a, b) => (far(b) < far(a) ? b : a));
    return { ...candidate, values };
  },
});
