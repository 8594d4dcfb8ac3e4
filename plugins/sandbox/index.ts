/** Code that was written for a run: checked before it is let in, and run where it reaches nothing. */
export { admit, type Admission } from "./admission.ts";
export { generated } from "./generated.ts";
export { Sandbox } from "./sandbox.ts";
export { checks, problemText, type Check, type Problem } from "./scan.ts";
export { Stopwatch } from "./stopwatch.ts";
export { TypeCheck } from "./type-check.ts";
