import type { Level } from "../core/index.ts";
import { innerLoop, type InnerLoopOptions } from "../plugins/inner-loop/index.ts";
import { outerLoop } from "../plugins/outer-loop/index.ts";

/**
 * The groups of "Bilevel Autoresearch: Meta-Autoresearching Itself"
 * (arXiv 2603.23420): A, the inner loop alone; B, with a policy level; C, with
 * research of mechanisms above that; D, research without the policy level.
 */
export const groups = {
  A: (inner: InnerLoopOptions = {}): Level[] => [innerLoop(inner)],
  B: (inner: InnerLoopOptions = {}): Level[] => [
    innerLoop(inner),
    outerLoop({ name: "policy", changes: "policy", every: 5 }),
  ],
  C: (inner: InnerLoopOptions = {}): Level[] => [
    ...groups.B(inner),
    outerLoop({ name: "research", changes: "mechanisms", every: 2 }),
  ],
  D: (inner: InnerLoopOptions = {}): Level[] => [
    innerLoop(inner),
    outerLoop({ name: "research", changes: "mechanisms", every: 10 }),
  ],
};
