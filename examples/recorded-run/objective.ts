/** A small problem with a narrow valley: least, 0, at a = 0.3, b = 0.6 and c = 0.02. */
export default ({ a, b, c, d }: { a: number; b: number; c: number; d: number }): { loss: number } => ({
  loss: (a - 0.3) ** 2 + 8 * (b - a - 0.3) ** 2 + 0.2 * (Math.log10(c) + 1.7) ** 2 + 0.01 * (d - 4) ** 2,
});
