import { type Group, refining, loading, fuel } from "./file.ts";

/** Files whose answers, errors or very text would break what reads them. */
export const answers: readonly Group[] = [
  [
    "hostile errors and answers",
    [
      {
        name: "an error whose message loops",
        code: refining("throw { get message() { for (;;) {} }, toString() { for (;;) {} } };"),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "an error whose message is huge",
        code: refining("throw new Error('x'.repeat(5_000_000));"),
        refused: "contract",
        inside: /Error: x{100}/,
      },
      {
        name: "an error that is a proxy",
        code: refining("throw new Proxy(new Error('x'), { get() { throw 1; } });"),
        refused: "contract",
        inside: /cannot be told|./,
      },
      {
        name: "an error thrown while loading, whose name loops",
        code: loading(
          "const e = new Error('x'); Object.defineProperty(e, 'name', { get() { for (;;) {} } }); throw e;",
        ),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "an error of thirty megabytes, thrown while loading",
        code: loading("throw new Error('x'.repeat(30_000_000));"),
        refused: "loads",
        inside: /Error: x{100}/,
      },
      {
        name: "an error that would clear the screen",
        code: refining("throw new Error(String.fromCharCode(27) + '[2J' + String.fromCharCode(155) + '2J');"),
        refused: "contract",
        inside: /Error: {2}\[2J 2J/,
      },
      {
        name: "a parameter whose name would clear the screen",
        code: refining("return { values: { [String.fromCharCode(27) + '[2J']: 1 } };"),
        refused: "contract",
      },
      { name: "null", code: refining("return null as never;"), refused: "contract" },
      { name: "a text", code: refining("return 'change it' as never;"), refused: "contract" },
      { name: "a function", code: refining("return (() => 1) as never;"), refused: "live" },
      {
        name: "a huge answer",
        code: refining("return { values: { a: 'x'.repeat(200_000) } };"),
        refused: "limits",
        inside: /characters/,
      },
      {
        name: "a cyclic answer",
        code: refining("const x: Record<string, unknown> = {}; x.values = x; return x as never;"),
        refused: "contract",
        inside: /not JSON|circular/,
      },
      {
        name: "a big integer",
        code: refining("return { values: { a: 1n } } as never;"),
        refused: "contract",
        inside: /not JSON|BigInt/,
      },
      { name: "not a number", code: refining("return { values: { a: 0 / 0 } };"), refused: "contract" },
      { name: "infinity", code: refining("return { values: { a: 1e308 * 10 } };"), refused: "contract" },
      {
        name: "out of bounds",
        code: refining("return { values: { ...draft.candidate.values, a: 99 } };"),
        refused: "contract",
      },
      {
        name: "a parameter that is not there",
        code: refining("return { values: { ...draft.candidate.values, zz: 1 } };"),
        refused: "contract",
      },
      {
        name: "lists in lists",
        code: refining(
          "let x: unknown = 1; for (let n = 0; n < 2_000; n++) x = [x]; return { values: { a: x } } as never;",
        ),
        refused: "contract",
      },
      {
        name: "five thousand words to the proposer",
        code: `export default { name: "x", contract: 1, apply(taps: { propose(stage: string, tap: unknown): void }) {
          taps.propose("BRIEF", (draft: object) => ({ ...draft, brief: Array.from({ length: 5000 }, () => ({ text: 7 })) }));
        } };`,
        refused: "contract",
      },
      {
        name: "a thenable",
        code: refining("return { then: (f: (x: unknown) => void) => f(1) } as never;"),
        refused: "contract",
        inside: /promise/,
      },
      {
        name: "a promise that never settles",
        code: refining("return new Promise(() => undefined) as never;"),
        refused: "imports",
        inside: /promise/,
      },
      {
        name: "a refusal that is no text",
        code: refining("return { refuse: { toString: 1 } } as never;"),
        refused: "contract",
      },
    ],
  ],
  [
    "files that break what reads them",
    [
      {
        name: "types that compute for ever",
        code: loading(
          "type P<T, K = T> = [T] extends [never] ? [] : K extends K ? [K, ...P<Exclude<T, K>>] : never;\nconst x: P<1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9> = 0 as never; void x;",
        ),
        refused: "types",
      },
      {
        name: "a product of unions",
        code: loading(
          "type D = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9';\ntype T = `${D}${D}${D}${D}${D}${D}${D}`;\nconst x: T = '0' as never; void x;",
        ),
        refused: "types",
      },
      {
        name: "nested brackets",
        code: loading(`const x = ${"[".repeat(20_000)}${"]".repeat(20_000)};`),
        refused: "size",
      },
      {
        name: "nested types",
        code: loading(`type X = ${"Array<".repeat(4000)}1${">".repeat(4000)};`),
        refused: "size",
      },
      { name: "a chain of operators", code: loading(`const x = ${"1+".repeat(12_000)}1;`), refused: "size" },
      {
        name: "a chain of operators on many lines",
        code: loading(`const x = ${"1+\n".repeat(780)}1; void x;`),
        refused: "live",
      },
      { name: "a file of 40 KB", code: `// ${"x".repeat(40_000)}\n${loading("")}`, refused: "size" },
      { name: "a file of 2,000 lines", code: `${"\n".repeat(2000)}${loading("")}`, refused: "size" },
      { name: "what a terminal obeys", code: `// \u001b[2J\u009b2J\n${loading("")}`, refused: "size" },
      { name: "text that reads backwards", code: `// \u202e\n${loading("")}`, refused: "size" },
      { name: "null characters", code: `${loading("")}\0`, refused: "size" },
      { name: "half a character", code: `${loading("")}// \uD800`, refused: "size" },
      { name: "a reference directive", code: `/// <reference types="node" />\n${loading("")}`, refused: "imports" },
      {
        name: "a reference to a file",
        code: `/// <reference path="/etc/passwd" />\n${loading("")}`,
        refused: "imports",
      },
      { name: "checks switched off", code: `// @ts-nocheck\n${loading("")}`, refused: "types" },
      { name: "an error ignored", code: refining("// @ts-ignore\nreturn 1;"), refused: "types" },
      { name: "an enum", code: loading("enum A { B }"), refused: "types" },
      { name: "a namespace", code: loading("namespace A { export const b = 1; }"), refused: "imports" },
      {
        name: "declare global",
        code: `${loading("")}\ndeclare global { interface Array<T> { stolen: T } }`,
        refused: "imports",
      },
      { name: "half a file", code: loading("").slice(0, 120), refused: "types" },
      { name: "an empty file", code: "", refused: "loads" },
      { name: "prose", code: "Here is the mechanism you asked for:\n", refused: "types" },
      { name: "wrong types", code: refining("return { values: state.list.length };"), refused: "types" },
      {
        name: "no default export",
        code: `import { mechanism } from "bilevel/kit";\nexport const x = mechanism({ name: "x", init: () => 0, reflect: (s) => s, refine: () => undefined });`,
        refused: "loads",
      },
      { name: "a default export that is no mechanism", code: "export default 42;", refused: "loads" },
      {
        name: "a plugin whose kinds are no list",
        code: `export default { name: "x", contract: 1, kinds: 5, apply() {} };`,
        refused: "loads",
        inside: /kinds is a list/,
      },
      {
        name: "a plugin that is a proxy with a name of a hundred thousand characters",
        code: `export default new Proxy({ name: "x", contract: 1, apply() {} }, {
          get: (target: Record<string, unknown>, key: string) => (key === "name" ? "a".repeat(100_000) : target[key]),
        });`,
        refused: "limits",
        inside: /characters/,
      },
      {
        name: "ten thousand taps with long names",
        code: `export default { name: "x", contract: 1, apply(taps: { propose(stage: string, tap: unknown): void }) {
          for (let n = 0; n < 10_000; n++) taps.propose("x".repeat(1000), () => undefined);
        } };`,
        refused: "limits",
        inside: /characters/,
      },
      {
        name: "options whose schema is a prototype",
        code: `export default { name: "x", contract: 1, schema: JSON.parse('{"properties":{"__proto__":{"default":{"polluted":1}}}}'),
          apply(taps: { propose(stage: string, tap: unknown): void }) { taps.propose("SHAPE", () => undefined); } };`,
        refused: "live",
      },
      { name: "a hostile name", code: loading("").replace(`"hostile"`, `"../../etc"`), refused: "contract" },
    ],
  ],
];
