import { rows, transposed, type Kernels, type Pointer } from "./kernels.ts";
import { normal } from "./random.ts";

/** Tokens in a sequence. */
export const sequenceLength = 64;
/** Sequences that are worked on at once: 512 tokens keep the activations in the cache. */
const mostSequences = 8;

export interface Shape {
  depth: number;
  aspectRatio: number;
  headDim: number;
  ropeBase: number;
  qkScale: number;
}

/** A trained tensor: parameters, gradient, and the optimiser's two moments. */
export interface Tensor {
  name: string;
  rows: number;
  columns: number;
  kind: "embedding" | "head" | "matrix";
  parameters: Pointer;
  gradient: Pointer;
  first: Pointer;
  second: Pointer;
}

interface Layer {
  query: Tensor;
  key: Tensor;
  value: Tensor;
  output: Tensor;
  expand: Tensor;
  project: Tensor;
  /** Activations kept for the way back. */
  input: Pointer;
  attentionIn: Pointer;
  attentionInScale: Pointer;
  qkv: Pointer;
  queryScale: Pointer;
  keyScale: Pointer;
  attention: Pointer;
  attentionOut: Pointer;
  mlpIn: Pointer;
  mlpInScale: Pointer;
  hidden: Pointer;
  active: Pointer;
}

/**
 * A GPT with rotary positions, QK norm, squared ReLU and no biases; per layer,
 * learned scalars mix the residual stream with the embedding. Forward and
 * backward are written out over the kernels' memory: no graph, no allocation.
 */
export class Model {
  readonly kernels: Kernels;
  readonly width: number;
  readonly heads: number;
  readonly shape: Shape;
  readonly vocabulary: number;
  readonly paddedVocabulary: number;
  readonly tensors: Tensor[] = [];
  readonly residualMix: Float64Array;
  readonly embeddingMix: Float64Array;
  readonly residualMixGradient: Float64Array;
  readonly embeddingMixGradient: Float64Array;
  /** Sequences of a micro-batch, and its tokens. */
  readonly sequences: number;
  readonly tokens: number;
  readonly ids: Pointer;
  readonly targets: Pointer;
  readonly logits: Pointer;
  readonly #layers: Layer[];
  readonly #embedding: Tensor;
  readonly #head: Tensor;
  readonly #at: Record<
    | "embedded"
    | "start"
    | "startScale"
    | "last"
    | "normed"
    | "normedScale"
    | "dx"
    | "dStart"
    | "dNormed"
    | "dQkv"
    | "dHidden"
    | "dAttentionOut"
    | "dScores"
    | "cos"
    | "sin",
    Pointer
  >;

