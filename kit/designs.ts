import { streamOf } from "./random.ts";

/**
 * Primitive polynomials (degree, inner coefficients) and first direction
 * numbers of the Sobol sequence from the second dimension on: the set "D6" of
 * Joe and Kuo, Constructing Sobol sequences with better two-dimensional
 * projections, SIAM J. Sci. Comput. 30 (2008).
 */
const directions: readonly (readonly [degree: number, coefficients: number, first: readonly number[]])[] = [
  [1, 0, [1]],
  [2, 1, [1, 3]],
  [3, 1, [1, 3, 1]],
  [3, 2, [1, 1, 1]],
  [4, 1, [1, 1, 3, 3]],
  [4, 4, [1, 3, 5, 13]],
  [5, 2, [1, 1, 5, 5, 17]],
  [5, 4, [1, 1, 5, 5, 5]],
  [5, 7, [1, 1, 7, 11, 19]],
  [5, 11, [1, 1, 5, 1, 1]],
  [5, 13, [1, 1, 1, 3, 11]],
  [5, 14, [1, 3, 5, 5, 31]],
  [6, 1, [1, 3, 3, 9, 7, 49]],
  [6, 13, [1, 1, 1, 15, 21, 21]],
  [6, 16, [1, 3, 1, 13, 27, 49]],
  [6, 19, [1, 1, 1, 15, 7, 5]],
  [6, 22, [1, 3, 1, 15, 13, 25]],
  [6, 25, [1, 1, 5, 5, 19, 61]],
  [7, 1, [1, 3, 7, 11, 23, 15, 103]],
  [7, 4, [1, 3, 7, 13, 13, 15, 69]],
];

const bits = 32;

/** Dimensions that a Sobol point has from the published numbers; further ones are plain random. */
export const sobolDimensions = directions.length + 1;

const columns = new Map<number, Uint32Array>();

/** The direction numbers of one dimension as binary fractions. */
function column(dimension: number): Uint32Array {
  const known = columns.get(dimension);
  if (known) return known;
  const v = new Uint32Array(bits);
  const [degree, coefficients, first] = directions[dimension - 1] ?? [0, 0, []];
  for (let i = 0; i < bits; i++) {
    if (dimension === 0) v[i] = 2 ** (bits - 1 - i);
    else if (i < degree) v[i] = (first[i] ?? 1) * 2 ** (bits - 1 - i);
    else {
      let next = (v[i - degree] ?? 0) ^ ((v[i - degree] ?? 0) >>> degree);
      for (let k = 1; k < degree; k++) if ((coefficients >>> (degree - 1 - k)) & 1) next ^= v[i - k] ?? 0;
      v[i] = next;
    }
  }
  columns.set(dimension, v);
  return v;
}

/**
 * The point with this number (0 is the first) of the Sobol sequence in Gray
 * code order (Antonov and Saleev 1979). With a key it is scrambled by a random
 * digital shift, which keeps its even spread and takes away the point at 0.
 */
export function sobol(number: number, dimensions: number, key?: string): number[] {
  const gray = (number ^ (number >>> 1)) >>> 0;
  const shift = key === undefined ? undefined : streamOf("sobol", key);
  const rest = streamOf("sobol rest", key ?? "", number);
  return Array.from({ length: dimensions }, (_, dimension) => {
    const offset = shift ? Math.floor(shift() * 2 ** bits) >>> 0 : 0;
    if (dimension >= sobolDimensions) return rest();
    const v = column(dimension);
    let x = offset;
    for (let bit = 0; bit < bits; bit++) if ((gray >>> bit) & 1) x ^= v[bit] ?? 0;
    return (x >>> 0) / 2 ** bits;
  });
}

