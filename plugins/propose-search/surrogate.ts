import { expectedImprovement, solveLower, solveUpper, type Axis } from "../../kit/index.ts";
import { addTerm, columnsOf, replaceTerm, squaresFrom, termOf, type Column, type Term } from "./columns.ts";
import { covarianceOf, measuredVarianceOf, varianceOf, withPoint, type Factor } from "./covariance.ts";

/** Rows of the triangle that are gone through before it is asked again whether the point can still matter. */
const stride = 16;

/** The posterior on the model's scale. */
export class Surrogate {
  readonly #factor: Factor;
  readonly #columns: readonly Column[];
  /** Rows of the triangle one after the other. */
  readonly #lower: Float64Array<ArrayBuffer>;
  readonly #alpha: readonly number[];
  /** Where most predictions are asked for, and what its covariances are made of. */
  #anchor: readonly number[] = [];
  #terms: readonly Term[] = [];
  readonly #sums: Float64Array<ArrayBuffer>;
  readonly #adds: Float64Array<ArrayBuffer>;
  /** Of the point that was asked for last. */
  readonly #k: Float64Array<ArrayBuffer>;
  readonly #sum: Float64Array<ArrayBuffer>;
  readonly #added: Float64Array<ArrayBuffer>;
  readonly #scratch: Float64Array<ArrayBuffer>;

  /**
   * `y`: outcomes of the factor's points. `pending`: points whose outcome is not
   * known yet; they take away uncertainty and nothing else (kriging believer:
   * Ginsbourger, Le Riche and Carraro 2010).
   */
  constructor(axes: readonly Axis[], factor: Factor, y: readonly number[], pending: Factor["points"] = []) {
    this.#alpha = solveUpper(factor.lower, solveLower(factor.lower, y));
    this.#factor = pending.reduce((grown, point) => withPoint(axes, grown, point), factor);
    const { points, lower } = this.#factor;
    const n = points.length;
    this.#columns = columnsOf(axes, points);
    this.#lower = new Float64Array((n * (n + 1)) / 2);
    let at = 0;
    for (const row of lower) for (const number of row) this.#lower[at++] = number;
    const zeros = (): Float64Array<ArrayBuffer> => new Float64Array(n);
    [this.#sums, this.#adds, this.#k] = [zeros(), zeros(), zeros()];
    [this.#sum, this.#added, this.#scratch] = [zeros(), zeros(), zeros()];
  }

  /** Predictions at points that differ from this one on few axes become cheap. */
  anchorAt(point: readonly number[]): void {
    const { weights } = this.#factor.scales;
    this.#anchor = point;
    this.#terms = point.map((place, j) => termOf(squaresFrom(this.#columns[j] as Column, place, weights[j] as number)));
    this.#sums.fill(0);
    this.#adds.fill(0);
    for (const { squares } of this.#terms) addTerm(squares, this.#sums, this.#adds);
  }

  /** Covariances of the point with all that is known, into `k`. */
  #fill(point: readonly number[]): void {
    const { scales } = this.#factor;
    const [anchor, sums, adds, k] = [this.#anchor, this.#sum, this.#added, this.#k];
    let moved = 0;
    for (let j = 0; j < anchor.length; j++) if (anchor[j] !== point[j]) moved++;
    const isNear = anchor.length > 0 && moved * 2 < anchor.length;
    if (isNear) {
      sums.set(this.#sums);
      adds.set(this.#adds);
    } else {
      sums.fill(0);
      adds.fill(0);
    }
    for (let j = 0; j < point.length; j++) {
      if (isNear && anchor[j] === point[j]) continue;
      const weight = scales.weights[j] as number;
      const squares = squaresFrom(this.#columns[j] as Column, point[j] as number, weight, this.#scratch);
      if (isNear) replaceTerm(this.#terms[j] as Term, squares, sums, adds);
      else addTerm(squares, sums, adds);
    }
    for (let i = 0; i < k.length; i++) k[i] = covarianceOf(scales, sums[i] as number, adds[i] as number);
  }

  #mean(): number {
    let mean = 0;
    for (let i = 0; i < this.#alpha.length; i++) mean += (this.#k[i] as number) * (this.#alpha[i] as number);
    return mean;
  }

  predict(point: readonly number[]): { mean: number; sd: number } {
    this.#fill(point);
    const mean = this.#mean();
    return { mean, sd: Math.sqrt(this.#left(() => true)) };
  }

  /**
   * Expected improvement on `best` at the point, or 0 where it is below `least`:
   * each row of the triangle can only take uncertainty away, so what is left of
   * it tells before the last one.
   */
  improvement(point: readonly number[], best: number, least: number): number {
    this.#fill(point);
    const mean = this.#mean();
    const worth = (variance: number): number => expectedImprovement({ mean, sd: Math.sqrt(variance) }, best);
    const { scales } = this.#factor;
    let most = 0;
    for (const k of this.#k) if (k > most) most = k;
    // what the one nearest point leaves
    if (worth(varianceOf(scales) - (most * most) / measuredVarianceOf(scales)) < least) return 0;
    const found = worth(this.#left((variance) => worth(variance) >= least));
    return found < least ? 0 : found;
  }

  /** The variance that all rows leave; or, as soon as it is not open any more, what those before leave. */
  #left(isOpen: (variance: number) => boolean): number {
    const [k, lower] = [this.#k, this.#lower];
    let left = varianceOf(this.#factor.scales);
    for (let i = 0, at = 0; i < k.length; i++) {
      // four sums that need not wait for each other
      let a = k[i] as number;
      let b = 0;
      let c = 0;
      let d = 0;
      let j = 0;
      for (; j + 3 < i; j += 4, at += 4) {
        a -= (lower[at] as number) * (k[j] as number);
        b -= (lower[at + 1] as number) * (k[j + 1] as number);
        c -= (lower[at + 2] as number) * (k[j + 2] as number);
        d -= (lower[at + 3] as number) * (k[j + 3] as number);
      }
      for (; j < i; j++) a -= (lower[at++] as number) * (k[j] as number);
      const rest = (a + b + (c + d)) / (lower[at++] as number);
      k[i] = rest;
      left -= rest * rest;
      if (i % stride === stride - 1 && !isOpen(Math.max(left, 1e-12))) break;
    }
    return Math.max(1e-12, left);
  }
}
