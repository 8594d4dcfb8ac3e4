/** The public names of bilevel. */
export * from "./core/index.ts";
export * from "./plugins/evaluate-function/index.ts";
export {
  evaluateProcess,
  failurePatterns,
  type EvaluateProcessOptions,
  type FailurePattern,
} from "./plugins/evaluate-process/index.ts";
export { evaluateRay, type EvaluateRayOptions, type TrialResources } from "./plugins/evaluate-ray/index.ts";
export * from "./plugins/inner-loop/index.ts";
export { llm, type LlmOptions, type Price } from "./plugins/llm/index.ts";
export * from "./plugins/outer-loop/index.ts";
export { proposeHybrid } from "./plugins/propose-hybrid/index.ts";
export { proposeLlm } from "./plugins/propose-llm/index.ts";
export * from "./plugins/propose-cma/index.ts";
export * from "./plugins/propose-local/index.ts";
export * from "./plugins/propose-random/index.ts";
export { proposeSearch } from "./plugins/propose-search/index.ts";
export * from "./plugins/propose-tpe/index.ts";
export * from "./plugins/select-improvement/index.ts";
export { discoverSpace, findConstants } from "./plugins/task/index.ts";
export * from "./plugins/progress/index.ts";
export * from "./plugins/report/index.ts";
