import type { SyntaxNode } from "@lezer/common";
import { parser as javascript } from "@lezer/javascript";
import { parser as python } from "@lezer/python";
import MagicString from "magic-string";
import type { Space, Value, Values } from "../../core/index.ts";
import { BilevelError, nearest, type Parameter } from "../../core/index.ts";
import { readLiteral, writeLiteral } from "./literals.ts";

export type Language = "python" | "typescript";

/** A constant of a module. `value` is undefined where it is no literal; `from` and `to` bound the value's text. */
export interface Constant {
  name: string;
  value: Value | undefined;
  text: string;
  from: number;
  to: number;
  line: number;
}

/** @throws E_TASK_INVALID for a file of another language */
export function languageOf(file: string): Language {
  if (/\.pyw?$/.test(file)) return "python";
  if (/\.[mc]?[tj]sx?$/.test(file)) return "typescript";
  throw new BilevelError("E_TASK_INVALID", "constants can be rewritten in Python, TypeScript and JavaScript only", {
    path: `task.values.file: ${file}`,
    allowed: "a file ending in .py, .ts, .mts, .js, .mjs or .cjs",
    hint: 'hand the values over by another way: values: { via: "env" }, { via: "args" } or { via: "json", file }',
  });
}

interface Place extends Constant {
  node: SyntaxNode;
}

const typescript = javascript.configure({ dialect: "ts" });

/** The constants that a module assigns at its top level, in order. */
export function findConstants(source: string, language: Language): Constant[] {
  return places(source, language).map(({ node: _, ...constant }) => constant);
}

function places(source: string, language: Language): Place[] {
  const text = source.replace(/^\uFEFF/, " "); // a byte order mark is no code, but has its place
  const root = (language === "python" ? python : typescript).parse(text).topNode;
  const found: Place[] = [];
  const add = (name: SyntaxNode, value: SyntaxNode): void => {
    const line = text.slice(0, name.from).split("\n").length;
    found.push({
      name: text.slice(name.from, name.to),
      value: readLiteral(value, text),
      text: text.slice(value.from, value.to),
      from: value.from,
      to: value.to,
      line,
      node: value,
    });
  };
  for (let statement = root.firstChild; statement; statement = statement.nextSibling) {
    const declaration = statement.name === "ExportDeclaration" ? statement.getChild("VariableDeclaration") : statement;
    if (language === "python" && statement.name === "AssignStatement") addPython(statement, add);
    if (language === "typescript" && declaration?.name === "VariableDeclaration") addTypescript(declaration, add);
  }
  return found;
}

function addPython(statement: SyntaxNode, add: (name: SyntaxNode, value: SyntaxNode) => void): void {
  const operators = statement.getChildren("AssignOp");
  const [name, value] = [statement.firstChild, operators[0]?.nextSibling];
  if (operators.length !== 1 || !name || !value || name.name !== "VariableName") return;
  const isBare = name.nextSibling?.name !== ","; // `A, B = 1, 2` names two
  if (isBare && (!value.nextSibling || /Comment/.test(value.nextSibling.name))) add(name, value);
}

function addTypescript(declaration: SyntaxNode, add: (name: SyntaxNode, value: SyntaxNode) => void): void {
  for (const name of declaration.getChildren("VariableDefinition")) {
    let next = name.nextSibling;
    while (next && (next.name === "TypeAnnotation" || /Comment/.test(next.name))) next = next.nextSibling;
    if (next?.name === "Equals" && next.nextSibling) add(name, next.nextSibling);
  }
}

/** Lines on which a name is assigned in another way than as a constant of its own: chained, among others, or without a declaration. */
function otherAssignments(source: string, language: Language, name: string): number[] {
  const text = source.replace(/^\uFEFF/, " ");
  const constants = new Set(places(source, language).map(({ from }) => from));
  const lines: number[] = [];
  (language === "python" ? python : typescript).parse(text).iterate({
    enter(node) {
      if (
        ["FunctionDefinition", "ClassDefinition", "FunctionDeclaration", "ClassDeclaration", "ArrowFunction"].includes(
          node.name,
        )
      )
        return false;
      if (!["AssignStatement", "UpdateStatement", "AssignmentExpression", "UpdateExpression"].includes(node.name))
        return true;
      const operators = [
        ...node.node.getChildren("AssignOp"),
        ...node.node.getChildren("Equals"),
        ...node.node.getChildren("UpdateOp"),
      ];
      const last = operators.at(-1);
      if (last?.nextSibling && constants.has(last.nextSibling.from)) return true;
      const targets = text.slice(
        node.from,
        language === "python" ? (last?.from ?? node.to) : (operators[0]?.from ?? node.to),
      );
      if (new RegExp(`(?<![\\w.]|[\\w\\])]\\[)${name}(?![\\w.[(])`).test(targets))
        lines.push(text.slice(0, node.from).split("\n").length);
      return true;
    },
  });
  return lines;
}

