import type { Plugin, TaskChange, Trial, Turn, Value } from "../../core/index.ts";
import { complete, decode, dimensions, sobol, valuesKey } from "../../kit/index.ts";

/** Points of the sequence looked at in one turn before the draft is left to the check. */
const looks = 20;

/** Proposes the next point of a scrambled Sobol sequence over the whole space, keyed by the run. */
export function proposeRandom(): Plugin {
  return {
    name: "propose-random",
    contract: 1,
    apply(taps) {
      const past = taps.state(
        () => new Set<string>(),
        (keys, trial: Trial<TaskChange>) => keys.add(valuesKey(trial.candidate.values ?? {})),
      );
      taps.propose("SOURCE", (draft, turn: Turn<TaskChange>) => {
        const { space, policy, pending, level } = turn.view;
        if (draft.candidate !== undefined || !space) return undefined;
        const from = turn.parent.candidate.values ?? {};
        const parameters = Object.entries(space.parameters);
        const width = parameters.reduce((sum, [, parameter]) => sum + dimensions(parameter), 0);
        const running = new Set(pending.map((trial) => valuesKey(trial.candidate.values ?? {})));
        let values = from;
        for (let look = 0; look < looks; look++) {
          const number = turn.number + turn.refused.length * 7919 + look * 104_729;
          const point = sobol(number, width, `${taps.seed} ${level}`);
          let place = 0;
          const drawn = parameters.map(([name, parameter]) => {
            const unit = point.slice(place, (place += dimensions(parameter)));
            const isKept = policy.frozen.includes(name) && from[name] !== undefined;
            return [name, isKept ? from[name] : decode(parameter, unit)] as [string, Value];
          });
          values = complete(space, {}, Object.fromEntries(drawn));
          const key = valuesKey(values);
          if (!past.value.has(key) && !running.has(key)) break;
        }
        return {
          ...draft,
          candidate: { values },
          by: "propose-random",
          hypothesis: `point ${turn.number} of the sequence`,
        };
      });
    },
  };
}
