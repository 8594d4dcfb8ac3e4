import type { Plugin } from "bilevel";

export interface HaltonOptions {
  /** Where the sequence begins: its first points lie on a line in high dimensions. Default 20. */
  start?: number;
}

/** The next point of a Halton sequence over the whole space. */
export default function halton(options?: HaltonOptions): Plugin;
