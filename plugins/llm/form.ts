import { Ajv, type ValidateFunction } from "ajv";

const ajv = new Ajv({ allErrors: true, strict: false });
const compiled = new WeakMap<object, ValidateFunction>();
const mostErrors = 5;

/** The value that an answer's text holds, checked against its form; or what is wrong with it, for who wrote it. */
export function readAnswer(text: string, form: object): { value: unknown } | { problem: string } {
  const found = jsonIn(text);
  if (!found) return { problem: text.trim() === "" ? "it was empty" : "there is no JSON object in it" };
  const check = compiled.get(form) ?? ajv.compile(form);
  compiled.set(form, check);
  if (check(found.value)) return { value: found.value };
  const errors = (check.errors ?? [])
    .slice(0, mostErrors)
    .map(
      ({ instancePath, message, params }) =>
        `${instancePath || "the answer"} ${message ?? ""}${"additionalProperty" in params ? `: ${String(params.additionalProperty)}` : ""}`,
    );
  return { problem: errors.join("; ") };
}

/** The first whole JSON object of a text: alone, in a fence, or in the middle of prose; commas before a closing bracket are forgiven. */
function jsonIn(text: string): { value: unknown } | undefined {
  // thoughts: closed, without a beginning (some servers drop it), without an end
  const visible = text.replace(/^[\s\S]*<\/think>/, "").replace(/<think>[\s\S]*$/, "");
  const fence = /```(?:json)?\s*\n([\s\S]*?)```/.exec(visible)?.[1];
  for (const candidate of [visible, fence, ...objectsIn(visible)]) {
    if (candidate === undefined) continue;
    for (const tried of [candidate, candidate.replace(/,(\s*[}\]])/g, "$1")]) {
      try {
        const value: unknown = JSON.parse(tried);
        if (typeof value === "object" && value !== null && !Array.isArray(value)) return { value };
      } catch {
        // the next form
      }
    }
  }
  return undefined;
}

const mostObjects = 20;

/** Stretches of text from an opening brace to its closing one. */
function objectsIn(text: string): string[] {
  const found: string[] = [];
  for (let start = text.indexOf("{"); start >= 0 && found.length < mostObjects; start = text.indexOf("{", start + 1)) {
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
