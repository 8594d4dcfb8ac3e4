import type { Plugin, TaskChange, Taps } from "../../core/index.ts";
import { searchMoves } from "../propose-search/index.ts";
import { askForChange } from "./ask.ts";
import { programOf } from "./program.ts";

export { askForChange } from "./ask.ts";
export { programOf, relevantParts } from "./program.ts";
export { promptOf, system } from "./prompt.ts";
export { mended } from "./values.ts";

export interface ProposeLlmOptions {
  /** Asks for so many different changes in one call and takes the first that may run. */
  atOnce?: number;
}

export const proposeLlmSchema = {
  type: "object",
  additionalProperties: false,
  properties: { atOnce: { type: "integer", minimum: 1, maximum: 8, default: 1 } },
};

/** Every proposal by the model (the paper's way); where it has none, by the classical search. */
export function proposeLlm(given: ProposeLlmOptions = {}): Plugin {
  const options = { atOnce: 1, ...given };
  const program = programOf();
  return {
    name: "propose-llm",
    contract: 1,
    options,
    schema: proposeLlmSchema,
    open: program.open,
    apply(taps: Taps<TaskChange>) {
      const search = searchMoves(taps);
      taps.propose("SOURCE", async (draft, turn) => {
        if (draft.candidate !== undefined) return undefined;
        const asked = await askForChange(taps, turn, draft, { program, atOnce: options.atOnce });
        if ("draft" in asked) return { ...asked.draft, by: "propose-llm" };
        const drafted = search(draft, turn);
        return drafted && { ...drafted, standsIn: asked.failed };
      });
    },
  };
}
