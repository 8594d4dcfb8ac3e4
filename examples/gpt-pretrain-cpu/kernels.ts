import { readFileSync } from "node:fs";

/** What is used of the WebAssembly of every JavaScript engine. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: object };
};

/** A place in the kernels' memory, in bytes. */
export type Pointer = number;

/** The functions of kernels.as.ts; counts and strides are in elements. */
interface Exports {
  memory: { buffer: ArrayBuffer; grow(pages: number): number };
  gemm(
    m: number,
    n: number,
    k: number,
    a: Pointer,
    aRow: number,
    aColumn: number,
    b: Pointer,
    bRow: number,
    bColumn: number,
    c: Pointer,
    cRow: number,
    alpha: number,
    accumulate: number,
  ): void;
  rmsF(x: Pointer, y: Pointer, scale: Pointer, rows: number, width: number, xRow: number, yRow: number): void;
  rmsB(
    dy: Pointer,
    y: Pointer,
    scale: Pointer,
    dx: Pointer,
    rows: number,
    width: number,
    yRow: number,
    dRow: number,
    accumulate: number,
  ): void;
  rope(
    x: Pointer,
    rows: number,
    length: number,
    heads: number,
    headDim: number,
    xRow: number,
    cos: Pointer,
    sin: Pointer,
    sign: number,
  ): void;
  softF(scores: Pointer, length: number): void;
  softB(dp: Pointer, p: Pointer, length: number): void;
  relu2F(x: Pointer, y: Pointer, count: number): void;
  relu2B(x: Pointer, dy: Pointer, count: number): void;
  ce(
    logits: Pointer,
    targets: Pointer,
    rows: number,
    vocabulary: number,
    padded: number,
    scale: number,
    gradient: number,
  ): number;
  axpby(x: Pointer, a: number, y: Pointer, b: number, out: Pointer, count: number): void;
  dot(x: Pointer, y: Pointer, count: number): number;
  gather(table: Pointer, ids: Pointer, out: Pointer, rows: number, width: number): void;
  scatterAdd(gradient: Pointer, ids: Pointer, dx: Pointer, rows: number, width: number): void;
  adamw(
    p: Pointer,
    g: Pointer,
    m: Pointer,
    v: Pointer,
    count: number,
    rate: number,
    b1: number,
    b2: number,
    c1: number,
    c2: number,
    epsilon: number,
    decay: number,
  ): void;
  fill0(p: Pointer, count: number): void;
}

/** A matrix in memory by its strides, so that a transpose or a head costs nothing. */
export interface Matrix {
  at: Pointer;
  row: number;
  column: number;
}

/** Row-major, `width` apart. */
export const rows = (at: Pointer, width: number): Matrix => ({ at, row: width, column: 1 });
export const transposed = ({ at, row, column }: Matrix): Matrix => ({ at, row: column, column: row });

const page = 65_536;

/** The SIMD kernels with one linear memory of 32-bit floats and integers. */
export class Kernels {
  readonly call: Exports;
  #top = page; // below lie the kernels' own buffers

  constructor(file: URL = new URL("./kernels.wasm", import.meta.url)) {
    const abort = (): never => {
      throw new Error("the kernels aborted");
    };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), { env: { abort } });
    this.call = instance.exports as unknown as Exports;
  }

  /** Room for so many 4-byte numbers, zero, aligned to 64 bytes. */
  allocate(count: number): Pointer {
    const at = this.#top;
    this.#top += (count * 4 + 63) & ~63;
    const missing = this.#top - this.call.memory.buffer.byteLength;
    if (missing > 0) this.call.memory.grow(Math.ceil(missing / page) + 64);
    return at;
  }

  /** Views end with the next allocation: growing the memory detaches them. */
  floats(at: Pointer, count: number): Float32Array {
    return new Float32Array(this.call.memory.buffer, at, count);
  }

  integers(at: Pointer, count: number): Int32Array {
    return new Int32Array(this.call.memory.buffer, at, count);
  }

  get bytes(): number {
    return this.call.memory.buffer.byteLength;
  }

  /** out = alpha a b, or out += with `add`; m by k times k by n, rows of out `outRow` apart. n must be a multiple of 8. */
  multiply(
    m: number,
    n: number,
    k: number,
    a: Matrix,
    b: Matrix,
    out: Pointer,
    outRow: number,
    { alpha = 1, add = false } = {},
  ): void {
    if (n % 8 !== 0) throw new RangeError(`a product needs a multiple of 8 columns, not ${n}`);
    this.call.gemm(m, n, k, a.at, a.row, a.column, b.at, b.row, b.column, out, outRow, alpha, add ? 1 : 0);
  }
}
