/**
 * Random numbers as a function of a key: no generator is shared, so a number
 * depends on what it is for and on nothing else. Integer arithmetic only: the
 * same bits on every engine and machine.
 */

/** Four 32-bit words of a key's text, by murmur3's mixing steps (Appleby 2011). */
function words(key: readonly (string | number)[]): [number, number, number, number] {
  const text = JSON.stringify(key);
  let [a, b, c, d] = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = b ^ Math.imul(a ^ code, 0x239b961b);
    b = c ^ Math.imul(b ^ code, 0xab0e9789);
    c = d ^ Math.imul(c ^ code, 0x38b34ae5);
    d = a ^ Math.imul(d ^ code, 0xa1e38b93);
  }
  return [finish(a ^ text.length), finish(b ^ a), finish(c ^ b), finish(d ^ c)];
}

function finish(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Numbers in [0, 1) that are a pure function of the key (sfc32, Doty-Humphrey's PractRand). */
export function streamOf(...key: readonly (string | number)[]): () => number {
  let [a, b, c, d] = words(key);
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return (t >>> 0) / 4294967296;
  };
  for (let round = 0; round < 12; round++) next();
  return next;
}

/** A 32-bit whole number that is a pure function of the key. */
export const hashOf = (...key: readonly (string | number)[]): number => words(key)[0];

/** A whole number from 0 to n - 1. */
export const integer = (random: () => number, n: number): number => Math.floor(random() * n);

export const pick = <T>(random: () => number, list: readonly T[]): T => list[integer(random, list.length)] as T;

/** The list in a random order (Fisher and Yates). */
export function shuffle<T>(random: () => number, list: readonly T[]): T[] {
  const mixed = [...list];
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = integer(random, last + 1);
    [mixed[last], mixed[other]] = [mixed[other] as T, mixed[last] as T];
  }
  return mixed;
}

/** Close to a standard normal: the sum of twelve uniform numbers less six (Irwin and Hall), since logarithms and cosines differ between engines in their last bit. Never beyond 6. */
export function normal(random: () => number): number {
  let sum = -6;
  for (let n = 0; n < 12; n++) sum += random();
  return sum;
}
