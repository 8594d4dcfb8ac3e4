import { answers } from "./answers.ts";
import { conduct } from "./conduct.ts";
import { escapes } from "./escapes.ts";
import type { Hostile } from "./file.ts";
import { runaway } from "./runaway.ts";

/** Files that mean harm or are broken, by what they try. */
export const hostile: readonly (Hostile & { group: string })[] = [
  ...runaway,
  ...escapes,
  ...answers,
  ...conduct,
].flatMap(([group, files]) => files.map((one) => ({ ...one, group })));
