import type { Plugin, TaskChange, Taps, Trial } from "../../core/index.ts";
import { canonical } from "../../core/index.ts";
import { complete } from "../../kit/index.ts";
import { askForChange, programOf, proposeLlmSchema, type ProposeLlmOptions } from "../propose-llm/index.ts";
import { searchMoves } from "../propose-search/index.ts";

/** Share of the turns that the model is asked in: at first, at the least, at the most. */
const shares = { first: 0.3, least: 0.02, most: 0.6 } as const;
/** Turns of the model before its share follows what it won. */
const trial = 3;

interface Record {
  model: { tried: number; gained: number };
  search: { tried: number; gained: number };
}

/**
 * The classical proposer proposes, and in a share of the turns the model is
 * shown its draft, to take it over, change it, or propose another. The share
 * follows who wins: 0.3 times the ratio of the two shares of trials that
 * gained (each with half a gain in one trial more), squared.
 */
export function proposeHybrid(given: ProposeLlmOptions = {}): Plugin {
  const options = { atOnce: 1, ...given };
  const program = programOf();
  return {
    name: "propose-hybrid",
    contract: 1,
    options,
    schema: proposeLlmSchema,
    open: program.open,
    apply(taps: Taps<TaskChange>) {
      const search = searchMoves(taps);
      const record = taps.state<Record>(
        () => ({ model: { tried: 0, gained: 0 }, search: { tried: 0, gained: 0 } }),
        (state, { by, verdict, repeatOf, outcome }: Trial<TaskChange>) => {
          const side = by === "propose-llm" ? state.model : by === "propose-search" ? state.search : undefined;
          if (!side || repeatOf !== undefined || !outcome) return state;
          side.tried++;
          if (verdict?.decision === "keep" || (verdict?.gain ?? 0) > 0) side.gained++;
          return state;
        },
      );
      taps.propose("SOURCE", async (draft, turn) => {
        if (draft.candidate !== undefined) return undefined;
        const isAsked = !!taps.model && turn.random() < shareOf(record.value);
        const drafted = search(draft, turn);
        if (!isAsked) return drafted;
        const suggestion = drafted?.candidate;
        const asked = await askForChange(taps, turn, draft, { program, atOnce: options.atOnce, suggestion });
        if ("failed" in asked) return drafted && { ...drafted, standsIn: asked.failed };
        const isTaken = suggestion && isSame(taps, turn.parent, asked.draft.candidate, suggestion);
        return { ...asked.draft, by: isTaken ? "propose-search" : "propose-llm" };
      });
    },
  };
}

function isSame(
  { space = { parameters: {} } }: Taps<TaskChange>,
  parent: Trial<TaskChange>,
  one: TaskChange | undefined,
  other: TaskChange,
): boolean {
  const whole = ({ values = {}, edits = [] }: TaskChange) =>
    canonical([complete(space, parent.candidate.values ?? {}, values), edits]);
  return one !== undefined && whole(one) === whole(other);
}

/** @internal */
export function shareOf({ model, search }: Record): number {
  if (model.tried < trial) return shares.first;
  const rate = ({ tried, gained }: { tried: number; gained: number }): number => (gained + 0.5) / (tried + 1);
  return Math.min(shares.most, Math.max(shares.least, shares.first * (rate(model) / rate(search)) ** 2));
}
