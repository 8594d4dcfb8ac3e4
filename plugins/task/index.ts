/** The user's folder: frozen at the start, prepared for each trial with a candidate in it, and its metrics read. Used by every evaluator. */
export {
  discoverSpace,
  findConstants,
  languageOf,
  rewriteConstants,
  type Constant,
  type Language,
} from "./constants.ts";
export { applyEdits, matcher } from "./edits.ts";
export { createMetricReader, type MetricReader } from "./metrics.ts";
export { openTask } from "./open.ts";
export { isProgram, noProgram } from "./program.ts";
export {
  deliver,
  editableTexts,
  editProblem,
  giveEachItsOwn,
  patchOf,
  prepareTrial,
  protectedPaths,
  verifyProtected,
  type Delivery,
  type PreparedTrial,
} from "./prepare.ts";
export { changedThroughLinks, freezeTask, frozenText, type FrozenTask } from "./snapshot.ts";
