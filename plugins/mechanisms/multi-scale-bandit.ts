import {
  canonical,
  complete,
  decode,
  distance,
  encode,
  mechanism,
  type Space,
  type Value,
  type Values,
} from "../../kit/index.ts";

/** One length of step, in shares of a moved parameter's range, and what came of steps near it. */
interface Scale {
  length: number;
  pulls: number;
  wins: number;
}

interface Bandit {
  space: Space;
  scales: Scale[];
}

/**
 * Learns how long steps should be. Every trial, whoever proposed it, counts for
 * the scale nearest to its own step from its parent; a proposal is rescaled, in
 * its own direction, to the scale with the highest upper confidence bound on
 * its share of gains.
 */
export default mechanism({
  name: "multi-scale-bandit",
  source: "Auer, Cesa-Bianchi and Fischer, Finite-time analysis of the multiarmed bandit problem (2002), UCB1",
  init: (space): Bandit => ({
    space,
    scales: [0.02, 0.06, 0.18, 0.5].map((length) => ({ length, pulls: 0, wins: 0 })),
  }),
  reflect(state, trial, view) {
    const from = view.trial(trial.parent)?.candidate.values;
    if (!from || trial.id === 0 || trial.repeatOf !== undefined) return state;
    const length = stepLength(state.space, from, trial.candidate.values ?? {});
    const scale = nearest(state.scales, length);
    scale.pulls++;
    if ((trial.verdict?.gain ?? -1) > 0) scale.wins++;
    return state;
  },
  refine({ space, scales }, { candidate }, { parent }) {
    const from = parent.candidate.values ?? {};
    const to = candidate.values ?? {};
    const length = stepLength(space, from, to);
    const wanted = best(scales);
    if (length === 0 || nearest(scales, length) === wanted) return undefined;
    return { ...candidate, values: rescale(space, from, to, wanted.length / length) };
  },
});

const changed = (from: Values, to: Values): string[] =>
  Object.keys(to).filter((name) => name in from && canonical(from[name]) !== canonical(to[name]));

const stepLength = (space: Space, from: Values, to: Values): number =>
  distance(space, from, to) / Math.max(1, changed(from, to).length);

const nearest = (scales: readonly Scale[], length: number): Scale =>
  scales.reduce((a, b) => (Math.abs(Math.log(length / b.length)) < Math.abs(Math.log(length / a.length)) ? b : a));

function best(scales: readonly Scale[]): Scale {
  const pulls = scales.reduce((sum, scale) => sum + scale.pulls, 0);
  const bound = (scale: Scale): number =>
    scale.pulls === 0 ? Infinity : scale.wins / scale.pulls + Math.sqrt((2 * Math.log(pulls)) / scale.pulls);
  return scales.reduce((a, b) => (bound(b) > bound(a) ? b : a));
}

/** The same direction, `factor` times as far, on the parameters' own scales. */
function rescale(space: Space, from: Values, to: Values, factor: number): Values {
  const moved: Record<string, Value> = {};
  for (const name of changed(from, to)) {
    const parameter = space.parameters[name];
    if (!parameter) continue;
    const start = encode(parameter, from[name] as Value);
    const units = encode(parameter, to[name] as Value).map(
      (unit, at) => (start[at] ?? 0) + factor * (unit - (start[at] ?? 0)),
    );
    moved[name] = decode(parameter, units);
  }
  return complete(space, to, moved);
}
