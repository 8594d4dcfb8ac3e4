/** Tokens of calls; `cached` is the part of the input that the server had at hand. */
export interface Usage {
  input: number;
  cached: number;
  output: number;
}

/** US dollars for a million tokens. Without `cachedInput`, cached ones cost as others. */
export interface Price {
  input: number;
  cachedInput?: number;
  output: number;
}

export const noUsage: Usage = { input: 0, cached: 0, output: 0 };

export const sum = (all: readonly Usage[]): Usage =>
  all.reduce(
    (a, b) => ({ input: a.input + b.input, cached: a.cached + b.cached, output: a.output + b.output }),
    noUsage,
  );

/** In US dollars. */
export const costOf = (
  { input, cached, output }: Usage,
  { input: price, cachedInput = price, output: out }: Price,
): number => ((input - cached) * price + cached * cachedInput + output * out) / 1e6;