  constructor(kernels: Kernels, shape: Shape, vocabulary: number, batchSequences: number, random: () => number) {
    const { depth, aspectRatio, headDim } = shape;
    this.kernels = kernels;
    this.shape = shape;
    this.width = Math.ceil((depth * aspectRatio) / headDim) * headDim;
    this.heads = this.width / headDim;
    this.vocabulary = vocabulary;
    this.paddedVocabulary = (vocabulary + 7) & ~7;
    this.sequences = Math.min(mostSequences, batchSequences);
    while (batchSequences % this.sequences !== 0) this.sequences--;
    this.tokens = this.sequences * sequenceLength;
    const { width: d, tokens: n } = this;
    const hidden = 4 * d;
    const spread = (): number => (random() * 2 - 1) * Math.sqrt(3 / d);
    this.#embedding = this.#tensor("embedding", vocabulary, d, "embedding", () => normal(random));
    this.#head = this.#tensor("head", d, this.paddedVocabulary, "head", () => normal(random) * 0.001);
    this.#layers = Array.from({ length: depth }, (_, index) => ({
      query: this.#tensor(`query ${index}`, d, d, "matrix", spread),
      key: this.#tensor(`key ${index}`, d, d, "matrix", spread),
      value: this.#tensor(`value ${index}`, d, d, "matrix", spread),
      output: this.#tensor(`output ${index}`, d, d, "matrix", () => 0),
      expand: this.#tensor(`expand ${index}`, d, hidden, "matrix", spread),
      project: this.#tensor(`project ${index}`, hidden, d, "matrix", () => 0),
      input: kernels.allocate(n * d),
      attentionIn: kernels.allocate(n * d),
      attentionInScale: kernels.allocate(n),
      qkv: kernels.allocate(n * 3 * d),
      queryScale: kernels.allocate(n * this.heads),
      keyScale: kernels.allocate(n * this.heads),
      attention: kernels.allocate(this.sequences * this.heads * sequenceLength ** 2),
      attentionOut: kernels.allocate(n * d),
      mlpIn: kernels.allocate(n * d),
      mlpInScale: kernels.allocate(n),
      hidden: kernels.allocate(n * hidden),
      active: kernels.allocate(n * hidden),
    }));
    this.residualMix = new Float64Array(depth).fill(1);
    this.embeddingMix = new Float64Array(depth).fill(0.1);
    this.residualMixGradient = new Float64Array(depth);
    this.embeddingMixGradient = new Float64Array(depth);
    this.ids = kernels.allocate(n);
    this.targets = kernels.allocate(n);
    this.logits = kernels.allocate(n * this.paddedVocabulary);
    const table = (sequenceLength * headDim) / 2;
    this.#at = {
      embedded: kernels.allocate(n * d),
      start: kernels.allocate(n * d),
      startScale: kernels.allocate(n),
      last: kernels.allocate(n * d),
      normed: kernels.allocate(n * d),
      normedScale: kernels.allocate(n),
      dx: kernels.allocate(n * d),
      dStart: kernels.allocate(n * d),
      dNormed: kernels.allocate(n * d),
      dQkv: kernels.allocate(n * 3 * d),
      dHidden: kernels.allocate(n * hidden),
      dAttentionOut: kernels.allocate(n * d),
      dScores: kernels.allocate(sequenceLength ** 2),
      cos: kernels.allocate(table),
      sin: kernels.allocate(table),
    };
    this.#fillRotary();
  }

  get parameterCount(): number {
    return this.tensors.reduce((sum, { rows: r, columns }) => sum + r * columns, 0) + 2 * this.shape.depth;
  }

  #tensor(name: string, r: number, columns: number, kind: Tensor["kind"], init: () => number): Tensor {
    const [parameters, gradient, first, second] = Array.from({ length: 4 }, () =>
      this.kernels.allocate(r * columns),
    ) as [Pointer, Pointer, Pointer, Pointer];
    const values = this.kernels.floats(parameters, r * columns);
    for (let index = 0; index < values.length; index++) values[index] = init();
    const tensor: Tensor = { name, rows: r, columns, kind, parameters, gradient, first, second };
    this.tensors.push(tensor);
    return tensor;
  }

  #fillRotary(): void {
    const half = this.shape.headDim / 2;
    const cos = this.kernels.floats(this.#at.cos, sequenceLength * half);
    const sin = this.kernels.floats(this.#at.sin, sequenceLength * half);
    for (let t = 0; t < sequenceLength; t++)
      for (let i = 0; i < half; i++) {
        const angle = t * Math.pow(this.shape.ropeBase, (-2 * i) / this.shape.headDim);
        cos[t * half + i] = Math.cos(angle);
        sin[t * half + i] = Math.sin(angle);
      }
  }

  /** Bytes from one head's columns to the next. */
  #headAt(base: Pointer, head: number): Pointer {
    return base + 4 * head * this.shape.headDim;
  }

  /** Logits of the first `tokens` of the micro-batch. */
  forward(tokens: number): void {
    const { kernels, width: d } = this;
    const { call } = kernels;
    const at = this.#at;
    call.gather(this.#embedding.parameters, this.ids, at.embedded, tokens, d);
    call.rmsF(at.embedded, at.start, at.startScale, tokens, d, d, d);
    call.axpby(at.start, 1, at.start, 0, this.#layers[0]?.input ?? at.last, tokens * d);
    for (const [index, layer] of this.#layers.entries()) {
      const out = this.#layers[index + 1]?.input ?? at.last;
      const [keep, mix] = [this.residualMix[index] as number, this.embeddingMix[index] as number];
      call.axpby(layer.input, keep, at.start, mix, out, tokens * d);
      call.rmsF(out, layer.attentionIn, layer.attentionInScale, tokens, d, d, d);
      for (const [part, tensor] of [layer.query, layer.key, layer.value].entries())
        kernels.multiply(
          tokens,
          d,
          d,
          rows(layer.attentionIn, d),
          rows(tensor.parameters, d),
          layer.qkv + 4 * part * d,
          3 * d,
        );
      this.#attend(layer, tokens);
      kernels.multiply(tokens, d, d, rows(layer.attentionOut, d), rows(layer.output.parameters, d), out, d, {
        add: true,
      });
      call.rmsF(out, layer.mlpIn, layer.mlpInScale, tokens, d, d, d);
      kernels.multiply(
        tokens,
        4 * d,
        d,
        rows(layer.mlpIn, d),
        rows(layer.expand.parameters, 4 * d),
        layer.hidden,
        4 * d,
      );
      call.relu2F(layer.hidden, layer.active, tokens * 4 * d);
      kernels.multiply(tokens, d, 4 * d, rows(layer.active, 4 * d), rows(layer.project.parameters, d), out, d, {
        add: true,
      });
    }
    call.rmsF(at.last, at.normed, at.normedScale, tokens, d, d, d);
    const v = this.paddedVocabulary;
    kernels.multiply(tokens, v, d, rows(at.normed, d), rows(this.#head.parameters, v), this.logits, v);
  }

  #attend(layer: Layer, tokens: number): void {
    const { kernels, width: d, heads, shape, tokens: n } = this;
    const { call } = kernels;
    const [length, headDim] = [sequenceLength, shape.headDim];
    const scale = shape.qkScale / Math.sqrt(headDim);
    call.rope(layer.qkv, tokens, length, 2 * heads, headDim, 3 * d, this.#at.cos, this.#at.sin, 1); // heads of q and k are adjacent
    for (let head = 0; head < heads; head++) {
      const query = this.#headAt(layer.qkv, head);
      const key = query + 4 * d;
      call.rmsF(query, query, layer.queryScale + 4 * head * n, tokens, headDim, 3 * d, 3 * d);
      call.rmsF(key, key, layer.keyScale + 4 * head * n, tokens, headDim, 3 * d, 3 * d);
    }
    for (let sequence = 0; sequence < tokens / length; sequence++)
      for (let head = 0; head < heads; head++) {
        const query = this.#headAt(layer.qkv + 4 * sequence * length * 3 * d, head);
        const scores = layer.attention + 4 * (sequence * heads + head) * length * length;
        const out = this.#headAt(layer.attentionOut + 4 * sequence * length * d, head);
        kernels.multiply(
          length,
          length,
          headDim,
          rows(query, 3 * d),
          transposed(rows(query + 4 * d, 3 * d)),
          scores,
          length,
          { alpha: scale },
        );
        call.softF(scores, length);
        kernels.multiply(length, headDim, length, rows(scores, length), rows(query + 8 * d, 3 * d), out, d);
      }
  }

  /** Sum of the negative log-likelihoods in nats; with `scale`, turns the logits into their gradients for `backward`. */
  loss(tokens: number, scale?: number): number {
    return this.kernels.call.ce(
      this.logits,
      this.targets,
      tokens,
      this.vocabulary,
      this.paddedVocabulary,
      scale ?? 1,
      scale === undefined ? 0 : 1,
    );
  }

  clearGradients(): void {
    for (const { gradient, rows: r, columns } of this.tensors) this.kernels.call.fill0(gradient, r * columns);
    this.residualMixGradient.fill(0);
    this.embeddingMixGradient.fill(0);
  }

  /** Adds the gradients of one whole micro-batch, after `forward` and `loss` with a scale. */
  backward(): void {
    const { kernels, width: d, tokens: n, paddedVocabulary: v } = this;
    const { call } = kernels;
    const at = this.#at;
    this.#addWeightGradient(this.#head, at.normed, this.logits);
    kernels.multiply(n, d, v, rows(this.logits, v), transposed(rows(this.#head.parameters, v)), at.dNormed, d);
    call.rmsB(at.dNormed, at.normed, at.normedScale, at.dx, n, d, d, d, 0);
    call.fill0(at.dStart, n * d);
    for (let index = this.#layers.length - 1; index >= 0; index--) {
      const layer = this.#layers[index] as Layer;
      this.#mlpBackward(layer);
      this.#attentionBackward(layer);
      this.residualMixGradient[index] =
        (this.residualMixGradient[index] as number) + call.dot(at.dx, layer.input, n * d);
      this.embeddingMixGradient[index] =
        (this.embeddingMixGradient[index] as number) + call.dot(at.dx, at.start, n * d);
      call.axpby(at.dStart, 1, at.dx, this.embeddingMix[index] as number, at.dStart, n * d);
      call.axpby(at.dx, this.residualMix[index] as number, at.dx, 0, at.dx, n * d);
    }
    call.axpby(at.dx, 1, at.dStart, 1, at.dx, n * d);
    call.rmsB(at.dx, at.start, at.startScale, at.dNormed, n, d, d, d, 0);
    call.scatterAdd(this.#embedding.gradient, this.ids, at.dNormed, n, d);
  }

  /** gradient += inputᵀ dOutput */
  #addWeightGradient({ gradient, rows: r, columns }: Tensor, input: Pointer, dOutput: Pointer, dRow = columns): void {
    this.kernels.multiply(r, columns, this.tokens, transposed(rows(input, r)), rows(dOutput, dRow), gradient, columns, {
      add: true,
    });
  }

  #mlpBackward(layer: Layer): void {
    const { kernels, width: d, tokens: n } = this;
    const { call } = kernels;
    const at = this.#at;
    this.#addWeightGradient(layer.project, layer.active, at.dx);
    kernels.multiply(n, 4 * d, d, rows(at.dx, d), transposed(rows(layer.project.parameters, d)), at.dHidden, 4 * d);
    call.relu2B(layer.hidden, at.dHidden, n * 4 * d);
    this.#addWeightGradient(layer.expand, layer.mlpIn, at.dHidden);
    kernels.multiply(
      n,
      d,
      4 * d,
      rows(at.dHidden, 4 * d),
      transposed(rows(layer.expand.parameters, 4 * d)),
      at.dNormed,
      d,
    );
    call.rmsB(at.dNormed, layer.mlpIn, layer.mlpInScale, at.dx, n, d, d, d, 1);
  }

  #attentionBackward(layer: Layer): void {
    const { kernels, width: d, tokens: n, heads, shape } = this;
    const { call } = kernels;
    const at = this.#at;
    const [length, headDim, row] = [sequenceLength, shape.headDim, 3 * d];
    const scale = shape.qkScale / Math.sqrt(headDim);
    this.#addWeightGradient(layer.output, layer.attentionOut, at.dx);
    kernels.multiply(n, d, d, rows(at.dx, d), transposed(rows(layer.output.parameters, d)), at.dAttentionOut, d);
    for (let sequence = 0; sequence < this.sequences; sequence++)
      for (let head = 0; head < heads; head++) {
        const query = this.#headAt(layer.qkv + 4 * sequence * length * row, head);
        const dQuery = this.#headAt(at.dQkv + 4 * sequence * length * row, head);
        const scores = layer.attention + 4 * (sequence * heads + head) * length * length;
        const dOut = this.#headAt(at.dAttentionOut + 4 * sequence * length * d, head);
        const [key, value, dKey, dValue] = [query + 4 * d, query + 8 * d, dQuery + 4 * d, dQuery + 8 * d];
        kernels.multiply(length, length, headDim, rows(dOut, d), transposed(rows(value, row)), at.dScores, length);
        kernels.multiply(length, headDim, length, transposed(rows(scores, length)), rows(dOut, d), dValue, row);
        call.softB(at.dScores, scores, length);
        kernels.multiply(length, headDim, length, rows(at.dScores, length), rows(key, row), dQuery, row, {
          alpha: scale,
        });
        kernels.multiply(length, headDim, length, transposed(rows(at.dScores, length)), rows(query, row), dKey, row, {
          alpha: scale,
        });
      }
    for (let head = 0; head < heads; head++) {
      const [query, dQuery] = [this.#headAt(layer.qkv, head), this.#headAt(at.dQkv, head)];
      call.rmsB(dQuery, query, layer.queryScale + 4 * head * n, dQuery, n, headDim, row, row, 0);
      call.rmsB(dQuery + 4 * d, query + 4 * d, layer.keyScale + 4 * head * n, dQuery + 4 * d, n, headDim, row, row, 0);
    }
    call.rope(at.dQkv, n, length, 2 * heads, headDim, row, at.cos, at.sin, -1);
    for (const [part, tensor] of [layer.query, layer.key, layer.value].entries()) {
      this.#addWeightGradient(tensor, layer.attentionIn, at.dQkv + 4 * part * d, row);
      kernels.multiply(
        n,
        d,
        d,
        rows(at.dQkv + 4 * part * d, row),
        transposed(rows(tensor.parameters, d)),
        at.dNormed,
        d,
        { add: part > 0 },
      );
    }
    call.rmsB(at.dNormed, layer.attentionIn, layer.attentionInScale, at.dx, n, d, d, d, 1);
  }
}
