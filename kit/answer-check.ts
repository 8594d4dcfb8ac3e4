import { show } from "./explain.ts";
import { isObject } from "./json.ts";

const statuses: readonly unknown[] = ["measured", "pruned", "crashed", "lost", "cancelled"];
const decisions: readonly unknown[] = ["keep", "discard", "repeat", "revert", "undecided"];

type Fields = Readonly<Record<string, unknown>>;

/** What a tap may answer on each hook, and how that is said. */
const answers = {
  propose: [
    ({ brief, candidate }: Fields) => Array.isArray(brief) && (candidate === undefined || isObject(candidate)),
    "a draft, { ...draft, candidate: { values } },",
  ],
  evaluate: [
    ({ status, metric, metrics, seconds, reason }: Fields) =>
      statuses.includes(status) &&
      typeof seconds === "number" &&
      (status === "measured" ? Number.isFinite(metric) && isObject(metrics) : typeof reason === "string"),
    'an outcome, { status: "measured", metric: 1.2, metrics: {}, seconds: 3 } or { status: "crashed", kind, reason, seconds },',
  ],
  progress: [() => false, '"stop"'],
  select: [
    ({ decision, reason }: Fields) => decisions.includes(decision) && typeof reason === "string",
    `a verdict, { ...verdict, decision, reason } with one of ${decisions.join(", ")},`,
  ],
} as const;

/** Why what a tap answered on a hook is no answer to it; undefined where it is one. */
export function misfit(hook: keyof typeof answers, out: unknown): string | undefined {
  const [fits, allowed] = answers[hook];
  if (hook === "progress" ? out === "stop" : isObject(out) && fits(out)) return undefined;
  return `answered ${show(out)} where ${allowed} or undefined is allowed`;
}
