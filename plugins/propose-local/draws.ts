import type { TaskChange, Taps, Trial, View } from "../../core/index.ts";
import { valuesKey, type Values } from "../../kit/index.ts";

/** What a proposer that draws has to know: whether values were neither tried nor are running. */
export function untried(taps: Taps<TaskChange>): (view: View<TaskChange>) => (values: Values) => boolean {
  const tried = taps.state(
    () => new Set<string>(),
    (keys, trial: Trial<TaskChange>) => keys.add(valuesKey(trial.candidate.values ?? {})),
  );
  return ({ pending }) => {
    const running = new Set(pending.map(({ candidate }) => valuesKey(candidate.values ?? {})));
    return (values) => !tried.value.has(valuesKey(values)) && !running.has(valuesKey(values));
  };
}

/** The first draw that is allowed; where none of so many is, the last. */
export function drawn(draw: (look: number) => Values, isAllowed: (values: Values) => boolean, most: number): Values {
  for (let look = 0; ; look++) {
    const values = draw(look);
    if (look === most - 1 || isAllowed(values)) return values;
  }
}

/** By the policy's strategy, how long steps are. */
export const lengths: Readonly<Record<string, number>> = { explore: 2, balanced: 1, exploit: 0.5 };

/** Of these values, those of frozen parameters. */
export const frozenOf = (values: Values, frozen: readonly string[]): Values =>
  Object.fromEntries(Object.entries(values).filter(([name]) => frozen.includes(name)));
