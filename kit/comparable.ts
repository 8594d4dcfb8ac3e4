import type { Parameter } from "../core/contract.ts";
import { canonical, differences, isObject, type Difference } from "./json.ts";
import { defaults } from "./space.ts";

/** A difference after which earlier results cannot be compared with later ones, and why. */
export type Refused = Difference & { why: string; hint?: string };

/** Fields that change how a run goes on, and not what a trial measures. */
const free = [
  /^name$/,
  /^objective\.target$/,
  /^levels\[0\]\.options\.(slots|ahead)$/,
  /^evaluator\.options\.(graceSeconds|logMb|keep|minFreeGb)$/,
  /^space\.parameters\..+\.default$/, // whether it moves the baseline is told by movedBaselines
];

/** Why a field must stay as it is, by the beginning of its path. */
const reasons: readonly [RegExp, string][] = [
  [/^task\./, "earlier trials ran another program"],
  [/^objective\.limits/, "the best so far may break it"],
  [/^objective\./, "earlier trials were judged by another measure"],
  [/^space\.constraints/, "earlier trials may break it"],
  [/^space\./, "its values would mean something else"],
  [/^evaluator/, "earlier trials were run in another way"],
];

/**
 * What differs between the config that a run began with, as JSON, and the one
 * that it is to go on with. `refused`: what would make its results
 * incomparable; everything else may change while a run is stopped: its budget
 * (not told here), slots, target, wider limits, wider ranges.
 */
export function compareConfigs(
  then: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
): { changed: Difference[]; refused: Refused[] } {
  const { budget: _, ...before } = then;
  const { budget: __, ...after } = now;
  const changed = differences(before, after);
  return { changed, refused: [...movedBaselines(before, after), ...changed.flatMap(refusal)] };
}

function refusal(difference: Difference): Refused[] {
  const { path, before, after } = difference;
  const isParameter = path.startsWith("space.parameters.");
  if (free.some((form) => form.test(path))) return [];
  const refuse = (why: string): Refused[] => [{ ...difference, why }];
  if (/^objective\.limits(\..+)?$/.test(path) && isWiderRange(path, before, after)) return [];
  if (path === "evaluator.options.limitSeconds")
    return before === undefined || (typeof after === "number" && after > (before as number))
      ? []
      : refuse("earlier trials had longer");
  if (isParameter && before === undefined && isObject(after)) return refuse("earlier trials do not have it");
  if (isParameter && after === undefined && isObject(before)) return refuse("earlier trials have it");
  if (isParameter && /\.(min|max|values)$/.test(path))
    return isWiderRange(path, before, after) ? [] : refuse("earlier trials may lie outside");
  return refuse(reasons.find(([form]) => form.test(path))?.[1] ?? "earlier trials were made in another way");
}

/** True where all that was allowed still is. A limit that is gone allows everything. */
function isWiderRange(path: string, before: unknown, after: unknown): boolean {
  if (after === undefined) return path.startsWith("objective.limits");
  if (Array.isArray(before) && Array.isArray(after)) {
    const [all, had] = [after.map(canonical), before.map(canonical)]; // in their order: an ordered choice has steps
    let at = -1;
    return had.every((one) => (at = all.indexOf(one, at + 1)) >= 0);
  }
  if (typeof before !== "number" || typeof after !== "number") return false;
  return path.endsWith(".min") ? after <= before : path.endsWith(".max") && after >= before;
}

/** A default that is not written is the middle of the range: where the range moves, so would the baseline. */
function movedBaselines(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): Refused[] {
  const parametersOf = (config: typeof before) =>
    ((config.space as { parameters?: Record<string, Parameter> } | undefined)?.parameters ?? {}) as Readonly<
      Record<string, Parameter>
    >;
  const [had, has] = [parametersOf(before), parametersOf(after)];
  return Object.keys(had).flatMap((name): Refused[] => {
    const [old, now] = [had[name], has[name]];
    if (!old || !now || old.type !== now.type) return [];
    const [from, to] = [old, now].map((one) => defaults({ parameters: { [name]: { ...one, when: undefined } } })[name]);
    if (canonical(from) === canonical(to)) return [];
    return [
      {
        path: `space.parameters.${name}.default`,
        before: from,
        after: to,
        why: "the baseline would be another",
        hint: `say default: ${canonical(from)}`,
      },
    ];
  });
}
