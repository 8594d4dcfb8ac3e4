import { expectedImprovement, solveLower, solveUpper, type Axis } from "../../kit/index.ts";
import { columnsOf } from "./columns.ts";
import { measuredVarianceOf, varianceOf, withPoint, type Factor, type Scales } from "./covariance.ts";
import { kinds, type Kernels, type Kind } from "./kernels.ts";

/** Rows of the triangle that are gone through before it is asked again whether the point can still matter. */
const stride = 16;
/** Bytes of a number. */
const size = 8;

/** What is known of a point: the outcomes near it, and what runs. */
export interface Conditions {
  readonly axes: readonly Axis[];
  readonly factor: Factor;
  /** Outcomes of the factor's points. */
  readonly y: readonly number[];
  /**
   * Points whose outcome is not known yet; they take away uncertainty and
   * nothing else (kriging believer: Ginsbourger, Le Riche and Carraro 2010).
   */
  readonly pending?: Factor["points"];
  /** Where most predictions are asked for: what differs from it on few axes is cheap. */
  readonly anchor: readonly number[];
  /** How often the uncertainty counts in an expected improvement. */
  readonly exploration?: number;
}

/** An axis: where it is in the memory, in bytes, and what its squared distances count. */
interface Placed {
  readonly at: number;
  readonly weight: number;
  readonly kind: Kind;
}

/** The posterior on the model's scale; until the kernels are given to the next one. */
export class Surrogate {
  readonly #call: Kernels["call"];
  readonly #memory: Float64Array<ArrayBuffer>;
  readonly #scales: Scales;
  readonly #count: number;
  readonly #bytes: number;
  readonly #anchor: readonly number[];
  readonly #exploration: number;
  readonly #axes: readonly Placed[];
  // where what is in the memory, in numbers
  readonly #sums: number;
  readonly #moved: number;
  readonly #alpha: number;
  readonly #k: number;
  readonly #lower: number;

  constructor(kernels: Kernels, { axes, factor, y, pending = [], anchor, exploration = 1 }: Conditions) {
    const { scales, points, lower } = pending.reduce((grown, point) => withPoint(axes, grown, point), factor);
    const count = points.length;
    const width = count + (count % 2);
    this.#sums = 3 * axes.length * width;
    this.#moved = this.#sums + 2 * width;
    this.#alpha = this.#moved + 2 * width;
    this.#k = this.#alpha + width;
    this.#lower = this.#k + width;
    this.#memory = kernels.room(this.#lower + (count * (count + 1)) / 2);
    this.#memory.set(solveUpper(factor.lower, solveLower(factor.lower, y)), this.#alpha);
    let end = this.#lower;
    for (const row of lower) {
      this.#memory.set(row, end);
      end += row.length;
    }
    this.#call = kernels.call;
    this.#scales = scales;
    this.#count = count;
    this.#bytes = size * width;
    this.#anchor = anchor;
    this.#exploration = exploration;
    this.#axes = columnsOf(axes, points).map((column, j) => {
      const at = 3 * j * width;
      this.#memory.set(column.places, at);
      const weight = scales.weights[j] as number;
      const kind = column.isCategory ? kinds.categories : column.hasGaps ? kinds.numbersAndGaps : kinds.numbers;
      this.#call.anchor(this.#bytes, size * at, anchor[j] as number, weight, kind, size * this.#sums);
      return { at: size * at, weight, kind };
    });
  }

  /** Covariances of the point with all that is known, into `k`; the mean. */
  #fill(point: readonly number[]): number {
    this.#memory.copyWithin(this.#moved, this.#sums, this.#moved);
    const [call, bytes, moved] = [this.#call, this.#bytes, size * this.#moved];
    for (let j = 0; j < point.length; j++) {
      const place = point[j] as number;
      if (Object.is(place, this.#anchor[j])) continue;
      const { at, weight, kind } = this.#axes[j] as Placed;
      call.move(bytes, at, place, weight, kind, moved);
    }
    const { each, whole, joint } = this.#scales;
    return call.covariances(this.#count, bytes, moved, each, whole, joint, size * this.#alpha, size * this.#k);
  }

  predict(point: readonly number[]): { mean: number; sd: number } {
    const mean = this.#fill(point);
    return { mean, sd: Math.sqrt(this.#left(() => true)) };
  }

  /**
   * Expected improvement on `best` at the point, or 0 where it is below `least`:
   * each row of the triangle can only take uncertainty away, so what is left of
   * it tells before the last one.
   */
  improvement(point: readonly number[], best: number, least: number): number {
    const mean = this.#fill(point);
    const worth = (variance: number): number =>
      expectedImprovement({ mean, sd: this.#exploration * Math.sqrt(variance) }, best);
    const most = this.#call.largest(this.#bytes, size * this.#k);
    // what the one nearest point leaves
    if (worth(varianceOf(this.#scales) - (most * most) / measuredVarianceOf(this.#scales)) < least) return 0;
    const found = worth(this.#left((variance) => worth(variance) >= least));
    return found < least ? 0 : found;
  }

  /** The variance that all rows leave; or, as soon as it is not open any more, what those before leave. */
  #left(isOpen: (variance: number) => boolean): number {
    let left = varianceOf(this.#scales);
    for (let row = 0; row < this.#count; row += stride) {
      const end = Math.min(row + stride, this.#count);
      left -= this.#call.solve(size * this.#lower, size * this.#k, row, end);
      if (end < this.#count && !isOpen(Math.max(left, 1e-12))) break;
    }
    return Math.max(1e-12, left);
  }
}
