import { readFileSync } from "node:fs";

/** The text as tokens: one per byte, numbered in the order of the bytes that occur. */
export interface Corpus {
  vocabulary: number;
  train: Uint8Array;
  /** The last tenth. */
  validation: Uint8Array;
}

export function loadCorpus(file: string | URL): Corpus {
  const bytes = readFileSync(file);
  const occurs = new Uint8Array(256);
  for (const byte of bytes) occurs[byte] = 1;
  const tokenOf = new Uint8Array(256);
  let vocabulary = 0;
  for (let byte = 0; byte < 256; byte++) if (occurs[byte]) tokenOf[byte] = vocabulary++;
  const tokens = new Uint8Array(bytes.length);
  for (let index = 0; index < bytes.length; index++) tokens[index] = tokenOf[bytes[index] as number] as number;
  const cut = Math.floor(tokens.length * 0.9);
  return { vocabulary, train: tokens.subarray(0, cut), validation: tokens.subarray(cut) };
}

/** Copies sequences of the text, each with its next tokens as targets, into the model's buffers. */
export function fillBatch(
  text: Uint8Array,
  starts: readonly number[],
  length: number,
  ids: Int32Array,
  targets: Int32Array,
): void {
  for (const [sequence, start] of starts.entries())
    for (let t = 0; t < length; t++) {
      ids[sequence * length + t] = text[start + t] as number;
      targets[sequence * length + t] = text[start + t + 1] as number;
    }
}
