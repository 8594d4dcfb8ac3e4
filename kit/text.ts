/** `1 trial`, `2 trials`. */
export const count = (n: number, noun: string, nouns = `${noun}s`): string => `${n} ${n === 1 ? noun : nouns}`;

const osc = String.raw`\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)`;
const csi = String.raw`\u001b\[[0-?]*[ -/]*[@-~]`;
const turns = String.raw`\u202a-\u202e\u2066-\u2069`;
const commands = new RegExp(String.raw`${osc}|${csi}|[${turns}]|[^\P{Cc}\t\r\n]`, "gu");

/** Text of programs without what commands a terminal: colours, titles, control characters, marks that turn a line around. */
export const plain = (text: string): string => text.replace(commands, "");

/** The same on one line. */
export const onOneLine = (text: string): string => plain(text).replaceAll(/\s*[\r\n\u2028\u2029]\s*|\t+/g, " ");

/** Text of programs and logs as data: cut to size, in a fence that nothing in it can close. */
export function fenced(text: string, most = 4000): string {
  const cut =
    text.length > most
      ? `${text.slice(0, most / 2)}\n… ${text.length - most} characters left out …\n${text.slice(-most / 2)}`
      : text;
  const longest = Math.max(0, ...[...cut.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(Math.max(3, longest + 1));
  return `${fence}\n${cut}\n${fence}`;
}

/** A service's own prefix and no mere name behind it (`hf_model_name`): twelve letters or digits together, or a digit and a capital. */
const keyForm =
  /\b(?:sk|pk|rk|ghp|gho|hf|xox[abp])[-_](?=[\w-]{0,60}(?:[A-Za-z0-9]{12}|\d[\w-]{0,60}[A-Z]|[A-Z][\w-]{0,60}\d))[\w-]{8,}/g;

/** Without this key, and what has the form of one. */
export function withoutKeys(text: string, key?: string): string {
  const known = key && key.length >= 6 ? text.split(key).join("[key]") : text;
  return known.replace(keyForm, "[key]").replace(/\b(Bearer)\s+[A-Za-z0-9._~+/-]{8,}=*/gi, "$1 [key]");
}

const secretName = "[A-Z][A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD)";
const quoted = new RegExp(`\\b(${secretName}["']?\\s*[=:]\\s*)(["'])[^"'\\s]{6,}\\2`, "g");
const assigned = new RegExp(`\\b(${secretName}=)[^\\s"'()]{4,}`, "g");

/** For text of programs: also without what an assignment calls a key (`HF_TOKEN=…`, `API_KEY = "…"`), whatever its form. */
export const redacted = (text: string, key?: string): string =>
  withoutKeys(text, key).replace(quoted, "$1$2[key]$2").replace(assigned, "$1[key]");

/** A value whose every text is without keys. */
export function valueWithoutKeys(value: unknown, key?: string): unknown {
  if (typeof value === "string") return withoutKeys(value, key);
  if (Array.isArray(value)) return value.map((one) => valueWithoutKeys(one, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, valueWithoutKeys(one, key)]));
}
