import { Ajv, type ValidateFunction } from "ajv";

const ajv = new Ajv({ allErrors: true, strict: false });
/** By their text: every question of a run brings a form of its own, and ajv keeps what it compiled. */
const compiled = new Map<string, ValidateFunction>();
const mostErrors = 5;

/** The value that an answer's text holds, checked against its form; or what is wrong with it, for who wrote it. */
export function readAnswer(text: string, form: object): { value: unknown } | { problem: string } {
  const key = JSON.stringify(form);
  const check = compiled.get(key) ?? ajv.compile(form);
  compiled.set(key, check);
  const found = jsonIn(text);
  const fitting = found.find((value) => check(value));
  if (fitting !== undefined) return { value: fitting };
  if (found.length === 0) return { problem: text.trim() === "" ? "it was empty" : "there is no JSON object in it" };
  check(found[0]);
  const errors = (check.errors ?? [])
    .slice(0, mostErrors)
    .map(
      ({ instancePath, message, params }) =>
        `${instancePath || "the answer"} ${message ?? ""}${"additionalProperty" in params ? `: ${String(params.additionalProperty)}` : ""}`,
    );
  return { problem: errors.join("; ") };
}

/** The whole JSON objects of a text: alone, in a fence, or in the middle of prose; commas before a closing bracket are forgiven. */
function jsonIn(text: string): object[] {
  // thoughts: closed, without a beginning (some servers drop it), without an end
  const visible = text.replace(/^[\s\S]*<\/think>/, "").replace(/<think>[\s\S]*$/, "");
  const fence = /```(?:json)?\s*\n([\s\S]*?)```/.exec(visible)?.[1];
  return [visible, fence ?? "", ...objectsIn(visible)].flatMap((candidate) => {
    for (const tried of [candidate, candidate.replace(/,(\s*[}\]])/g, "$1")]) {
      try {
        const value: unknown = JSON.parse(tried);
        return typeof value === "object" && value !== null && !Array.isArray(value) && !isDeep(value) ? [value] : [];
      } catch {
        // the next form
      }
    }
    return [];
  });
}

const deepest = 50;

/** Brackets that a model repeated: parsed, but nested too deep to be written down again. */
const isDeep = (value: unknown, depth = 0): boolean =>
  typeof value === "object" &&
  value !== null &&
  (depth > deepest || Object.values(value).some((inner) => isDeep(inner, depth + 1)));

/** Opening braces that are looked at: a model that repeats itself may write a hundred thousand. */
const mostObjects = 50;

/** Stretches of text from an opening brace to its closing one. */
function objectsIn(text: string): string[] {
  const found: string[] = [];
  let start = text.indexOf("{");
  for (let tried = 0; start >= 0 && tried < mostObjects; tried++, start = text.indexOf("{", start + 1)) {
    let [depth, inText] = [0, false];
    for (let at = start; at < text.length; at++) {
      const character = text[at];
      if (inText && character === "\\") at++;
      else if (character === '"') inText = !inText;
      else if (!inText && character === "{") depth++;
      else if (!inText && character === "}" && --depth === 0) {
        found.push(text.slice(start, at + 1));
        break;
      }
    }
  }
  return found;
}
