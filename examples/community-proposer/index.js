import { complete, decode, dimensions } from "bilevel/kit";

/** The n-th number of the van der Corput sequence in this base, in [0, 1) (Halton 1960). */
function radicalInverse(n, base) {
  let [inverse, share] = [0, 1 / base];
  for (let left = n; left > 0; left = Math.floor(left / base), share /= base) inverse += (left % base) * share;
  return inverse;
}

function primes(count) {
  const found = [];
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
}

/** @returns a proposer: the next point of a Halton sequence over the whole space, from its `start` on. */
export default function halton(given = {}) {
  const options = { ...given };
  return {
    name: "halton",
    contract: 1,
    schema: {
      type: "object",
      additionalProperties: false,
      properties: { start: { type: "integer", minimum: 1, default: 20 } },
    },
    options,
    apply(taps) {
      taps.propose("SOURCE", (draft, turn) => {
        const { space, policy } = turn.view;
        if (draft.candidate !== undefined || !space) return undefined;
        const parameters = Object.entries(space.parameters);
        const bases = primes(parameters.reduce((sum, [, parameter]) => sum + dimensions(parameter), 0));
        const n = options.start + turn.number + 1000 * turn.refused.length;
        const from = turn.parent.candidate.values ?? {};
        const drawn = parameters.map(([name, parameter]) => {
          const unit = bases.splice(0, dimensions(parameter)).map((base) => radicalInverse(n, base));
          return [name, policy.frozen.includes(name) ? from[name] : decode(parameter, unit)];
        });
        return {
          ...draft,
          candidate: { values: complete(space, {}, Object.fromEntries(drawn)) },
          by: "halton",
          hypothesis: `point ${n}`,
        };
      });
    },
  };
}
