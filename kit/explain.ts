import { count } from "./text.ts";

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
  const { additionalProperty: extra, missingProperty: missing } = error.params;
  const isTag = error.keyword === "discriminator";
  const key = isTag ? error.params.tag : (extra ?? missing);
  const steps = error.instancePath
    .split("/")
    .slice(1)
    .map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`));
  const schema = error.parentSchema as { properties?: object; default?: unknown } | undefined;
  const names = Object.keys(schema?.properties ?? {});
  const fallback = schema?.default === undefined ? "" : ` (default ${JSON.stringify(schema.default)})`;
  const hint = hintOf(error, names);
  return {
    message: missing !== undefined ? "is required" : extra !== undefined ? "is not known here" : "is not allowed",
    at: steps.join("") + (typeof key === "string" ? `.${key}` : ""),
    received:
      missing !== undefined
        ? "nothing"
        : extra !== undefined
          ? "an unknown key"
          : show(isTag ? error.params.tagValue : error.data),
    allowed: allowedBy(error, names) + fallback,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** The word that was probably meant: of an unknown key, of a kind, or of a key beside a missing one. */
function hintOf(error: SchemaError, names: readonly string[]): string | undefined {
  const { additionalProperty: extra, missingProperty: missing, tagValue } = error.params;
  if (typeof missing === "string") {
    const given = Object.keys(error.data as object).filter((name) => name !== missing && !names.includes(name));
    const near = given.find((name) => nearest(name, [missing]) !== undefined);
    if (near !== undefined) return `${near} is not known here: did you mean ${missing}?`;
    return names.length > 0 && given.length > 0 ? `${given[0]} is not known here` : undefined;
  }
  const [word, known] = error.keyword === "discriminator" ? [tagValue, kindsOf(error)] : [extra, names];
  const near = typeof word === "string" ? nearest(word, known.map(String)) : undefined;
  return near === undefined ? undefined : `did you mean ${near}?`;
}

/** What the word may be by which a schema tells its kinds apart, where it is wrong or missing. */
function kindsOf({ params, parentSchema }: SchemaError): unknown[] {
  type Kind = { properties?: Record<string, { const?: unknown; enum?: unknown[] }> };
  const { oneOf = [] } = parentSchema as { oneOf?: Kind[] };
  const tag = String(params.tag ?? params.missingProperty);
  return oneOf.flatMap(({ properties }) => properties?.[tag]?.const ?? properties?.[tag]?.enum ?? []);
}

/** What a missing key is for, by its own schema. */
function wantedOf({ params, parentSchema }: SchemaError): string {
  type Wanted = { type?: string; enum?: unknown[]; description?: string };
  const { properties = {} } = parentSchema as { properties?: Record<string, Wanted> };
  const wanted = properties[String(params.missingProperty)] ?? {};
  const kind = wanted.enum ? list(wanted.enum) : (wanted.type ?? "");
  return [kind, wanted.description ?? ""].filter((part) => part !== "").join(": ");
}

const list = (values: readonly unknown[]): string => values.map((value) => JSON.stringify(value)).join(", ");

function allowedBy(error: SchemaError, names: readonly string[]): string {
  const { keyword, params, message, schema, data } = error;
  const limit = String(params.limit);
  const { description } = (error.parentSchema ?? {}) as { description?: string };
  if (keyword === "enum") return list(params.allowedValues as unknown[]);
  if (keyword === "const") return list([params.allowedValue]);
  if (keyword === "discriminator") return list(kindsOf(error));
  if (keyword === "additionalProperties") return names.join(", ") || "no options";
  if (keyword === "type") return (isEndless(data) ? "a finite " : "") + String(schema).replaceAll(",", " or ");
  if (keyword === "minimum") return `${limit} or more`;
  if (keyword === "exclusiveMinimum") return `more than ${limit}`;
  if (keyword === "maximum") return `${limit} or less`;
  if (keyword === "required") return list(kindsOf(error)) || wantedOf(error) || "a value";
  if (keyword === "minItems") return `a list of ${limit} or more`;
  if (keyword === "minLength") return `a text of ${count(Number(limit), "character")} or more`;
  if (keyword === "minProperties") return names.join(" or ");
  if (keyword === "pattern" || keyword === "anyOf") return description ?? String(message);
  return message ?? keyword;
}

const isEndless = (value: unknown): boolean => typeof value === "number" && !Number.isFinite(value);

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
  const text = isEndless(value) ? String(value) : JSON.stringify(value);
  const kind = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  return `${text.length > 60 ? `${text.slice(0, 57)}...` : text} (${kind})`;
}
