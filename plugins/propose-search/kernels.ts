import { wasm } from "./kernels.wasm.ts";

/** What is used of the WebAssembly of every JavaScript engine. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: object };
};

/** A place in the kernels' memory, in bytes. */
type Pointer = number;

/** What an axis has. */
export const kinds = { numbers: 0, numbersAndGaps: 1, categories: 2 } as const;
export type Kind = (typeof kinds)[keyof typeof kinds];

/** The functions of kernels.as.ts. `bytes`: of an array with a number for each point. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  anchor(bytes: number, axis: Pointer, place: number, weight: number, kind: Kind, sums: Pointer): void;
  move(bytes: number, axis: Pointer, place: number, weight: number, kind: Kind, sums: Pointer): void;
  covariances(
    count: number,
    bytes: number,
    sums: Pointer,
    each: number,
    whole: number,
    joint: number,
    alpha: Pointer,
    k: Pointer,
  ): number;
  largest(bytes: number, k: Pointer): number;
  solve(lower: Pointer, k: Pointer, from: number, to: number): number;
}

const page = 65_536;
const compiled = new WebAssembly.Module(Buffer.from(wasm, "base64"));

/** The kernels with a memory of their own, for one surrogate at a time. */
export class Kernels {
  readonly call = new WebAssembly.Instance(compiled).exports as Exports;

  /** Room for so many numbers, all zero, from the first byte on. What was there before is gone. */
  room(count: number): Float64Array<ArrayBuffer> {
    const missing = count * 8 - this.call.memory.buffer.byteLength;
    if (missing > 0) this.call.memory.grow(Math.ceil(missing / page));
    return new Float64Array(this.call.memory.buffer, 0, count).fill(0);
  }
}
