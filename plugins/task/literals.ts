import type { SyntaxNode } from "@lezer/common";
import type { Value } from "../../core/index.ts";

/** The children of a node that carry meaning. */
const parts = (node: SyntaxNode): SyntaxNode[] => {
  const found: SyntaxNode[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling)
    if (!/Comment/.test(child.name)) found.push(child);
  return found;
};

/** The value of a literal in Python or TypeScript, arithmetic of literals included; undefined where it is something else. */
export function readLiteral(node: SyntaxNode, source: string): Value | undefined {
  const text = source.slice(node.from, node.to);
  switch (node.name) {
    case "Number": {
      const value = Number(text.replaceAll("_", ""));
      return Number.isNaN(value) ? undefined : value;
    }
    case "Boolean":
    case "BooleanLiteral":
      return text.toLowerCase() === "true";
    case "String":
      return readString(text);
    case "UnaryExpression": {
      const [sign, operand] = parts(node);
      const value = operand && readLiteral(operand, source);
      const symbol = sign && source.slice(sign.from, sign.to);
      return typeof value === "number" ? (symbol === "-" ? -value : symbol === "+" ? value : undefined) : undefined;
    }
    case "BinaryExpression": {
      const [left, operator, right] = parts(node);
      if (!left || !operator || !right) return undefined;
      if (operator.name === "as" || operator.name === "satisfies") return readLiteral(left, source);
      const [a, b] = [readLiteral(left, source), readLiteral(right, source)];
      return typeof a === "number" && typeof b === "number"
        ? calculate(a, source.slice(operator.from, operator.to), b)
        : undefined;
    }
    case "ParenthesizedExpression": {
      const inner = parts(node).find((part) => part.name !== "(" && part.name !== ")");
      return inner && readLiteral(inner, source);
    }
    case "TupleExpression":
    case "ArrayExpression": {
      const values = items(node).map((item) => readLiteral(item, source));
      return values.every((value) => value !== undefined) ? values : undefined;
    }
    default:
      return undefined;
  }
}

/** The items of a tuple, list or array. */
export const items = (node: SyntaxNode): SyntaxNode[] =>
  parts(node).filter((part) => !["(", ")", "[", "]", ","].includes(part.name));

function calculate(a: number, operator: string, b: number): number | undefined {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "//":
      return Math.floor(a / b);
    case "**":
      return a ** b;
    case "<<":
      return a * 2 ** b;
    default:
      return undefined;
  }
}

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "0": "\0", "\n": "" };

function readString(text: string): string | undefined {
  const match = /^([rRbBuU]*)("""|'''|"|')([\s\S]*)\2$/.exec(text);
  const [, prefix = "", , body = ""] = match ?? [];
  if (!match || /[bB]/.test(prefix)) return undefined;
  if (/[rR]/.test(prefix)) return body;
  return body.replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[\s\S])/g, (_, code: string) =>
    /^[xu]./.test(code) ? String.fromCharCode(parseInt(code.slice(1), 16)) : (escapes[code] ?? code),
  );
}

/** A new literal in the place of an old one, in the old one's own style. Undefined where the old one has no style for it. */
export function writeLiteral(
  node: SyntaxNode,
  source: string,
  value: Value,
  language: "python" | "typescript",
): string | undefined {
  const old = source.slice(node.from, node.to);
  if (node.name === "BinaryExpression") {
    const [left, operator] = parts(node);
    if (left && operator && (operator.name === "as" || operator.name === "satisfies")) {
      const inner = writeLiteral(left, source, value, language);
      return inner === undefined ? undefined : inner + source.slice(left.to, node.to);
    }
  }
  if (typeof value === "number") return writeNumber(old, value);
  if (typeof value === "boolean") return language === "python" ? (value ? "True" : "False") : String(value);
  if (typeof value === "string") {
    const quote = /^[rRuU]*("|')/.exec(old)?.[1] ?? '"';
    const body = JSON.stringify(value).slice(1, -1);
    return quote + (quote === "'" ? body.replaceAll('\\"', '"').replaceAll("'", "\\'") : body) + quote;
  }
  if (node.name !== "TupleExpression" && node.name !== "ArrayExpression") return undefined;
  const places = items(node);
  if (places.length === value.length && places.length > 0) {
    const [first, last] = [places[0] as SyntaxNode, places.at(-1) as SyntaxNode];
    let text = source.slice(node.from, first.from);
    for (const [index, place] of places.entries()) {
      const item = value[index] as Value;
      text += same(readLiteral(place, source), item)
        ? source.slice(place.from, place.to)
        : (writeLiteral(place, source, item, language) ?? plain(item, language));
      text += source.slice(place.to, places[index + 1]?.from ?? last.to);
    }
    return text + source.slice(last.to, node.to);
  }
  const [open, close] = [old[0] ?? "[", old.at(-1) ?? "]"];
  const written = value.map((item) => plain(item, language));
  return `${open}${written.join(", ")}${open === "(" && written.length === 1 ? "," : ""}${close}`;
}

const same = (a: Value | undefined, b: Value): boolean => JSON.stringify(a) === JSON.stringify(b);

function plain(value: Value, language: "python" | "typescript"): string {
  if (typeof value === "boolean") return language === "python" ? (value ? "True" : "False") : String(value);
  if (Array.isArray(value)) return `[${value.map((item: Value) => plain(item, language)).join(", ")}]`;
  return JSON.stringify(value);
}

function writeNumber(old: string, value: number): string {
  const power = /^2(\s*\*\*\s*)\d+$/.exec(old);
  if (power && value > 0 && Number.isInteger(Math.log2(value))) return `2${power[1]}${Math.log2(value)}`;
  const isFloat = /[.eE]/.test(old) && !/^0[xX]/.test(old);
  const text = String(value);
  return isFloat && Number.isInteger(value) && !/[.e]/.test(text) ? `${text}.0` : text;
}
