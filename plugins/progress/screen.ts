import { styleText } from "node:util";
import wrapAnsi from "wrap-ansi";
import { onOneLine } from "../../kit/text.ts";

type Style = "bold" | "red" | "green" | "dim";

/** What a reader looks for, by style: the terminal's own colours, which are read on a dark and on a light ground. */
const marks =
  /(?<bold>^(?:run|best)\b)|(?<red>\b(?:not confirmed|dropped|crashed)\b)|(?<green>\b(?:kept|confirmed)\b)|(?<dim>\b(?:too early|confirming|measured again)\b)/g;

/** A line as a terminal shows it: in colour unless NO_COLOR says otherwise, broken between words where it is too long. */
export function fitted(text: string, stream: NodeJS.WriteStream): string {
  const line = onOneLine(text);
  if (!stream.isTTY) return line;
  const indent = " ".repeat(2 + (/^ */.exec(line)?.[0].length ?? 0));
  const [first = "", ...rest] = wrapAnsi(line, (stream.columns || 100) - 1 - indent.length, { trim: false }).split(
    "\n",
  );
  return [first, ...rest.map((part) => indent + part.trimStart())].map((part) => painted(part, stream)).join("\n");
}

/** Prints a line on a terminal as it fits there, and elsewhere as it is. */
export function say(line: string, stream: NodeJS.WriteStream = process.stdout): void {
  stream.write(`${fitted(line, stream)}\n`);
}

function painted(line: string, stream: NodeJS.WriteStream): string {
  return line.replace(marks, (found, ...rest: unknown[]) => {
    const [style = "bold"] =
      Object.entries(rest.at(-1) as Record<Style, string | undefined>).find(([, text]) => text) ?? [];
    return styleText(style as Style, found, { stream });
  });
}
