import type { Plugin, TaskChange, Taps, Trial } from "../../core/index.ts";
import { askForChange, codeReader } from "../propose-llm/index.ts";
import { proposeLocal } from "../propose-local/index.ts";

/** Share of the turns that the model takes: at first, at the least, at the most. */
const shares = { first: 0.3, least: 0.02, most: 0.6 } as const;
/** Turns of the model before its share follows what it won. */
const trial = 3;

interface Record {
  model: { tried: number; gained: number };
  search: { tried: number; gained: number };
}

/**
 * The classical proposer proposes, and the model takes a share of the turns. The
 * share follows who wins: 0.3 times the ratio of the two shares of trials that
 * gained (each with half a gain in one trial more), squared.
 */
export function proposeHybrid(): Plugin {
  const reader = codeReader();
  const local = proposeLocal();
  return {
    name: "propose-hybrid",
    contract: 1,
    options: {},
    schema: { type: "object", additionalProperties: false },
    open: reader.open,
    apply(taps: Taps<TaskChange>) {
      const record = taps.state<Record>(
        () => ({ model: { tried: 0, gained: 0 }, search: { tried: 0, gained: 0 } }),
        (state, { by, verdict, repeatOf, outcome }: Trial<TaskChange>) => {
          const side = by === "propose-llm" ? state.model : by === "propose-local" ? state.search : undefined;
          if (!side || repeatOf !== undefined || !outcome) return state;
          side.tried++;
          if (verdict?.decision === "keep" || (verdict?.gain ?? 0) > 0) side.gained++;
          return state;
        },
      );
      taps.propose("SOURCE", async (draft, turn) => {
        if (draft.candidate !== undefined || !taps.model || turn.random() >= shareOf(record.value)) return undefined;
        const asked = await askForChange(taps, turn, draft, { code: reader.code() });
        return "draft" in asked ? { ...asked.draft, by: "propose-llm" } : undefined;
      });
      local.apply?.(taps);
    },
  };
}

/** @internal */
export function shareOf({ model, search }: Record): number {
  if (model.tried < trial) return shares.first;
  const rate = ({ tried, gained }: { tried: number; gained: number }): number => (gained + 0.5) / (tried + 1);
  return Math.min(shares.most, Math.max(shares.least, shares.first * (rate(model) / rate(search)) ** 2));
}
