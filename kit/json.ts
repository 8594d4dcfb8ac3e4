/** JSON with sorted keys: equal values give equal text, whatever the order they were built in. */
export const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  ) ?? "undefined";

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A place at which two JSON values differ, such as `levels[0].slots`, and what stands there. */
export type Difference = { path: string; before?: unknown; after?: unknown };

/** Where two JSON values differ; empty where they are equal. Lists of different lengths differ as a whole. */
export function differences(before: unknown, after: unknown, path = ""): Difference[] {
  if (canonical(before) === canonical(after)) return [];
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => differences(before[key], after[key], path ? `${path}.${key}` : key));
  }
  const isList = Array.isArray(before) && Array.isArray(after) && before.length === after.length;
  if (isList && before.some((item) => isObject(item)))
    return before.flatMap((item, index) => differences(item, (after as unknown[])[index], `${path}[${index}]`));
  return [{ path: path || "value", before, after }];
}

/** Freezes a value and everything in it, in place. */
export function deepFreeze<T>(value: T): T {
  if (value === null || typeof value !== "object" || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
