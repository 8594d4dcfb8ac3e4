import { type Group, refining, loading, none } from "./file.ts";

/** Files that look for a way out of the machine, or change what others share. */
export const escapes: readonly Group[] = [
  [
    "ways out",
    [
      {
        name: "import of a file of Node",
        code: `import { readFileSync } from "fs";\nexport default readFileSync("/etc/passwd");`,
        refused: "imports",
        inside: /could not load/,
      },
      {
        name: "import of node:process",
        code: loading(`import process from "node:process"; process.exit(0);`),
        refused: "imports",
        inside: /could not load/,
      },
      {
        name: "import of a relative path",
        code: loading(`import "../../../core/index.ts";`),
        refused: "imports",
        inside: /could not load/,
      },
      {
        name: "import of data",
        code: loading(`import "data:text/javascript,1";`),
        refused: "imports",
        inside: /could not load/,
      },
      {
        name: "import()",
        code: refining("return import('node:fs') as never;"),
        refused: "imports",
        inside: /answer at once|promise/,
      },
      {
        name: "import() of a computed name",
        code: refining("return import(['f', 's'].join('')) as never;"),
        refused: "imports",
        inside: /answer at once|promise/,
      },
      {
        name: "export from",
        code: `export * from "node:child_process";\nexport default 1;`,
        refused: "imports",
        inside: /could not load/,
      },
      { name: "import.meta", code: refining("return import.meta.url ? undefined : undefined;"), refused: "imports" },
      {
        name: "require",
        code: refining(
          "return (require as never as (name: string) => { readFileSync(f: string): string })('fs').readFileSync('/etc/passwd') ? undefined : undefined;",
        ),
        refused: "imports",
        inside: none,
      },
      {
        name: "an import in types",
        code: refining("return undefined;", {
          top: `type Fs = import("node:fs").Stats; const x: Fs | undefined = undefined; void x;`,
        }),
        refused: "imports",
      },
      {
        name: "process",
        code: refining("return (process as never as { env: object }).env ? undefined : undefined;", {
          top: "declare const process: unknown;",
        }),
        refused: "contract",
        inside: none,
      },
      {
        name: "fetch",
        code: refining("return fetch('http://127.0.0.1:1') as never;", {
          top: "declare const fetch: (url: string) => unknown;",
        }),
        refused: "contract",
        inside: none,
      },
      {
        name: "timers",
        code: refining("setTimeout(() => 1, 0); return undefined;", {
          top: "declare const setTimeout: (f: () => void, n: number) => void;",
        }),
        refused: "contract",
        inside: none,
      },
      {
        name: "Atomics.wait",
        code: refining("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); return undefined;"),
        refused: "contract",
        inside: none,
      },
      {
        name: "WebAssembly",
        code: refining("return (WebAssembly as never) ? undefined : undefined;", {
          top: "declare const WebAssembly: unknown;",
        }),
        refused: "contract",
        inside: none,
      },
      {
        name: "the constructor of a function",
        code: refining(
          "return ((() => 1).constructor as never as (x: string) => () => { env: object })('return process')().env ? undefined : undefined;",
        ),
        refused: "contract",
        inside: /code cannot be made from text/,
      },
      {
        name: "the constructor's chain of a kit function",
        code: refining(
          "return (mechanism.constructor as never as (x: string) => () => unknown)('return globalThis.process')() ? undefined : undefined;",
        ),
        refused: "contract",
        inside: /code cannot be made from text/,
      },
      {
        name: "the constructor of a generator",
        code: refining(
          "return (Object.getPrototypeOf(function* () {}).constructor as (x: string) => unknown)('yield 1') ? undefined : undefined;",
        ),
        refused: "contract",
        inside: /code cannot be made from text/,
      },
      {
        name: "eval",
        code: refining("return eval('process') ? undefined : undefined;"),
        refused: "imports",
        inside: none,
      },
      {
        name: "new Function",
        code: refining("return new Function('return process')() ? undefined : undefined;"),
        refused: "imports",
        inside: none,
      },
      {
        name: "the stack of an error",
        code: refining(
          "(Error as never as { prepareStackTrace: unknown }).prepareStackTrace = () => 1; return undefined;",
        ),
        refused: "contract",
        inside: /read-only|extensible/,
      },
    ],
  ],
  [
    "pollution",
    [
      {
        name: "of Object.prototype",
        code: refining("(Object.prototype as never as { a: number }).a = 1; return undefined;"),
        refused: "contract",
        inside: /extensible|read-only/,
      },
      {
        name: "of toJSON",
        code: refining("(Object.prototype as never as { toJSON: unknown }).toJSON = () => 'pwn'; return undefined;"),
        refused: "contract",
        inside: /extensible|read-only/,
      },
      {
        name: "of Array.prototype.map",
        code: refining("Array.prototype.map = (() => [1]) as never; return undefined;"),
        refused: "contract",
        inside: /read-only|extensible/,
      },
      {
        name: "of JSON.stringify",
        code: refining("JSON.stringify = (() => '{}') as never; return undefined;"),
        refused: "contract",
        inside: /read-only|extensible/,
      },
      {
        name: "of a global",
        code: refining("(this as never as { x: number }).x = 1; return undefined;", {
          top: "Object.assign(Math, { stolen: 1 });",
        }),
        refused: "loads",
        inside: /extensible|read-only/,
      },
      {
        name: "of the kit",
        code: loading("(mechanism as never as { x: number }).x = 1;"),
        refused: "loads",
        inside: /extensible|read-only/,
      },
      {
        name: "out of its answer by __proto__",
        code: refining(`return { values: JSON.parse('{"__proto__": {"polluted": 1}, "a": 0.5}') };`),
        refused: "contract",
        inside: undefined,
      },
      {
        name: "out of its answer by constructor",
        code: refining("return { values: { constructor: 1 } } as never;"),
        refused: "contract",
        inside: undefined,
      },
      {
        name: "of a trial",
        code: refining("(turn.parent as never as { id: number }).id = 7; return undefined;"),
        refused: "contract",
        inside: /read-only/,
      },
      {
        name: "of the draft",
        code: refining("(draft.candidate as never as { values: object }).values = {}; return draft.candidate;"),
        refused: "contract",
        inside: /read-only/,
      },
      {
        name: "of the policy",
        code: refining("return undefined;", { reflect: "(view.policy.frozen as string[]).push('a'); return state;" }),
        refused: "contract",
      },
    ],
  ],
];
