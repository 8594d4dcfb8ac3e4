import { type Group, refining, loading, loops, fuel, memory, deep } from "./file.ts";

/** Files that would run for ever, or take all memory. */
export const runaway: readonly Group[] = [
  [
    "endless loops",
    [
      { name: "in refine", code: refining(loops), refused: "limits", inside: fuel },
      { name: "while loading", code: loading(loops), refused: "limits", inside: fuel },
      {
        name: "in init",
        code: `import { mechanism } from "bilevel/kit";\nexport default mechanism({ name: "x", init: () => { for (;;) {} }, reflect: (state) => state, refine: () => undefined });`,
        refused: "limits",
        inside: fuel,
      },
      {
        name: "in reflect",
        code: refining("return undefined;", { reflect: "for (;;) {}" }),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "swallowed by catch",
        code: refining("for (;;) { try { for (;;) {} } catch { state.n++; } }"),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "in finally",
        code: refining("try { throw new Error('x'); } finally { for (;;) {} }"),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "in a generator's finally",
        code: refining(
          "function* f() { try { yield 1; } finally { for (;;) {} } } for (const one of f()) { if (one) break; } return undefined;",
        ),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "of a generator",
        code: refining(
          "function* f() { for (;;) yield 1; } let n = 0; for (const one of f()) n += one; return n > 0 ? undefined : undefined;",
        ),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "in a getter of its answer",
        code: refining("return { get values(): never { for (;;) {} } } as never;"),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "in toJSON",
        code: refining("return { toJSON() { for (;;) {} } } as never;"),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "in a comparator",
        code: refining("[3, 2, 1].sort(() => { for (;;) {} }); return undefined;"),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "in valueOf",
        code: refining(
          "const x = { valueOf(): number { for (;;) {} } }; return 1 + (x as unknown as number) > 0 ? undefined : undefined;",
        ),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "in a proxy's trap",
        code: refining("return new Proxy({}, { ownKeys() { for (;;) {} } }) as never;"),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "in Symbol.species",
        code: refining(
          "class A extends Array<number> { static get [Symbol.species](): never { for (;;) {} } } new A(1, 2).map((x) => x); return undefined;",
        ),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "in hasInstance",
        code: refining(
          "const C = { [Symbol.hasInstance](): boolean { for (;;) {} } }; return ({}) instanceof (C as never) ? undefined : undefined;",
        ),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "in an iterator that is spread",
        code: refining(
          "const it = { *[Symbol.iterator]() { for (;;) yield 1; } }; return [...it].length > 0 ? undefined : undefined;",
        ),
        refused: "limits",
        inside: /fuel|memory/,
      },
      {
        name: "of promises",
        code: refining("const f = (): void => void Promise.resolve().then(f); f(); return undefined;"),
        refused: "imports",
      },
      {
        name: "after await",
        code: `import { mechanism } from "bilevel/kit";\nexport default mechanism({ name: "x", init: () => 0, reflect: (state) => state, refine: (async () => { await 0; for (;;) {} }) as never });`,
        refused: "imports",
        inside: /answer at once|promise/,
      },
      {
        name: "at the top, after await",
        code: `await 0;\nfor (;;) {}\nexport default 1;`,
        refused: "imports",
        inside: /await is not allowed/,
      },
      {
        name: "of a regular expression",
        code: refining("return /(a+)+$/.test('a'.repeat(40) + '!') ? undefined : undefined;"),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "of a backreference",
        code: refining("return /^(.*)*x\\1$/.test('a'.repeat(60)) ? undefined : undefined;"),
        refused: "limits",
        inside: fuel,
      },
      {
        name: "of recursion in a label",
        code: refining("outer: for (;;) { for (;;) { continue outer; } }"),
        refused: "limits",
        inside: fuel,
      },
    ],
  ],
  [
    "builtins over huge lengths, which no fuel counts",
    [
      {
        name: "join",
        code: refining("return new Array(1e9).join('').length > 0 ? undefined : undefined;"),
        refused: "limits",
        inside: /did not answer|memory/,
      },
      {
        name: "fill",
        code: refining(
          "const x = new Float64Array(4e6); for (let n = 0; n < 20_000; n++) x.fill(n); return undefined;",
        ),
        refused: "limits",
        inside: /did not answer|fuel/,
      },
      {
        name: "indexOf",
        code: refining("return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1) > 0 ? undefined : undefined;"),
        refused: "limits",
        inside: /did not answer|fuel/,
      },
      {
        name: "a search in text",
        code: refining(
          "const text = 'a'.repeat(1e6); let n = 0; for (let i = 0; i < 20_000; i++) n += text.indexOf('b'); return n > 0 ? undefined : undefined;",
        ),
        refused: "limits",
        inside: /did not answer|fuel/,
      },
      {
        name: "a sparse answer",
        code: refining("const x: number[] = []; x[5e7] = 1; return { values: { a: x } } as never;"),
        refused: "limits",
        inside: /did not answer|memory|fuel/,
      },
      {
        name: "squared big integers",
        code: refining("let x = 7n; for (let n = 0; n < 40; n++) x = x * x; return x > 0n ? undefined : undefined;"),
        refused: "contract",
        inside: /RangeError|did not answer|memory/,
      },
    ],
  ],
  [
    "memory bombs",
    [
      {
        name: "arrays of a megabyte",
        code: refining("for (;;) state.list.push(new Uint8Array(1_000_000).fill(1));"),
        refused: "limits",
        inside: memory,
      },
      {
        name: "arrays of a megabyte while loading",
        code: loading("const all: unknown[] = []; for (;;) all.push(new Uint8Array(1_000_000).fill(1));"),
        refused: "limits",
        inside: memory,
      },
      {
        name: "in the state",
        code: refining("return undefined;", {
          reflect: "for (let n = 0; n < 100; n++) state.list.push(new Uint8Array(1_000_000).fill(1)); return state;",
        }),
        refused: "limits",
        inside: memory,
      },
      {
        name: "text that doubles",
        code: refining("let x = 'x'.repeat(1000); for (;;) x += x;"),
        refused: "contract",
        inside: /memory|too long|RangeError|InternalError/,
      },
      {
        name: "objects",
        code: refining("for (;;) state.list.push({ a: { b: [1, 2, 3] } });"),
        refused: "limits",
        inside: /memory|fuel/,
      },
      {
        name: "a map",
        code: refining("const m = new Map(); for (let n = 0; ; n++) m.set(n, { n });"),
        refused: "limits",
        inside: /memory|fuel/,
      },
      {
        name: "one array of a gigabyte",
        code: refining("return new Uint8Array(1e9).length > 0 ? undefined : undefined;"),
        refused: "limits",
        inside: memory,
      },
      {
        name: "an array filled with a thousand million",
        code: refining("return Array(1e9).fill(0).length > 0 ? undefined : undefined;"),
        refused: "limits",
        inside: /memory|fuel|did not answer/,
      },
      {
        name: "swallowed again and again",
        code: refining(
          "for (;;) { try { const x: unknown[] = []; for (;;) x.push(new Uint8Array(1e6).fill(1)); } catch { state.n++; } }",
        ),
        refused: "limits",
        inside: /fuel|did not answer|memory/,
      },
      {
        name: "repeat",
        code: refining("return 'x'.repeat(2 ** 29).length > 0 ? undefined : undefined;"),
        refused: "limits",
        inside: /memory|too long|RangeError/,
      },
    ],
  ],
  [
    "deep recursion",
    [
      {
        name: "of a function",
        code: refining("const f = (): number => 1 + f(); return f() > 0 ? undefined : undefined;"),
        refused: "limits",
        inside: deep,
      },
      {
        name: "of toString",
        code: refining("const x = { toString(): string { return `${x}`; } }; return `${x}` ? undefined : undefined;"),
        refused: "limits",
        inside: deep,
      },
      {
        name: "of a nested answer",
        code: refining(
          "let x: unknown = 1; for (let n = 0; n < 50_000; n++) x = { x }; return { values: { a: x } } as never;",
        ),
        refused: "limits",
        inside: deep,
      },
      {
        name: "of parsed text",
        code: refining("JSON.parse('['.repeat(500_000)); return undefined;"),
        refused: "limits",
        inside: deep,
      },
      {
        name: "of flat",
        code: refining("const x: unknown[] = []; x.push(x); x.flat(Infinity); return undefined;"),
        refused: "limits",
        inside: /too deep|RangeError|memory|fuel/,
      },
      {
        name: "of proxies",
        code: refining(
          "let x: object = {}; for (let n = 0; n < 100_000; n++) x = new Proxy(x, {}); return 'a' in x ? undefined : undefined;",
        ),
        refused: "limits",
        inside: /too deep|RangeError|memory|fuel/,
      },
    ],
  ],
];