/** So many points with exactly one in each of as many slices of every dimension (McKay, Beckman and Conover 1979). */
export function latinHypercube(points: number, dimensions: number, random: () => number): number[][] {
  const slices = Array.from({ length: dimensions }, () => {
    const order = Array.from({ length: points }, (_, index) => ({ index, at: random() })).sort((a, b) => a.at - b.at);
    return order.map(({ index }) => (index + random()) / points);
  });
  return Array.from({ length: points }, (_, point) => slices.map((slice) => slice[point] ?? 0));
}

/** Arithmetic of a field with that many elements: a prime, or 4. */
interface Field {
  size: number;
  add(a: number, b: number): number;
  multiply(a: number, b: number): number;
}

function field(size: number): Field {
  if (size !== 4) return { size, add: (a, b) => (a + b) % size, multiply: (a, b) => (a * b) % size };
  const products = [
    [0, 0, 0, 0],
    [0, 1, 2, 3],
    [0, 2, 3, 1],
    [0, 3, 1, 2],
  ];
  return { size, add: (a, b) => a ^ b, multiply: (a, b) => products[a]?.[b] ?? 0 };
}

/** Every vector of that length over the field, in counting order. */
function vectors({ size }: Field, length: number): number[][] {
  return Array.from({ length: size ** length }, (_, number) =>
    Array.from({ length }, (__, place) => Math.floor(number / size ** (length - 1 - place)) % size),
  );
}

/**
 * The orthogonal array with size^exponent rows: every pair of columns holds
 * every pair of levels equally often. Rows are the vectors over the field,
 * columns the linear forms whose first coefficient is one (Rao 1947, Hamming
 * 1950; Hedayat, Sloane and Stufken 1999, section 3.4). Taguchi's L4, L8, L16
 * (two levels), L9, L27 (three), L16' (four) and L25 (five) are these arrays.
 */
function raoHamming(size: number, exponent: number): number[][] {
  const f = field(size);
  const forms = vectors(f, exponent).filter((form) => form.find((coefficient) => coefficient !== 0) === 1);
  return vectors(f, exponent).map((row) =>
    forms.map((form) =>
      form.reduce((sum, coefficient, place) => f.add(sum, f.multiply(coefficient, row[place] ?? 0)), 0),
    ),
  );
}

/** The two-level array with prime + 1 rows from the quadratic residues of a prime 4 n + 3 (Paley 1933; Plackett and Burman 1946): L12 with 11. */
function paley(prime: number): number[][] {
  const residues = new Set(Array.from({ length: prime - 1 }, (_, root) => (root + 1) ** 2 % prime));
  const rows = Array.from({ length: prime }, (_, row) =>
    Array.from({ length: prime }, (__, place) => (residues.has((((place - row) % prime) + prime) % prime) ? 1 : 0)),
  );
  return [...rows, Array.from({ length: prime }, () => 0)].map((row, index) =>
    index === prime ? row : row.map((level, place) => (place === index ? 1 : level)),
  );
}

/** Two-level arrays by their rows: 4, 8, 12, 16, 20, 24, 32. */
const twoLevel: readonly [rows: number, build: () => number[][]][] = [
  [4, () => raoHamming(2, 2)],
  [8, () => raoHamming(2, 3)],
  [12, () => paley(11)],
  [16, () => raoHamming(2, 4)],
  [20, () => paley(19)],
  [24, () => paley(23)],
  [32, () => raoHamming(2, 5)],
];

/**
 * The smallest orthogonal array (strength 2) that has at least so many columns
 * of so many levels (2, 3, 4 or 5): rows of levels from 0 on, cut to those columns.
 */
export function orthogonalArray(factors: number, levels: 2 | 3 | 4 | 5): number[][] {
  const whole = () => {
    if (levels === 2) return twoLevel.find(([rows]) => rows > factors)?.[1]();
    for (let exponent = 2; exponent <= 4; exponent++)
      if ((levels ** exponent - 1) / (levels - 1) >= factors) return raoHamming(levels, exponent);
    return undefined;
  };
  const array = whole();
  if (!array) throw new RangeError(`there is no built array with ${factors} factors of ${levels} levels`);
  return array.map((row) => row.slice(0, factors));
}
