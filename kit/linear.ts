/** Small dense linear algebra: vectors are arrays, matrices arrays of rows. */
export type Matrix = readonly (readonly number[])[];

/** Sum of the products of two vectors of one length. */
export const dot = (a: readonly number[], b: readonly number[]): number => 0 - less(0, a, b, a.length);

/**
 * `from` less the products of the first `count` numbers of both. Four sums side
 * by side: everything here spends its time in it, a processor need not wait for
 * one to go on with the next, and an interpreter counts rounds.
 */
function less(from: number, a: readonly number[], b: readonly number[], count: number): number {
  let one = from;
  let two = 0;
  let three = 0;
  let four = 0;
  let i = 0;
  for (; i + 3 < count; i += 4) {
    one -= (a[i] as number) * (b[i] as number);
    two -= (a[i + 1] as number) * (b[i + 1] as number);
    three -= (a[i + 2] as number) * (b[i + 2] as number);
    four -= (a[i + 3] as number) * (b[i + 3] as number);
  }
  for (; i < count; i++) one -= (a[i] as number) * (b[i] as number);
  return one + two + (three + four);
}

export const transpose = (a: Matrix): number[][] =>
  (a[0] ?? []).map((_, column) => a.map((row) => row[column] as number));

/** The product of two matrices, or of a matrix and a column of numbers. */
export function multiply(a: Matrix, b: Matrix): number[][] {
  const columns = transpose(b);
  return a.map((row) => columns.map((column) => dot(row, column)));
}

/** The lower triangle L with L Lᵀ = a, for a symmetric positive definite matrix. @throws RangeError where it is not */
export function cholesky(a: Matrix): number[][] {
  const lower: number[][] = [];
  for (let i = 0; i < a.length; i++) {
    const row: number[] = [];
    for (let j = 0; j <= i; j++) {
      const other = lower[j] ?? row;
      const sum = less((a[i] as readonly number[])[j] as number, row, other, j);
      if (i === j && !(sum > 0)) throw new RangeError("the matrix is not positive definite");
      row.push(i === j ? Math.sqrt(sum) : sum / (other[j] as number));
    }
    lower.push(row);
  }
  return lower;
}

/**
 * The lower triangle of a matrix that has grown by one row and column: the old
 * one with a row more, in n² operations instead of n³ (Golub and Van Loan,
 * Matrix Computations, 4th ed., section 4.2). `row`: the new row, up to and with
 * its diagonal. @throws RangeError where the grown matrix is not positive definite
 */
export function choleskyAppend(lower: Matrix, row: readonly number[]): number[][] {
  const known = row.slice(0, -1);
  const added = solveLower(lower, known);
  const rest = (row.at(-1) as number) - dot(added, added);
  if (!(rest > 0)) throw new RangeError("the matrix is not positive definite");
  return [...(lower as number[][]), [...added, Math.sqrt(rest)]];
}

/** The inverse of L Lᵀ, symmetric, for a lower triangle L. */
export function choleskyInverse(lower: Matrix): number[][] {
  const size = lower.length;
  // rows of the inverse of L, transposed: column i of it begins at its diagonal
  const inverted = lower.map((row, i) => {
    const unit = Array.from({ length: size - i }, (_, k) => (k === 0 ? 1 / (row[i] as number) : 0));
    for (let k = 1; k < unit.length; k++) {
      const at = lower[i + k] as readonly number[];
      let sum = 0;
      for (let j = 0; j < k; j++) sum -= (at[i + j] as number) * (unit[j] as number);
      unit[k] = sum / (at[i + k] as number);
    }
    return unit;
  });
  const inverse = lower.map(() => new Array<number>(size).fill(0));
  for (let i = 0; i < size; i++)
    for (let j = 0; j <= i; j++) {
      const [a, b] = [inverted[i] as number[], inverted[j] as number[]];
      let sum = 0;
      for (let k = i; k < size; k++) sum += (a[k - i] as number) * (b[k - j] as number);
      (inverse[i] as number[])[j] = sum;
      (inverse[j] as number[])[i] = sum;
    }
  return inverse;
}

/** x with L x = b, for a lower triangle L. */
export function solveLower(lower: Matrix, b: readonly number[]): number[] {
  const x: number[] = [];
  for (let i = 0; i < b.length; i++) {
    const row = lower[i] as readonly number[];
    x.push(less(b[i] as number, row, x, i) / (row[i] as number));
  }
  return x;
}

/** x with Lᵀ x = b, for a lower triangle L. */
export function solveUpper(lower: Matrix, b: readonly number[]): number[] {
  const x = [...b];
  for (let i = b.length - 1; i >= 0; i--) {
    let sum = b[i] as number;
    for (let k = i + 1; k < b.length; k++) sum -= ((lower[k] as readonly number[])[i] as number) * (x[k] as number);
    x[i] = sum / ((lower[i] as readonly number[])[i] as number);
  }
  return x;
}

/** x with a x = b, for a symmetric positive definite matrix. @throws RangeError where it is not */
export function solve(a: Matrix, b: readonly number[]): number[] {
  const lower = cholesky(a);
  return solveUpper(lower, solveLower(lower, b));
}

/** Weights w that make |x w - y|² + ridge |w|² least: a linear fit, one row of `x` for each of `y`. */
export function leastSquares(x: Matrix, y: readonly number[], ridge = 1e-9): number[] {
  const columns = transpose(x);
  const normal = columns.map((a, i) => columns.map((b, j) => dot(a, b) + (i === j ? ridge : 0)));
  return solve(
    normal,
    columns.map((column) => dot(column, y)),
  );
}
