import type { Check } from "../../../../plugins/sandbox/index.ts";

/** A file that means harm or is broken: what refuses it at the door, and what holds it where the door is left open. */
export interface Hostile {
  name: string;
  code: string;
  refused: Check;
  /** What loading it and asking it once ends with when nothing but the machine stands in its way. Undefined: it gets an answer, and harms nobody. */
  inside?: RegExp;
}

/** A mechanism with this body of `refine`; `top` stands above it, `reflect` takes the place of its own. */
export const refining = (
  body: string,
  { top = "", reflect = "return state;" } = {},
): string => `import { mechanism } from "bilevel/kit";
${top}
export default mechanism({
  name: "hostile",
  init: (space) => ({ space, list: [] as unknown[], n: 0 }),
  reflect(state, trial, view) { ${reflect} },
  refine(state, draft, turn) { ${body} },
});
`;
/** Only what the file does while it is loaded. */
export const loading = (top: string): string => refining("return undefined;", { top });
export const loops = "while (true) {}";
export const fuel = /used up its fuel/;
export const memory = /used up its memory/;
export const deep = /too deep|RangeError|used up its fuel|did not answer/;
export const none = /not defined|is not a function|undefined/;

export type Group = readonly [name: string, files: readonly Hostile[]];
