/** A failed rule of a JSON Schema, as ajv tells it (with `verbose`). */
export interface SchemaError {
  keyword: string;
  instancePath: string;
  params: Record<string, unknown>;
  message?: string;
  schema?: unknown;
  parentSchema?: object;
  data?: unknown;
}

/** What a person needs to mend it. `at`: such as `.levels[0].slots`. */
export interface Explanation {
  message: string;
  at: string;
  received: string;
  allowed: string;
  hint?: string;
}

export function explainSchemaError(error: SchemaError): Explanation {
  const extra = error.params.additionalProperty;
  const missing = error.params.missingProperty;
  const steps = error.instancePath
    .split("/")
    .slice(1)
    .map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`));
  const key = typeof extra === "string" ? `.${extra}` : typeof missing === "string" ? `.${missing}` : "";
  const schema = error.parentSchema as { properties?: object; default?: unknown } | undefined;
  const names = Object.keys(schema?.properties ?? {});
  const near = typeof extra === "string" ? nearest(extra, names) : undefined;
  const fallback = schema?.default === undefined ? "" : ` (default ${JSON.stringify(schema.default)})`;
  return {
    message: missing !== undefined ? "is required" : extra !== undefined ? "is not known here" : "is not allowed",
    at: steps.join("") + key,
    received: missing !== undefined ? "nothing" : extra !== undefined ? "an unknown key" : show(error.data),
    allowed: allowedBy(error, names) + fallback,
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  };
}

function allowedBy({ keyword, params, message, schema, parentSchema }: SchemaError, names: readonly string[]): string {
  const limit = String(params.limit);
  if (keyword === "enum") return (params.allowedValues as unknown[]).map((value) => JSON.stringify(value)).join(", ");
  if (keyword === "discriminator") return `a known "${String(params.tag)}"`;
  if (keyword === "additionalProperties") return names.join(", ") || "no options";
  if (keyword === "type") return String(schema).replaceAll(",", " or ");
  if (keyword === "minimum") return `${limit} or more`;
  if (keyword === "exclusiveMinimum") return `more than ${limit}`;
  if (keyword === "maximum") return `${limit} or less`;
  if (keyword === "required") return "a value";
  if (keyword === "anyOf") return String((parentSchema as { description?: string }).description);
  return message ?? keyword;
}

/** The name that was probably meant, if one is close. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const ranked = names.map((known) => ({ known, far: editDistance(name.toLowerCase(), known.toLowerCase()) }));
  const [best] = ranked.sort((a, b) => a.far - b.far);
  return best && best.far <= Math.max(2, name.length / 3) ? best.known : undefined;
}

/** Insertions, deletions and replacements from one word to the other (Levenshtein 1966). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++)
      next.push(Math.min((row[j] ?? 0) + (from[i] === to[j] ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** A value and its type, on one line. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "function") return `a function${value.name ? ` (${value.name})` : ""}`;
  const text = JSON.stringify(value);
  const kind = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  return `${text.length > 60 ? `${text.slice(0, 57)}...` : text} (${kind})`;
}
