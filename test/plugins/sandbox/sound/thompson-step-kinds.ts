import { changed, complete, decode, encode, mechanism, normal, type Space, type Value } from "bilevel/kit";

/** Chooses between keeping a draft, halving and doubling its steps by Thompson sampling over what gained. */
export default mechanism({
  name: "thompson-step-kinds",
  source: "Thompson, On the likelihood that one unknown probability exceeds another (1933)",
  init: (space: Space) => ({
    space,
    arms: [0.5, 1, 2].map((factor) => ({ factor, wins: 1, losses: 1 })),
    used: new Map<number, number>(),
  }),
  reflect(state, trial) {
    if (trial.id === 0 || trial.repeatOf !== undefined) return state;
    const arm = state.arms[trial.turn % 3];
    if (!arm) return state;
    if ((trial.verdict?.gain ?? -1) > 0) arm.wins++;
    else arm.losses++;
    return state;
  },
  refine({ space, arms }, { candidate }, { parent, random }) {
    const drawn = arms.map(({ factor, wins, losses }) => {
      const share = wins / (wins + losses);
      return { factor, score: share + normal(random) * Math.sqrt((share * (1 - share)) / (wins + losses)) };
    });
    const { factor } = drawn.reduce((a, b) => (b.score > a.score ? b : a));
    if (factor === 1) return undefined;
    const from = parent.candidate.values ?? {};
    const to = candidate.values ?? {};
    const moved: Record<string, Value> = {};
    for (const name of changed(from, to)) {
      const parameter = space.parameters[name];
      const [start, end] = [from[name], to[name]];
      if (parameter?.type !== "float" || start === undefined || end === undefined) continue;
      const [a = 0] = encode(parameter, start);
      const [b = 0] = encode(parameter, end);
      moved[name] = decode(parameter, [a + factor * (b - a)]);
    }
    return { ...candidate, values: complete(space, to, moved) };
  },
});
