import type { Plugin, TaskChange, Taps, Turn } from "../../core/index.ts";
import { complete, decode, dimensions, sobol, type Values } from "../../kit/index.ts";
import { drawn, frozenOf, untried } from "../propose-local/index.ts";

/** Points of the sequence looked at in one turn before the draft is left to the check. */
const looks = 20;

/** Proposes the next point of a scrambled Sobol sequence over the whole space, keyed by the run. */
export function proposeRandom(): Plugin {
  return {
    name: "propose-random",
    contract: 1,
    apply(taps: Taps<TaskChange>) {
      const isNewIn = untried(taps);
      taps.propose("SOURCE", (draft, turn: Turn<TaskChange>) => {
        const { space, policy, level } = turn.view;
        if (draft.candidate !== undefined || !space) return undefined;
        const from = turn.parent.candidate.values ?? {};
        const parameters = Object.entries(space.parameters);
        const width = parameters.reduce((sum, [, parameter]) => sum + dimensions(parameter), 0);
        const kept = frozenOf(from, policy.frozen);
        const draw = (look: number): Values => {
          const number = turn.number + turn.refused.length * 7919 + look * 104_729;
          const point = sobol(number, width, `${taps.seed} ${level}`);
          let place = 0;
          const decoded = parameters.map(([name, parameter]) => {
            const unit = point.slice(place, (place += dimensions(parameter)));
            return [name, decode(parameter, unit)] as const;
          });
          return complete(space, {}, { ...Object.fromEntries(decoded), ...kept });
        };
        const values = drawn(draw, isNewIn(turn.view), looks);
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
