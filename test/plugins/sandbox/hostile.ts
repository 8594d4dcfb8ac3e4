import type { Check } from "../../../plugins/sandbox/index.ts";

/** A file that means harm or is broken: what refuses it at the door, and what holds it where the door is left open. */
export interface Hostile {
  name: string;
  code: string;
  refused: Check;
  /** What loading it and asking it once ends with when nothing but the machine stands in its way. Undefined: it gets an answer, and harms nobody. */
  inside?: RegExp;
}

/** A mechanism with this body of `refine`; `top` stands above it, `reflect` takes the place of its own. */
const refining = (
  body: string,
  { top = "", reflect = "return state;" } = {},
): string => `import { mechanism } from "bilevel/kit";
${top}
export default mechanism({
  name: "hostile",
  init: (space) => ({ space, list: [] as unknown[], n: 0 }),
  reflect(state, trial, view) { ${reflect} },
  refine(state, draft, turn) { ${body} },
});
`;
/** Only what the file does while it is loaded. */
const loading = (top: string): string => refining("return undefined;", { top });
const loops = "while (true) {}";
const fuel = /used up its fuel/;
const memory = /used up its memory/;
const deep = /too deep|RangeError|used up its fuel/;
const none = /not defined|is not a function|undefined/;

const entries: [group: string, list: Hostile[]][] = [
  ["endless loops", [
    { name: "in refine", code: refining(loops), refused: "limits", inside: fuel },
    { name: "while loading", code: loading(loops), refused: "limits", inside: fuel },
    { name: "in init", code: `import { mechanism } from "bilevel/kit";\nexport default mechanism({ name: "x", init: () => { for (;;) {} }, reflect: (state) => state, refine: () => undefined });`, refused: "limits", inside: fuel },
    { name: "in reflect", code: refining("return undefined;", { reflect: "for (;;) {}" }), refused: "limits", inside: fuel },
    { name: "swallowed by catch", code: refining("for (;;) { try { for (;;) {} } catch { state.n++; } }"), refused: "limits", inside: fuel },
    { name: "in finally", code: refining("try { throw new Error('x'); } finally { for (;;) {} }"), refused: "limits", inside: fuel },
    { name: "in a generator's finally", code: refining("function* f() { try { yield 1; } finally { for (;;) {} } } for (const one of f()) { if (one) break; } return undefined;"), refused: "limits", inside: fuel },
    { name: "of a generator", code: refining("function* f() { for (;;) yield 1; } let n = 0; for (const one of f()) n += one; return n > 0 ? undefined : undefined;"), refused: "limits", inside: fuel },
    { name: "in a getter of its answer", code: refining("return { get values(): never { for (;;) {} } } as never;"), refused: "limits", inside: fuel },
    { name: "in toJSON", code: refining("return { toJSON() { for (;;) {} } } as never;"), refused: "limits", inside: fuel },
    { name: "in a comparator", code: refining("[3, 2, 1].sort(() => { for (;;) {} }); return undefined;"), refused: "limits", inside: fuel },
    { name: "in valueOf", code: refining("const x = { valueOf(): number { for (;;) {} } }; return 1 + (x as unknown as number) > 0 ? undefined : undefined;"), refused: "limits", inside: fuel },
    { name: "in a proxy's trap", code: refining("return new Proxy({}, { ownKeys() { for (;;) {} } }) as never;"), refused: "limits", inside: fuel },
    { name: "in Symbol.species", code: refining("class A extends Array<number> { static get [Symbol.species](): never { for (;;) {} } } new A(1, 2).map((x) => x); return undefined;"), refused: "limits", inside: fuel },
    { name: "in hasInstance", code: refining("const C = { [Symbol.hasInstance](): boolean { for (;;) {} } }; return ({}) instanceof (C as never) ? undefined : undefined;"), refused: "limits", inside: fuel },
    { name: "in an iterator that is spread", code: refining("const it = { *[Symbol.iterator]() { for (;;) yield 1; } }; return [...it].length > 0 ? undefined : undefined;"), refused: "limits", inside: /fuel|memory/ },
    { name: "of promises", code: refining("const f = (): void => void Promise.resolve().then(f); f(); return undefined;"), refused: "imports" },
    { name: "after await", code: `import { mechanism } from "bilevel/kit";\nexport default mechanism({ name: "x", init: () => 0, reflect: (state) => state, refine: (async () => { await 0; for (;;) {} }) as never });`, refused: "imports", inside: /answer at once|promise/ },
    { name: "at the top, after await", code: `await 0;\nfor (;;) {}\nexport default 1;`, refused: "imports", inside: /await is not allowed/ },
    { name: "of a regular expression", code: refining("return /(a+)+$/.test('a'.repeat(40) + '!') ? undefined : undefined;"), refused: "limits", inside: fuel },
    { name: "of a backreference", code: refining("return /^(.*)*x\\1$/.test('a'.repeat(60)) ? undefined : undefined;"), refused: "limits", inside: fuel },
    { name: "of recursion in a label", code: refining("outer: for (;;) { for (;;) { continue outer; } }"), refused: "limits", inside: fuel },
  ]],
  ["builtins over huge lengths, which no fuel counts", [
    { name: "join", code: refining("return new Array(1e9).join('').length > 0 ? undefined : undefined;"), refused: "limits", inside: /did not answer|memory/ },
    { name: "fill", code: refining("const x = new Float64Array(4e6); for (let n = 0; n < 20_000; n++) x.fill(n); return undefined;"), refused: "limits", inside: /did not answer|fuel/ },
    { name: "indexOf", code: refining("return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1) > 0 ? undefined : undefined;"), refused: "limits", inside: /did not answer|fuel/ },
    { name: "a search in text", code: refining("const text = 'a'.repeat(1e6); let n = 0; for (let i = 0; i < 20_000; i++) n += text.indexOf('b'); return n > 0 ? undefined : undefined;"), refused: "limits", inside: /did not answer|fuel/ },
    { name: "a sparse answer", code: refining("const x: number[] = []; x[5e7] = 1; return { values: { a: x } } as never;"), refused: "limits", inside: /did not answer|memory|fuel/ },
    { name: "squared big integers", code: refining("let x = 7n; for (let n = 0; n < 40; n++) x = x * x; return x > 0n ? undefined : undefined;"), refused: "contract", inside: /RangeError|did not answer|memory/ },
  ]],
  ["memory bombs", [
    { name: "arrays of a megabyte", code: refining("for (;;) state.list.push(new Uint8Array(1_000_000).fill(1));"), refused: "limits", inside: memory },
    { name: "arrays of a megabyte while loading", code: loading("const all: unknown[] = []; for (;;) all.push(new Uint8Array(1_000_000).fill(1));"), refused: "limits", inside: memory },
    { name: "in the state", code: refining("return undefined;", { reflect: "for (let n = 0; n < 100; n++) state.list.push(new Uint8Array(1_000_000).fill(1)); return state;" }), refused: "limits", inside: memory },
    { name: "text that doubles", code: refining("let x = 'x'.repeat(1000); for (;;) x += x;"), refused: "contract", inside: /memory|too long|RangeError|InternalError/ },
    { name: "objects", code: refining("for (;;) state.list.push({ a: { b: [1, 2, 3] } });"), refused: "limits", inside: /memory|fuel/ },
    { name: "a map", code: refining("const m = new Map(); for (let n = 0; ; n++) m.set(n, { n });"), refused: "limits", inside: /memory|fuel/ },
    { name: "one array of a gigabyte", code: refining("return new Uint8Array(1e9).length > 0 ? undefined : undefined;"), refused: "limits", inside: memory },
    { name: "an array filled with a thousand million", code: refining("return Array(1e9).fill(0).length > 0 ? undefined : undefined;"), refused: "limits", inside: /memory|fuel|did not answer/ },
    { name: "swallowed again and again", code: refining("for (;;) { try { const x: unknown[] = []; for (;;) x.push(new Uint8Array(1e6).fill(1)); } catch { state.n++; } }"), refused: "limits", inside: /fuel|did not answer|memory/ },
    { name: "repeat", code: refining("return 'x'.repeat(2 ** 29).length > 0 ? undefined : undefined;"), refused: "limits", inside: /memory|too long|RangeError/ },
  ]],
  ["deep recursion", [
    { name: "of a function", code: refining("const f = (): number => 1 + f(); return f() > 0 ? undefined : undefined;"), refused: "limits", inside: deep },
    { name: "of toString", code: refining("const x = { toString(): string { return `${x}`; } }; return `${x}` ? undefined : undefined;"), refused: "limits", inside: deep },
    { name: "of a nested answer", code: refining("let x: unknown = 1; for (let n = 0; n < 50_000; n++) x = { x }; return { values: { a: x } } as never;"), refused: "limits", inside: deep },
    { name: "of parsed text", code: refining("JSON.parse('['.repeat(500_000)); return undefined;"), refused: "limits", inside: deep },
    { name: "of flat", code: refining("const x: unknown[] = []; x.push(x); x.flat(Infinity); return undefined;"), refused: "limits", inside: /too deep|RangeError|memory|fuel/ },
    { name: "of proxies", code: refining("let x: object = {}; for (let n = 0; n < 100_000; n++) x = new Proxy(x, {}); return 'a' in x ? undefined : undefined;"), refused: "limits", inside: /too deep|RangeError|memory|fuel/ },
  ]],
  ["ways out", [
    { name: "import of a file of Node", code: `import { readFileSync } from "fs";\nexport default readFileSync("/etc/passwd");`, refused: "imports", inside: /could not load/ },
    { name: "import of node:process", code: loading(`import process from "node:process"; process.exit(0);`), refused: "imports", inside: /could not load/ },
    { name: "import of a relative path", code: loading(`import "../../../core/index.ts";`), refused: "imports", inside: /could not load/ },
    { name: "import of data", code: loading(`import "data:text/javascript,1";`), refused: "imports", inside: /could not load/ },
    { name: "import()", code: refining("return import('node:fs') as never;"), refused: "imports", inside: /answer at once|promise/ },
    { name: "import() of a computed name", code: refining("return import(['f', 's'].join('')) as never;"), refused: "imports", inside: /answer at once|promise/ },
    { name: "export from", code: `export * from "node:child_process";\nexport default 1;`, refused: "imports", inside: /could not load/ },
    { name: "import.meta", code: refining("return import.meta.url ? undefined : undefined;"), refused: "imports" },
    { name: "require", code: refining("return (require as never as (name: string) => { readFileSync(f: string): string })('fs').readFileSync('/etc/passwd') ? undefined : undefined;"), refused: "imports", inside: none },
    { name: "an import in types", code: refining("return undefined;", { top: `type Fs = import("node:fs").Stats; const x: Fs | undefined = undefined; void x;` }), refused: "imports" },
    { name: "process", code: refining("return (process as never as { env: object }).env ? undefined : undefined;", { top: "declare const process: unknown;" }), refused: "contract", inside: none },
    { name: "fetch", code: refining("return fetch('http://127.0.0.1:1') as never;", { top: "declare const fetch: (url: string) => unknown;" }), refused: "contract", inside: none },
    { name: "timers", code: refining("setTimeout(() => 1, 0); return undefined;", { top: "declare const setTimeout: (f: () => void, n: number) => void;" }), refused: "contract", inside: none },
    { name: "Atomics.wait", code: refining("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); return undefined;"), refused: "contract", inside: none },
    { name: "WebAssembly", code: refining("return (WebAssembly as never) ? undefined : undefined;", { top: "declare const WebAssembly: unknown;" }), refused: "contract", inside: none },
    { name: "the constructor of a function", code: refining("return ((() => 1).constructor as never as (x: string) => () => { env: object })('return process')().env ? undefined : undefined;"), refused: "contract", inside: /code cannot be made from text/ },
    { name: "the constructor's chain of a kit function", code: refining("return (mechanism.constructor as never as (x: string) => () => unknown)('return globalThis.process')() ? undefined : undefined;"), refused: "contract", inside: /code cannot be made from text/ },
    { name: "the constructor of a generator", code: refining("return (Object.getPrototypeOf(function* () {}).constructor as (x: string) => unknown)('yield 1') ? undefined : undefined;"), refused: "contract", inside: /code cannot be made from text/ },
    { name: "eval", code: refining("return eval('process') ? undefined : undefined;"), refused: "imports", inside: none },
    { name: "new Function", code: refining("return new Function('return process')() ? undefined : undefined;"), refused: "imports", inside: none },
    { name: "the stack of an error", code: refining("(Error as never as { prepareStackTrace: unknown }).prepareStackTrace = () => 1; return undefined;"), refused: "contract", inside: /read-only|extensible/ },
  ]],
  ["pollution", [
    { name: "of Object.prototype", code: refining("(Object.prototype as never as { a: number }).a = 1; return undefined;"), refused: "contract", inside: /extensible|read-only/ },
    { name: "of toJSON", code: refining("(Object.prototype as never as { toJSON: unknown }).toJSON = () => 'pwn'; return undefined;"), refused: "contract", inside: /extensible|read-only/ },
    { name: "of Array.prototype.map", code: refining("Array.prototype.map = (() => [1]) as never; return undefined;"), refused: "contract", inside: /read-only|extensible/ },
    { name: "of JSON.stringify", code: refining("JSON.stringify = (() => '{}') as never; return undefined;"), refused: "contract", inside: /read-only|extensible/ },
    { name: "of a global", code: refining("(this as never as { x: number }).x = 1; return undefined;", { top: "Object.assign(Math, { stolen: 1 });" }), refused: "loads", inside: /extensible|read-only/ },
    { name: "of the kit", code: loading("(mechanism as never as { x: number }).x = 1;"), refused: "loads", inside: /extensible|read-only/ },
    { name: "out of its answer by __proto__", code: refining(`return { values: JSON.parse('{"__proto__": {"polluted": 1}, "a": 0.5}') };`), refused: "contract", inside: undefined },
    { name: "out of its answer by constructor", code: refining("return { values: { constructor: 1 } } as never;"), refused: "contract", inside: undefined },
    { name: "of a trial", code: refining("(turn.parent as never as { id: number }).id = 7; return undefined;"), refused: "contract", inside: /read-only/ },
    { name: "of the draft", code: refining("(draft.candidate as never as { values: object }).values = {}; return draft.candidate;"), refused: "contract", inside: /read-only/ },
    { name: "of the policy", code: refining("return undefined;", { reflect: "(view.policy.frozen as string[]).push('a'); return state;" }), refused: "contract" },
  ]],
  ["hostile errors and answers", [
    { name: "an error whose message loops", code: refining("throw { get message() { for (;;) {} }, toString() { for (;;) {} } };"), refused: "limits", inside: fuel },
    { name: "an error whose message is huge", code: refining("throw new Error('x'.repeat(5_000_000));"), refused: "contract", inside: /Error: x{100}/ },
    { name: "an error that is a proxy", code: refining("throw new Proxy(new Error('x'), { get() { throw 1; } });"), refused: "contract", inside: /cannot be told|./ },
    { name: "an error thrown while loading, whose name loops", code: loading("const e = new Error('x'); Object.defineProperty(e, 'name', { get() { for (;;) {} } }); throw e;"), refused: "limits", inside: fuel },
    { name: "null", code: refining("return null as never;"), refused: "contract" },
    { name: "a text", code: refining("return 'change it' as never;"), refused: "contract" },
    { name: "a function", code: refining("return (() => 1) as never;"), refused: "live" },
    { name: "a huge answer", code: refining("return { values: { a: 'x'.repeat(200_000) } };"), refused: "limits", inside: /characters/ },
    { name: "a cyclic answer", code: refining("const x: Record<string, unknown> = {}; x.values = x; return x as never;"), refused: "contract", inside: /not JSON|circular/ },
    { name: "a big integer", code: refining("return { values: { a: 1n } } as never;"), refused: "contract", inside: /not JSON|BigInt/ },
    { name: "not a number", code: refining("return { values: { a: 0 / 0 } };"), refused: "contract" },
    { name: "infinity", code: refining("return { values: { a: 1e308 * 10 } };"), refused: "contract" },
    { name: "out of bounds", code: refining("return { values: { ...draft.candidate.values, a: 99 } };"), refused: "contract" },
    { name: "a parameter that is not there", code: refining("return { values: { ...draft.candidate.values, zz: 1 } };"), refused: "contract" },
    { name: "a thenable", code: refining("return { then: (f: (x: unknown) => void) => f(1) } as never;"), refused: "contract", inside: /promise/ },
    { name: "a promise that never settles", code: refining("return new Promise(() => undefined) as never;"), refused: "imports", inside: /promise/ },
    { name: "a refusal that is no text", code: refining("return { refuse: { toString: 1 } } as never;"), refused: "contract" },
  ]],
  ["files that break what reads them", [
    { name: "types that compute for ever", code: loading("type P<T, K = T> = [T] extends [never] ? [] : K extends K ? [K, ...P<Exclude<T, K>>] : never;\nconst x: P<1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9> = 0 as never; void x;"), refused: "types" },
    { name: "a product of unions", code: loading("type D = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9';\ntype T = `${D}${D}${D}${D}${D}${D}${D}`;\nconst x: T = '0' as never; void x;"), refused: "types" },
    { name: "nested brackets", code: loading(`const x = ${"[".repeat(20_000)}${"]".repeat(20_000)};`), refused: "size" },
    { name: "nested types", code: loading(`type X = ${"Array<".repeat(4000)}1${">".repeat(4000)};`), refused: "size" },
    { name: "a chain of operators", code: loading(`const x = ${"1+".repeat(12_000)}1;`), refused: "size" },
    { name: "a chain of operators on many lines", code: loading(`const x = ${"1+\n".repeat(780)}1; void x;`), refused: "live" },
    { name: "a file of 40 KB", code: `// ${"x".repeat(40_000)}\n${loading("")}`, refused: "size" },
    { name: "a file of 2,000 lines", code: `${"\n".repeat(2000)}${loading("")}`, refused: "size" },
    { name: "null characters", code: `${loading("")}\0`, refused: "size" },
    { name: "half a character", code: `${loading("")}// \uD800`, refused: "size" },
    { name: "a reference directive", code: `/// <reference types="node" />\n${loading("")}`, refused: "imports" },
    { name: "a reference to a file", code: `/// <reference path="/etc/passwd" />\n${loading("")}`, refused: "imports" },
    { name: "checks switched off", code: `// @ts-nocheck\n${loading("")}`, refused: "types" },
    { name: "an error ignored", code: refining("// @ts-ignore\nreturn 1;"), refused: "types" },
    { name: "an enum", code: loading("enum A { B }"), refused: "types" },
    { name: "a namespace", code: loading("namespace A { export const b = 1; }"), refused: "imports" },
    { name: "declare global", code: `${loading("")}\ndeclare global { interface Array<T> { stolen: T } }`, refused: "imports" },
    { name: "half a file", code: loading("").slice(0, 120), refused: "types" },
    { name: "an empty file", code: "", refused: "loads" },
    { name: "prose", code: "Here is the mechanism you asked for:\n", refused: "types" },
    { name: "wrong types", code: refining("return { values: state.list.length };"), refused: "types" },
    { name: "no default export", code: `import { mechanism } from "bilevel/kit";\nexport const x = mechanism({ name: "x", init: () => 0, reflect: (s) => s, refine: () => undefined });`, refused: "loads" },
    { name: "a default export that is no mechanism", code: "export default 42;", refused: "loads" },
    { name: "a hostile name", code: loading("").replace(`"hostile"`, `"../../etc"`), refused: "contract" },
  ]],
  ["clocks, dice and hidden state", [
    { name: "Date.now", code: refining("return Date.now() > 0 ? undefined : undefined;"), refused: "imports", inside: none },
    { name: "new Date under another name", code: refining("const D = Object.getOwnPropertyDescriptor(this ?? {}, 'Date'); return D ? undefined : { values: { ...draft.candidate.values } };"), refused: "live" },
    { name: "performance.now", code: refining("return performance.now() > 0 ? undefined : undefined;", { top: "declare const performance: { now(): number };" }), refused: "contract", inside: none },
    { name: "Math.random", code: refining("return Math.random() > 2 ? { refuse: 'x' } : undefined;"), refused: "imports", inside: /turn\.random/ },
    { name: "Math.random by another name", code: refining("const { random } = Math; return random() > 2 ? { refuse: 'x' } : undefined;"), refused: "contract", inside: /turn\.random/ },
    { name: "a variable at the top", code: refining("n++; return n % 2 ? { refuse: 'odd' } : undefined;", { top: "let n = 0;" }), refused: "state" },
    { name: "a list at the top", code: refining("seen.push(1); return seen.length % 2 ? { refuse: 'odd' } : undefined;", { top: "const seen: number[] = [];" }), refused: "state" },
    { name: "a static field", code: refining("C.n++; return C.n % 2 ? { refuse: 'odd' } : undefined;", { top: "class C { static n = 0; }" }), refused: "state" },
    { name: "a closure", code: refining("return next() % 2 ? { refuse: 'odd' } : undefined;", { top: "const next = (() => { let n = 0; return () => ++n; })();" }), refused: "state" },
    { name: "the state itself, in refine", code: refining("state.n++; return state.n % 2 ? { refuse: 'odd' } : undefined;"), refused: "state" },
    { name: "a map in the state, in refine", code: refining("state.list.push(1); return undefined;"), refused: "state" },
    { name: "a weak map", code: refining("const n = (memory.get(state) ?? 0) + 1; memory.set(state, n); return n % 2 ? { refuse: 'odd' } : undefined;", { top: "const memory = new WeakMap<object, number>();" }), refused: "state" },
    { name: "turn.once", code: refining("void turn.once('x', 1, (() => 1) as never); return undefined;"), refused: "contract", inside: /may not call once/ },
  ]],
  ["bad conduct", [
    { name: "refuses everything", code: refining("return { refuse: 'no' };"), refused: "contract" },
    { name: "proposes one point for ever", code: refining("return { values: { ...draft.candidate.values, a: 0.5, b: 0.5, c: 0.5 } };").replace("refine(state, draft, turn)", "propose(state: unknown, turn: never)").replace("...draft.candidate.values, ", ""), refused: "contract" },
    { name: "repeats its parent", code: refining("return turn.parent.candidate;"), refused: "contract" },
    { name: "moves frozen parameters", code: refining("const values: Record<string, number> = {}; for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) values[name] = turn.random(); return { values };"), refused: "contract" },
    { name: "is inert", code: refining("return undefined;"), refused: "live" },
    { name: "computes and says nothing", code: refining("state.list.length; return draft.candidate;", { reflect: "state.list.push(trial.id); return state;" }), refused: "live" },
    { name: "only stops", code: `import { mechanism } from "bilevel/kit";\nexport default mechanism({ name: "x", init: () => 0, reflect: (state) => state, prune: () => true });`, refused: "contract" },
    { name: "only judges", code: `import { mechanism } from "bilevel/kit";\nexport default mechanism({ name: "x", init: () => 0, reflect: (state) => state, select: () => undefined });`, refused: "contract" },
    { name: "throws in reflect", code: refining("return undefined;", { reflect: "throw new Error('boom');" }), refused: "contract", inside: /boom/ },
    { name: "throws now and then", code: refining("if (turn.number === 20) throw new Error('now'); return undefined;"), refused: "contract" },
  ]],
]; // prettier-ignore

export const hostile: readonly (Hostile & { group: string })[] = entries.flatMap(([group, list]) => list.map((one) => ({ ...one, group }))); // prettier-ignore
