import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cpSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fillBatch, loadCorpus } from "../../examples/gpt-pretrain-cpu/data.ts";
import { Kernels, rows, transposed } from "../../examples/gpt-pretrain-cpu/kernels.ts";
import { Model, sequenceLength } from "../../examples/gpt-pretrain-cpu/model.ts";
import { generator } from "../../examples/gpt-pretrain-cpu/random.ts";
import { space, wideSpace } from "../../examples/gpt-pretrain-cpu/space.ts";
import { accumulateGradients, train, type TrainingOptions } from "../../examples/gpt-pretrain-cpu/training.ts";
import { defaults } from "../../kit/index.ts";
import { findConstants, rewriteConstants } from "../../plugins/task/index.ts";
import { emptyFolder } from "../support/run.ts";

const folder = new URL("../../examples/gpt-pretrain-cpu/", import.meta.url);
const shape = { depth: 2, aspectRatio: 16, headDim: 16, ropeBase: 10_000, qkScale: 1.3 };
const corpus = loadCorpus(new URL("corpus.txt", folder));

const options = (extra: Partial<TrainingOptions> = {}): TrainingOptions => ({
  totalBatchSize: 512,
  embeddingRate: 0.2,
  unembeddingRate: 0.004,
  matrixRate: 0.02,
  scalarRate: 0.5,
  weightDecay: 0.2,
  adamBetas: [0.8, 0.95],
  muonMomentum: 0.95,
  warmupRatio: 0,
  warmdownRatio: 0.5,
  finalRateShare: 0,
  gradientClip: 0,
  shape: { ...shape, qkScale: 1 },
  flopBudget: 2e9,
  timeBudgetSeconds: 0,
  seed: 42,
  ...extra,
});

describe("the model", () => {
  it("has gradients that agree with finite differences, in every tensor and scalar", () => {
    const random = generator(5);
    const model = new Model(new Kernels(), shape, corpus.vocabulary, 4, random);
    for (const { parameters, rows: r, columns, kind } of model.tensors)
      if (kind !== "embedding")
        model.kernels
          .floats(parameters, r * columns)
          .forEach((_, index, values) => (values[index] = (random() - 0.5) * 0.5));
    accumulateGradients(model, corpus, model.tokens, random);
    const gradients = new Map(
      model.tensors.map((tensor) => [
        tensor.name,
        [...model.kernels.floats(tensor.gradient, tensor.rows * tensor.columns)],
      ]),
    );
    const loss = (): number => {
      model.forward(model.tokens);
      return model.loss(model.tokens) / model.tokens;
    };
    const slope = (set: (value: number) => void, at: number, step: number): number => {
      set(at + step);
      const above = loss();
      set(at - step);
      const below = loss();
      set(at);
      return (above - below) / (2 * step);
    };
    for (const tensor of model.tensors) {
      const gradient = gradients.get(tensor.name) as number[];
      const largest = gradient.reduce(
        (best, value, index) => (Math.abs(value) > Math.abs(gradient[best] as number) ? index : best),
        0,
      );
      const values = model.kernels.floats(tensor.parameters, gradient.length);
      const measured = slope((value) => (values[largest] = value), values[largest] as number, 5e-3);
      expect(Math.abs(measured / (gradient[largest] as number) - 1), tensor.name).toBeLessThan(0.03);
    }
    const scalars = [
      [model.residualMix, model.residualMixGradient],
      [model.embeddingMix, model.embeddingMixGradient],
    ] as const;
    for (const [values, gradient] of scalars)
      for (let layer = 0; layer < shape.depth; layer++) {
        const measured = slope((value) => (values[layer] = value), values[layer] as number, 1e-2);
        expect(Math.abs(measured - (gradient[layer] as number))).toBeLessThan(
          0.03 * Math.abs(gradient[layer] as number) + 2e-5,
        );
      }
  });

  it("multiplies matrices, transposed and strided, as plain arithmetic does", () => {
    const kernels = new Kernels();
    const random = generator(1);
    const [m, n, k] = [7, 16, 300];
    const [a, b, c] = [kernels.allocate(m * k), kernels.allocate(k * n), kernels.allocate(m * n)];
    const [A, B] = [kernels.floats(a, m * k), kernels.floats(b, k * n)];
    for (const values of [A, B]) values.forEach((_, index) => (values[index] = random() - 0.5));
    const check = (left: (i: number, p: number) => number, right: (p: number, j: number) => number) => {
      const C = kernels.floats(c, m * n);
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let p = 0; p < k; p++) sum += left(i, p) * right(p, j);
          expect(Math.abs((C[i * n + j] as number) - sum)).toBeLessThan(1e-3);
        }
    };
    kernels.multiply(m, n, k, rows(a, k), rows(b, n), c, n);
    check(
      (i, p) => A[i * k + p] as number,
      (p, j) => B[p * n + j] as number,
    );
    kernels.multiply(m, n, k, transposed(rows(a, m)), transposed(rows(b, k)), c, n);
    check(
      (i, p) => A[p * m + i] as number,
      (p, j) => B[j * k + p] as number,
    );
    expect(() => kernels.multiply(m, 12, k, rows(a, k), rows(b, 12), c, 12)).toThrow("multiple of 8");
  });

  it("sees its data in an order that does not depend on its size", () => {
    const seen = [1, 3].map((depth) => {
      const model = new Model(new Kernels(), { ...shape, depth }, corpus.vocabulary, 4, generator(3));
      accumulateGradients(model, corpus, model.tokens, generator(4));
      return [...model.kernels.integers(model.ids, model.tokens)];
    });
    expect(seen[0]).toEqual(seen[1]);
    const ids = new Int32Array(sequenceLength);
    fillBatch(corpus.validation, [0], sequenceLength, ids, new Int32Array(sequenceLength));
    expect([...ids]).toEqual([...corpus.validation.subarray(0, sequenceLength)]);
  });
});

