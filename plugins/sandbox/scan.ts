/** One reason why a file is not let in, told so that its author can act on it. */
export interface Problem {
  check: Check;
  message: string;
  line?: number;
}

/** One line for an author: the check, the line of the file, what to change. */
export const problemText = ({ check, message, line }: Problem): string =>
  `${check}${line ? `, line ${line}` : ""}: ${message}`;

/** The line of checks, in its order. */
export const checks = [
  "size",
  "imports",
  "types",
  "loads",
  "contract",
  "deterministic",
  "state",
  "limits",
  "live",
] as const;
export type Check = (typeof checks)[number];

const most = { characters: 32_768, lines: 800, depth: 64, operatorsPerLine: 200 } as const;

/**
 * What can be told by looking at every character once, before any parser sees
 * the file: parsers recurse, and some of what breaks them breaks their process.
 */
export function scan(code: string): Problem[] {
  const problem = (message: string, line?: number): Problem[] => [
    { check: "size", message, ...(line ? { line } : {}) },
  ];
  if (code.length > most.characters)
    return problem(`the file has ${code.length} characters; ${most.characters} are allowed`);
  // control characters, marks that turn the direction of reading, halves of characters, what UTF-8 does not hold
  if (/[^\P{Cc}\n\r\t]|[\u202A-\u202E\u2066-\u2069\uFFFD]|\p{Cs}/u.test(code))
    return problem("the file is not plain text in UTF-8");
  const lines = code.split("\n");
  if (lines.length > most.lines) return problem(`the file has ${lines.length} lines; ${most.lines} are allowed`);
  let depth = 0;
  for (const [index, line] of lines.entries()) {
    let operators = 0;
    for (const character of line) {
      if ("([{".includes(character)) depth++;
      else if (")]}".includes(character)) depth = Math.max(0, depth - 1);
      if ("+-*/%!~?:&|^=<>.,".includes(character)) operators++;
      if (depth > most.depth) return problem(`brackets are nested deeper than ${most.depth}`, index + 1);
    }
    if (operators > most.operatorsPerLine)
      return problem(`there are ${operators} operators on one line; ${most.operatorsPerLine} are allowed`, index + 1);
  }
  return [];
}
