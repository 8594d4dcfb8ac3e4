import { rows, transposed, type Kernels, type Pointer } from "./kernels.ts";
import type { Model, Tensor } from "./model.ts";

export interface OptimizerOptions {
  embeddingRate: number;
  unembeddingRate: number;
  matrixRate: number;
  scalarRate: number;
  weightDecay: number;
  adamBetas: [number, number];
  muonMomentum: number;
}

/** Steps of the iteration that makes a matrix's singular values equal, and its coefficients (Jordan et al. 2024, Muon). */
const newtonSchulzSteps = 5;
const [linear, cubic, quintic] = [3.4445, -4.775, 2.0315];
const epsilon = 1e-10;

/** Floating-point operations of one Muon step on a matrix. */
export function muonFlops({ rows: r, columns }: Pick<Tensor, "rows" | "columns">): number {
  const [small, large] = [Math.min(r, columns), Math.max(r, columns)];
  return newtonSchulzSteps * (4 * small * small * large + 2 * small ** 3);
}

/** Muon for the matrices, AdamW for embedding and output layer, Adam for the scalars. */
export class Optimizer {
  readonly #model: Model;
  readonly #kernels: Kernels;
  readonly #options: OptimizerOptions;
  readonly #gram: Pointer;
  readonly #gramSquared: Pointer;
  readonly #x: Pointer;
  readonly #y: Pointer;
  readonly #scalarFirst: Float64Array;
  readonly #scalarSecond: Float64Array;

  constructor(model: Model, options: OptimizerOptions) {
    this.#model = model;
    this.#kernels = model.kernels;
    this.#options = options;
    const d = model.width;
    this.#gram = this.#kernels.allocate(d * d);
    this.#gramSquared = this.#kernels.allocate(d * d);
    this.#x = this.#kernels.allocate(4 * d * d);
    this.#y = this.#kernels.allocate(4 * d * d);
    this.#scalarFirst = new Float64Array(2 * model.shape.depth);
    this.#scalarSecond = new Float64Array(2 * model.shape.depth);
  }

  /** Scales all gradients so that their common norm is at most `limit`. */
  clip(limit: number): void {
    const { call } = this.#kernels;
    let squares = 0;
    for (const { gradient, rows: r, columns } of this.#model.tensors)
      squares += call.dot(gradient, gradient, r * columns);
    const factor = limit / (Math.sqrt(squares) + 1e-12);
    if (factor >= 1) return;
    for (const { gradient, rows: r, columns } of this.#model.tensors)
      call.axpby(gradient, factor, gradient, 0, gradient, r * columns);
  }

  /** One update; `rate` is the schedule's factor, `progress` the share of the training done, `step` counts from 0. */
  update(step: number, progress: number, rate: number): void {
    const { embeddingRate, unembeddingRate, matrixRate, weightDecay, adamBetas } = this.#options;
    const [b1, b2] = adamBetas;
    const [c1, c2] = [1 / (1 - b1 ** (step + 1)), 1 / (1 - b2 ** (step + 1))];
    const widthScale = Math.sqrt(64 / this.#model.width); // AdamW's rates are stated for a width of 64
    for (const tensor of this.#model.tensors) {
      if (tensor.kind === "matrix") this.#muon(tensor, matrixRate * rate, weightDecay * (1 - progress));
      else {
        const base = tensor.kind === "embedding" ? embeddingRate : unembeddingRate;
        const { parameters, gradient, first, second, rows: r, columns } = tensor;
        this.#kernels.call.adamw(
          parameters,
          gradient,
          first,
          second,
          r * columns,
          base * widthScale * rate,
          b1,
          b2,
          c1,
          c2,
          epsilon,
          0,
        );
      }
    }
    this.#updateScalars(rate, c1, c2);
  }

  /** Momentum, then the nearest matrix with equal singular values as the step. */
  #muon({ parameters, gradient, first, rows: r, columns }: Tensor, rate: number, decay: number): void {
    const { call } = this.#kernels;
    const momentum = this.#options.muonMomentum;
    const count = r * columns;
    let [x, y] = [this.#x, this.#y];
    call.axpby(first, momentum, gradient, 1 - momentum, first, count);
    call.axpby(first, momentum, gradient, 1 - momentum, x, count); // Nesterov
    call.axpby(x, 1 / (Math.sqrt(call.dot(x, x, count)) * 1.02 + 1e-7), x, 0, x, count);
    const isWide = r <= columns;
    const [small, large] = isWide ? [r, columns] : [columns, r];
    for (let iteration = 0; iteration < newtonSchulzSteps; iteration++) {
      const matrix = rows(x, columns);
      const [left, right] = isWide ? [matrix, transposed(matrix)] : [transposed(matrix), matrix];
      this.#kernels.multiply(small, small, large, left, right, this.#gram, small);
      this.#kernels.multiply(
        small,
        small,
        small,
        rows(this.#gram, small),
        rows(this.#gram, small),
        this.#gramSquared,
        small,
      );
      call.axpby(this.#gram, cubic, this.#gramSquared, quintic, this.#gramSquared, small * small);
      call.axpby(x, linear, x, 0, y, count);
      const polynomial = rows(this.#gramSquared, small);
      if (isWide) this.#kernels.multiply(small, large, small, polynomial, matrix, y, columns, { add: true });
      else this.#kernels.multiply(large, small, small, matrix, polynomial, y, columns, { add: true });
      [x, y] = [y, x];
    }
    call.axpby(parameters, 1 - rate * decay, x, -rate * Math.sqrt(Math.max(1, columns / r)), parameters, count);
  }

  #updateScalars(rate: number, c1: number, c2: number): void {
    const { residualMix, embeddingMix, residualMixGradient, embeddingMixGradient, shape } = this.#model;
    const [b1, b2] = this.#options.adamBetas;
    const groups = [
      { values: residualMix, gradients: residualMixGradient, share: 0.01, offset: 0 },
      { values: embeddingMix, gradients: embeddingMixGradient, share: 1, offset: shape.depth },
    ];
    for (const { values, gradients, share, offset } of groups)
      for (let layer = 0; layer < shape.depth; layer++) {
        const gradient = gradients[layer] as number;
        const first = b1 * (this.#scalarFirst[offset + layer] as number) + (1 - b1) * gradient;
        const second = b2 * (this.#scalarSecond[offset + layer] as number) + (1 - b2) * gradient * gradient;
        this.#scalarFirst[offset + layer] = first;
        this.#scalarSecond[offset + layer] = second;
        const step = (share * this.#options.scalarRate * rate * first * c1) / (Math.sqrt(second * c2) + epsilon);
        values[layer] = (values[layer] as number) - step;
      }
  }
}

/** The rate's factor at this share of the training: a linear rise, constant, a linear fall to `final`. */
export function rateAt(progress: number, warmup: number, warmdown: number, final: number): number {
  if (progress < warmup) return (progress + 1e-9) / warmup;
  if (progress < 1 - warmdown) return 1;
  const left = (1 - progress) / warmdown;
  return left + (1 - left) * final;
}
