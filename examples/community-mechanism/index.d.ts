import type { Plugin } from "bilevel";

export interface CoolingOptions {
  /** What is left of the heat after each finished trial, above 0 and below 1. Default 0.9. */
  cooling?: number;
}

/** Bold steps first, small ones later. */
export default function cooling(options?: CoolingOptions): Plugin;
