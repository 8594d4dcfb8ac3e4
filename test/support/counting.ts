import type { Plugin } from "../../core/index.ts";

/** Proposes 1, 2, 3 … for X, one after the other. */
export const counting: Plugin = {
  name: "counting",
  contract: 1,
  apply: (taps) =>
    taps.propose("SOURCE", (draft, turn) => ({ ...draft, by: "counting", candidate: { values: { X: turn.number } } })),
};
