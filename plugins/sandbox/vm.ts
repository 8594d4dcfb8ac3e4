import { readFileSync } from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { EvalFlags, Intrinsics, JSException, JSValueHandle, QuickJS, type Snapshot } from "quickjs-wasi";
import { limits } from "./protocol.ts";

/** Why a call has no reply. All but `error` leave the virtual machine in a state that nobody knows: it must be thrown away; `thread`: so must its thread. */
export type FailureKind = "error" | "fuel" | "memory" | "stack" | "size" | "engine" | "thread";

export class CallFailure extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

const guestFile = new URL(import.meta.url.endsWith(".ts") ? "./guest.ts" : "./guest.js", import.meta.url);
const root = new URL("../../", import.meta.url);
const isTypeScript = guestFile.pathname.endsWith(".ts");
const wasmFile = createRequire(import.meta.url).resolve("quickjs-wasi/quickjs.wasm");
const kitFile = new URL(`kit/index.${isTypeScript ? "ts" : "js"}`, root);

/** JavaScript with every character in its place. @throws CallFailure: `error` for a file that is none, `thread` where the stripper broke on it and would break on everything after */
export function stripTypes(code: string): string {
  try {
    return stripTypeScriptTypes(code, { mode: "strip" });
  } catch (error) {
    const { code: known, message } = error as NodeJS.ErrnoException;
    throw new CallFailure(known?.includes("TYPESCRIPT") ? "error" : "thread", message.slice(0, 300));
  }
}

/** A machine's memory before any mechanism is in it; the numbers are where these functions of the guest lie. */
interface Base {
  snapshot: Snapshot;
  adopt: number;
  receive: number;
  tell: number;
}

/** Every engine's own; its types come with a browser's only. */
declare const WebAssembly: { Module: new (bytes: Uint8Array) => object };

let wasm: object | undefined;
let base: Promise<Base> | undefined;

const { WEAK_REF, PERFORMANCE, DATE, DOM_EXCEPTION, ATOB_BTOA } = Intrinsics;

/** Nothing of the host: a clock that stands still, numbers that are not random, output that goes nowhere. */
const options = () => ({
  wasm: (wasm ??= new WebAssembly.Module(readFileSync(wasmFile))),
  intrinsics: (0x1fff & ~(WEAK_REF | PERFORMANCE | DATE | DOM_EXCEPTION | ATOB_BTOA)) >>> 0,
  timezoneOffset: 0,
  wasi: (memory: { buffer: ArrayBuffer }) => ({
    clock_time_get(_clock: number, _precision: bigint, at: number) {
      new DataView(memory.buffer).setBigUint64(at, 0n, true);
      return 0;
    },
    random_get(at: number, length: number) {
      new Uint8Array(memory.buffer, at, length).fill(7);
      return 0;
    },
    fd_write(_file: number, vectors: number, count: number, written: number) {
      const view = new DataView(memory.buffer);
      let total = 0;
      for (let n = 0; n < count; n++) total += view.getUint32(vectors + n * 8 + 4, true);
      view.setUint32(written, total, true);
      return 0;
    },
  }),
});

/** A machine with the kit and the guest loaded and everything frozen; every mechanism starts from a copy of its memory. */
async function makeBase(): Promise<Base> {
  const source = (url: URL): string => {
    const text = readFileSync(url, "utf8");
    return isTypeScript ? stripTypes(text) : text;
  };
  const vm = await QuickJS.create({
    ...options(),
    moduleLoader: {
      normalize: (from: string, name: string) => (name.startsWith(".") ? new URL(name, from).href : name),
      load: (name: string) =>
        name === "bilevel/kit" ? `export * from ${JSON.stringify(kitFile.href)};` : source(new URL(name)),
    },
  });
  const code = `import "bilevel/kit"; import * as guest from ${JSON.stringify(guestFile.href)}; globalThis.guest = guest;`;
  const loaded = vm.evalCode(code, "sandbox", EvalFlags.TYPE_MODULE);
  if (loaded.promiseState !== 1) throw new Error("the sandbox's own code did not load");
  const guest = vm.global.getProp("guest");
  const [adopt, receive, tell, lock] = ["adopt", "receive", "tell", "lock"].map((name) => guest.getProp(name)) as [
    JSValueHandle,
    JSValueHandle,
    JSValueHandle,
    JSValueHandle,
  ];
  vm.evalCode("delete globalThis.guest").dispose();
  vm.callFunction(lock, vm.undefined).dispose();
  const kept = { adopt: vm.exportHandle(adopt), receive: vm.exportHandle(receive), tell: vm.exportHandle(tell) };
  return { ...kept, snapshot: vm.snapshot() };
}