describe("a training", () => {
  it("is the same to the last bit for equal options, and another for another seed", () => {
    const value = (extra?: Partial<TrainingOptions>) => train(options(extra)).bitsPerByte;
    expect(value()).toBe(value());
    expect(value({ seed: 43 })).not.toBe(value());
    expect(value()).toBeLessThan(6.5);
  });

  it("fails with one line where it cannot work or diverges", () => {
    expect(() => train(options({ totalBatchSize: 100 }))).toThrow(
      "TOTAL_BATCH_SIZE must be a multiple of 64, and is 100",
    );
    expect(() => train(options({ flopBudget: 1e6 }))).toThrow(/more than the whole budget/);
    expect(() => train(options({ matrixRate: 3000, unembeddingRate: 3000 }))).toThrow(/loss diverged at step \d+/);
  });

  it("as a program prints its metrics, or one line and exit status 1", () => {
    const copy = emptyFolder();
    cpSync(folder.pathname, copy, { recursive: true });
    const source = readFileSync(join(copy, "train.ts"), "utf8");
    const run = (values: Record<string, number>) => {
      const file = join(copy, "run.ts");
      execFileSync("sh", ["-c", 'cat > "$0"', file], { input: rewriteConstants(source, "typescript", values) });
      return spawnSync(process.execPath, ["--no-warnings", file], { encoding: "utf8" });
    };
    const good = run({ FLOP_BUDGET: 20e9 });
    expect(good.stderr).toBe("");
    expect(good.stdout).toMatch(/^progress \d+ \d\.\d{4}$/m);
    expect(good.stdout).toMatch(/---\nval_bpb: {10}\d\.\d{6}\ntraining_seconds: /);
    const bad = run({ TOTAL_BATCH_SIZE: 100 });
    expect([bad.status, bad.stdout, bad.stderr]).toEqual([
      1,
      "FAIL: TOTAL_BATCH_SIZE must be a multiple of 64, and is 100\n",
      "",
    ]);
  });

  it("has a space whose defaults are its constants", () => {
    const constants = Object.fromEntries(
      findConstants(readFileSync(new URL("train.ts", folder), "utf8"), "typescript").map(({ name, value }) => [
        name,
        value,
      ]),
    );
    for (const [name, value] of Object.entries({ ...defaults(space), ...defaults(wideSpace) }))
      expect([name, constants[name]]).toEqual([name, value]);
  });
});
