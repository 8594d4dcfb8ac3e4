import { mechanism, mean, type Space } from "bilevel/kit";

/** Tells a proposer that reads when the last trials were all alike, and when they got worse. */
export default mechanism({
  name: "plateau-detector",
  source: "Page, Continuous inspection schemes (1954)",
  init: (_space: Space) => ({ gains: [] as number[] }),
  reflect(state, trial) {
    const gain = trial.verdict?.gain;
    if (gain !== undefined) state.gains = [...state.gains, gain].slice(-12);
    return state;
  },
  brief({ gains }) {
    if (gains.length < 12) return undefined;
    const [early, late] = [mean(gains.slice(0, 6)), mean(gains.slice(6))];
    const gained = gains.filter((gain) => gain > 0).length;
    return `${gained} of the last 12 trials gained; mean gain ${early.toPrecision(3)}, then ${late.toPrecision(3)}.${gained === 0 ? " This is a plateau: change something that was not changed lately." : ""}`;
  },
});
