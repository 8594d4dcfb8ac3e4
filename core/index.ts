/** The public names of core. */
export * from "./contract.ts";
export { changeId, isEmpty, openPolicy } from "./arm.ts";
export { defineConfig, describe, resolveConfig, type ResolvedConfig } from "./config.ts";
export { BilevelError, messageOf, type ErrorCode } from "./errors.ts";
export { answerOf, digest, journalFile, ownerOf, readJournal, startTimeOf, writeAtomically } from "./journal.ts";
export { FinalStrike, KnownFailure } from "./hooks.ts";
export { Ledger, type TurnState } from "./ledger.ts";
export { buildStack, changesSince, execute, foldInto, type RunEnd, type Stack } from "./run.ts";
export { evidenceOf, judgeTurn, planTurn, repeatOf, type Entry } from "./turn.ts";
export { canonical, deepFreeze, differences, isObject } from "../kit/json.ts";
export { nearest, show } from "../kit/explain.ts";