/** One mechanism in one virtual machine: text in, text out, with fuel counted in the engine's own ticks. */
export class Vm {
  readonly #vm: QuickJS;
  readonly #receive: JSValueHandle;
  readonly #tell: JSValueHandle;
  #fuel = { left: 0, used: 0 };

  private constructor(vm: QuickJS, receive: JSValueHandle, tell: JSValueHandle) {
    this.#vm = vm;
    this.#receive = receive;
    this.#tell = tell;
  }

  /** Loads a mechanism's file (JavaScript) and gives what it says of itself, as text. @throws CallFailure */
  static async load(code: string, fuel: number): Promise<{ vm: Vm; described: string }> {
    const { snapshot, adopt, receive, tell } = await (base ??= makeBase());
    let made: Vm | undefined = undefined;
    const engine: QuickJS = await QuickJS.restore(snapshot, {
      ...options(),
      memoryLimit: limits.heap,
      maxStackSize: limits.stack,
      interruptHandler: () => made?.burn() ?? false,
    });
    const vm = new Vm(engine, engine.importHandle(receive), engine.importHandle(tell));
    made = vm;
    const described = vm.#run(fuel, () => {
      const promise = engine.evalCode(code, "mechanism", EvalFlags.TYPE_MODULE);
      if (promise.promiseState === 0)
        throw new CallFailure("error", "the file waits for something before it is loaded: await is not allowed");
      const result = new JSValueHandle(engine, engine._getExports().qjs_promise_result(promise.ptr));
      if (promise.promiseState !== 1) throw failureOf(vm.#told(result)); // JSException would copy its whole message
      return engine.callFunction(engine.importHandle(adopt), engine.undefined, result.getProp("default"));
    });
    return { vm, described };
  }

  /** Ticks of the engine that the last call took; one is some 10,000 loop turns or calls. */
  get used(): number {
    return this.#fuel.used;
  }

  /** One message with so much fuel. @throws CallFailure */
  call(text: string, fuel: number): string {
    return this.#run(fuel, () => {
      const message = this.#vm.newString(text);
      try {
        return this.#vm.callFunction(this.#receive, this.#vm.undefined, message);
      } finally {
        message.dispose();
      }
    });
  }

  dispose(): void {
    this.#vm.dispose();
  }

  burn(): boolean {
    return ++this.#fuel.used > this.#fuel.left;
  }

  #run(fuel: number, work: () => JSValueHandle): string {
    this.#fuel = { left: fuel, used: 0 };
    let text: string;
    try {
      text = this.#text(work());
    } catch (error) {
      if (this.#fuel.used > fuel) throw new CallFailure("fuel", `it used up its fuel of ${fuel} ticks`);
      if (error instanceof CallFailure) throw error;
      if (error instanceof JSException) throw failureOf(this.#told(error.handle));
      throw new CallFailure("engine", `the engine broke on it: ${String(error).slice(0, 200)}`);
    }
    const error = text.startsWith('{"error"') ? String((JSON.parse(text) as { error: unknown }).error) : undefined;
    if (error !== undefined) throw failureOf(error);
    return text;
  }

  /** A thrown value is told by the guest: to look at it from here could run its code. */
  #told(thrown: JSValueHandle): string {
    try {
      return this.#text(this.#vm.callFunction(this.#tell, this.#vm.undefined, thrown));
    } catch {
      return "threw something that cannot be told";
    }
  }

  #text(result: JSValueHandle): string {
    if (!result.isString) throw new CallFailure("error", "it gave no text back");
    const { length } = result;
    if (length > limits.text)
      throw new CallFailure("size", `its answer has ${length} characters; ${limits.text} are allowed`);
    const text = result.toString();
    result.dispose();
    return text;
  }
}

function failureOf(told: string): CallFailure {
  if (/InternalError: out of memory/.test(told))
    return new CallFailure("memory", `it used up its memory of ${limits.heap / 2 ** 20} MiB`);
  if (/call stack|stack overflow/i.test(told)) return new CallFailure("stack", "it nested too deep for its stack");
  return new CallFailure("error", told);
}
