import { localMove, mechanism, type Space } from "bilevel/kit";

/** Draws the proposal anew, as it was drawn before: no better and no worse. */
export default mechanism({
  name: "placebo",
  init: (space: Space) => ({ space }),
  reflect: (state) => state,
  refine({ space }, { candidate }, { parent, random, view }) {
    const from = parent.candidate.values ?? {};
    return { ...candidate, values: localMove(space, from, random, { step: 0.12, frozen: view.policy.frozen }) };
  },
});
