import { closeSync, openSync, writeSync } from "node:fs";
import { plain } from "../../kit/text.ts";

const keptLines = 20;
const longestLine = 500;

/** The last lines of a program's output that are not empty, which tell why it failed. */
export class LastLines {
  readonly lines: string[] = [];

  take(text: string): void {
    for (const line of plain(text).split(/\r\n|\r|\n/))
      if (line.trim()) this.lines.push(line.trim().slice(0, longestLine));
    this.lines.splice(0, Math.max(0, this.lines.length - keptLines));
  }
}

/** A trial's log with a cap: its first half and its last half are kept, and between them what was cut is told. */
export class CappedLog {
  readonly #descriptor: number;
  readonly #half: number;
  #written = 0;
  #tail: Buffer[] = [];
  #tailLength = 0;
  #cut = 0;

  constructor(file: string, capBytes: number) {
    this.#descriptor = openSync(file, "w");
    this.#half = Math.floor(capBytes / 2);
  }

  write(chunk: Buffer): void {
    const room = Math.max(0, this.#half - this.#written);
    if (room > 0) {
      this.#put(chunk.subarray(0, room));
      this.#written += Math.min(room, chunk.length);
    }
    const rest = chunk.subarray(room);
    if (rest.length === 0) return;
    this.#tail.push(rest);
    this.#tailLength += rest.length;
    while (this.#tailLength - (this.#tail[0]?.length ?? 0) >= this.#half) {
      const dropped = this.#tail.shift() as Buffer;
      this.#tailLength -= dropped.length;
      this.#cut += dropped.length;
    }
  }

  /** Writes the end, and gives back how many bytes were left out. */
  close(): number {
    const whole = Buffer.concat(this.#tail);
    const tail = whole.subarray(Math.max(0, whole.length - this.#half));
    const cut = this.#cut + whole.length - tail.length;
    if (cut > 0) this.#put(Buffer.from(`\n[… ${cut} bytes cut …]\n`));
    this.#put(tail);
    closeSync(this.#descriptor);
    return cut;
  }

  /** What a full disk does not take is missing: no trial's result hangs on its log. */
  #put(bytes: Buffer): void {
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(this.#descriptor, bytes, done);
    } catch {
      // the next piece may find room
    }
  }
}