/**
 * The source with these constants' values replaced, each in its own style
 * (`2**19` stays a power, quotes and brackets stay what they are); every byte
 * outside a changed value stays.
 * @throws E_TASK_INVALID naming the constant and its line: not found, assigned twice, or no literal
 */
export function rewriteConstants(source: string, language: Language, values: Values): string {
  const found = places(source, language);
  const edited = new MagicString(source);
  for (const [name, value] of Object.entries(values)) {
    const [place, ...again] = found.filter((one) => one.name === name);
    const second = [...again.map(({ line }) => line), ...otherAssignments(source, language, name)][0];
    if (!place) {
      const near = nearest(
        name,
        found.map((one) => one.name),
      );
      throw new BilevelError("E_TASK_INVALID", `there is no constant ${name} at the top level of the file`, {
        path: `constant ${name}`,
        allowed: found.map((one) => one.name).join(", ") || "a module-level constant",
        hint: near ? `did you mean ${near}?` : `add a line ${name} = … to the file`,
      });
    }
    if (second !== undefined)
      throw new BilevelError(
        "E_TASK_INVALID",
        `${name} is assigned on line ${place.line} and again on line ${second}`,
        {
          path: `constant ${name}`,
          hint: "leave one of the two",
        },
      );
    if (JSON.stringify(place.value) === JSON.stringify(value)) continue;
    const text = place.value === undefined ? undefined : writeLiteral(place.node, source, value, language);
    if (text === undefined)
      throw new BilevelError(
        "E_TASK_INVALID",
        `${name} on line ${place.line} is no ${place.value === undefined ? "literal that can be replaced" : `list, and cannot be ${JSON.stringify(value)}`}`,
        {
          path: `constant ${name}`,
          received: place.text.slice(0, 60),
          allowed: "a number, a string, true or false, or a tuple or list of those",
        },
      );
    edited.overwrite(place.from, place.to, text);
  }
  return edited.toString();
}

/**
 * A space read from a file's UPPER_CASE constants, or from those named: powers
 * of two from a quarter to four times their value, positive numbers from a
 * tenth to ten times theirs on a log scale, shares in [0, 1] over [0, 1],
 * whole numbers from half to twice, booleans as they are; the constant's value
 * is the default. Zero, negative numbers outside these rules, and text are left out.
 */
export function discoverSpace(source: string, language: Language, names?: readonly string[]): Space {
  const isWanted = ({ name }: Constant): boolean => (names ? names.includes(name) : /^[A-Z][A-Z0-9_]*$/.test(name));
  const parameters = findConstants(source, language)
    .filter(isWanted)
    .flatMap((constant) => {
      const parameter = parameterFor(constant.value, /[.eE]/.test(constant.text));
      return parameter ? [[constant.name, parameter] as const] : [];
    });
  return { parameters: Object.fromEntries(parameters) };
}

function parameterFor(value: Value | undefined, isFloat: boolean): Parameter | undefined {
  if (typeof value === "boolean") return { type: "bool", default: value };
  if (Array.isArray(value)) {
    const items = value.map((item: Value) => parameterFor(item, typeof item === "number" && !Number.isInteger(item)));
    return items.length > 0 && items.every((item) => item !== undefined)
      ? { type: "tuple", items: items.map(({ default: _, ...domain }) => domain), default: value }
      : undefined;
  }
  if (typeof value !== "number" || value < 0) return undefined;
  if (isFloat && value <= 1 && (value === 0 || value >= 0.1)) return { type: "float", min: 0, max: 1, default: value };
  if (isFloat)
    return { type: "float", min: rounded(value / 10), max: rounded(value * 10), scale: "log", default: value };
  if (value >= 16 && Number.isInteger(Math.log2(value)))
    return { type: "int", min: value / 4, max: value * 4, scale: "pow2", default: value };
  return value < 2 ? undefined : { type: "int", min: Math.ceil(value / 2), max: value * 2, default: value };
}

/** Without the last digits of binary arithmetic: 0.0003, not 0.00030000000000000003. */
const rounded = (value: number): number => Number(value.toPrecision(12));
