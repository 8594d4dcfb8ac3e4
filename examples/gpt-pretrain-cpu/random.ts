/** Numbers in [0, 1) that are a function of the seed (sfc32): integer arithmetic, the same on every machine. */
export function generator(seed: number): () => number {
  let [a, b, c, d] = [0x9e3779b9 ^ seed, 0x243f6a88, 0xb7e15162, 1];
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4294967296;
  };
  for (let round = 0; round < 20; round++) next();
  return next;
}

/** Close to standard normal without a logarithm or a cosine: twelve uniform numbers less six (Irwin and Hall). */
export function normal(random: () => number): number {
  let sum = 0;
  for (let n = 0; n < 12; n++) sum += random();
  return sum - 6;
}
