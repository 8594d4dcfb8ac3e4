import measureSurrogate, { predict, runnable } from "../../examples/karpathy-surrogate/objective.ts";
import { space as surrogateSpace } from "../../examples/karpathy-surrogate/space.ts";
import { space as gptSpace } from "../../examples/gpt-pretrain-cpu/space.ts";
import { train } from "../../examples/gpt-pretrain-cpu/training.ts";
import type { Space, Values } from "../../kit/index.ts";
import type { Bridge } from "./bridge.ts";
import { mock, type MockOptions } from "./mock.ts";
import { net } from "./net.ts";

/** A task with one seed. Losses: lower is better; what is thrown is a crash. */
export interface Instance {
  space: Space;
  noiseless: boolean;
  measure(values: Values, seed: number): number | Promise<number>;
  /** Without noise. */
  truth(values: Values): number | Promise<number>;
  /** The least that there is, where it is known. */
  best?: number;
  /** The truth takes as long as several measurements, so it is asked for the winner and the baseline alone. */
  isDear?: boolean;
}

export interface Task {
  name: string;
  /** The search was tuned on some, and is judged on the others; those held out were played once, when it was done. */
  role: "tuning" | "judged" | "held out";
  /** Real ones train models; the others answer at once. */
  real: boolean;
  /** It is measured by Python. */
  inPython?: boolean;
  open(seed: number, bridge: () => Bridge): Instance | Promise<Instance>;
}

const made = (name: string, options: MockOptions): Task => ({
  name,
  role: "tuning",
  real: false,
  open: (seed) => mock(seed, options),
});

/** A function of COCO's bbob-mixint with ten variables, eight of them whole numbers; each seed has an instance of its own. */
const bbob = (role: Task["role"], number: number, dimension = 10): Task => ({
  name: `bbob-mixint f${number} d${dimension}`,
  role,
  real: false,
  inPython: true,
  async open(seed, bridge) {
    const problem = [number, dimension, 1 + seed];
    const { parameters, best } = await bridge().ask<{ parameters: Space["parameters"]; best: number }>({
      do: "bbob",
      problem,
    });
    const measure = async (values: Values): Promise<number> =>
      (await bridge().ask<{ loss: number }>({ do: "measure-bbob", problem, values })).loss;
    return { space: { parameters }, noiseless: true, measure, truth: measure, best };
  },
});

const surrogate: Task = {
  name: "karpathy-surrogate",
  role: "judged",
  real: false,
  open: (seed) => ({
    space: surrogateSpace,
    noiseless: false,
    measure: (values, at) => measureSurrogate(values, { seed: at + 10_000 * seed }).val_bpb,
    truth: (values) => predict(runnable(values)).bpb,
  }),
};

/** Seeds that no search sees; the truth of a learner is its mean over them. */
const unseen = [900_001, 900_002, 900_003];

const meanOf = async (measure: (seed: number) => number | Promise<number>): Promise<number> => {
  let sum = 0;
  for (const seed of unseen) sum += await measure(seed);
  return sum / unseen.length;
};

/** A model of scikit-learn on data that it ships: objectives.py. A seed is a split of the data and the model's own. */
const learner = (role: Task["role"], name: string, parameters: Space["parameters"]): Task => ({
  name,
  role,
  real: true,
  inPython: true,
  open: (game, bridge) => {
    const measure = async (values: Values, seed: number): Promise<number> =>
      (await bridge().ask<{ loss: number }>({ do: "learn", learner: name, values, seed: seed + 1000 * game })).loss;
    return {
      space: { parameters },
      noiseless: false,
      isDear: true,
      measure,
      truth: (values) => meanOf((seed) => measure(values, seed)),
    };
  },
});

/** The example, its shape locked, in this process: Node alone is needed. */
const gpt = (name: string, flopBudget: number): Task => ({
  name,
  role: "judged",
  real: true,
  open(game) {
    const measure = (values: Values, seed: number): number => {
      const number = (key: string): number => values[key] as number;
      const { bitsPerByte } = train({
        totalBatchSize: number("TOTAL_BATCH_SIZE"),
        embeddingRate: number("EMBEDDING_LR"),
        unembeddingRate: number("UNEMBEDDING_LR"),
        matrixRate: number("MATRIX_LR"),
        scalarRate: number("SCALAR_LR"),
        weightDecay: number("WEIGHT_DECAY"),
        adamBetas: values.ADAM_BETAS as unknown as [number, number],
        warmupRatio: number("WARMUP_RATIO"),
        warmdownRatio: number("WARMDOWN_RATIO"),
        finalRateShare: number("FINAL_LR_FRAC"),
        gradientClip: number("GRAD_CLIP"),
        muonMomentum: number("MUON_MOMENTUM"),
        shape: { depth: 2, aspectRatio: 32, headDim: 32, ropeBase: number("ROPE_BASE"), qkScale: number("QK_SCALE") },
        flopBudget,
        timeBudgetSeconds: 0,
        seed,
      });
      return bitsPerByte;
    };
    // the full budget is the example as it is: every search trial at seed 42, whatever the game
    const shift = flopBudget >= 240e9 ? 0 : 100 * game;
    return {
      space: gptSpace,
      noiseless: false,
      isDear: true,
      measure: (values, seed) => measure(values, seed + shift),
      truth: (values) => meanOf((seed) => measure(values, seed)),
    };
  },
});

const mlp: Space["parameters"] = {
  layers: { type: "int", min: 1, max: 3, default: 1 },
  hidden: { type: "int", min: 8, max: 128, scale: "log", default: 32 },
  activation: { type: "choice", values: ["relu", "tanh", "logistic"], default: "relu" },
  solver: { type: "choice", values: ["adam", "sgd"], default: "adam" },
  rate: { type: "float", min: 1e-4, max: 0.3, scale: "log", default: 0.001 },
  alpha: { type: "float", min: 1e-6, max: 1, scale: "log", default: 1e-4 },
  batch: { type: "int", min: 16, max: 256, scale: "pow2", default: 128 },
  epochs: { type: "int", min: 4, max: 20, default: 10 },
  momentum: { type: "float", min: 0, max: 0.99, default: 0.9, when: { solver: ["sgd"] } },
  beta_1: { type: "float", min: 0.5, max: 0.99, default: 0.9, when: { solver: ["adam"] } },
  beta_2: { type: "float", min: 0.9, max: 0.9999, default: 0.999, when: { solver: ["adam"] } },
};

const booster: Space["parameters"] = {
  loss: { type: "choice", values: ["squared_error", "absolute_error"], default: "squared_error" },
  rate: { type: "float", min: 0.005, max: 0.5, scale: "log", default: 0.1 },
  trees: { type: "int", min: 10, max: 150, scale: "log", default: 60 },
  leaves: { type: "int", min: 2, max: 64, scale: "log", default: 31 },
  leaf: { type: "int", min: 2, max: 60, scale: "log", default: 20 },
  l2: { type: "float", min: 1e-3, max: 100, scale: "log", default: 0.01 },
  features: { type: "float", min: 0.2, max: 1, default: 1 },
  bins: { type: "int", min: 8, max: 255, scale: "log", default: 255 },
};

const svm: Space["parameters"] = {
  c: { type: "float", min: 1e-3, max: 1e3, scale: "log", default: 1 },
  kernel: { type: "choice", values: ["rbf", "poly", "sigmoid"], default: "rbf" },
  gamma: { type: "float", min: 1e-4, max: 10, scale: "log", default: 0.1 },
  degree: { type: "int", min: 2, max: 5, default: 3, when: { kernel: ["poly"] } },
  coef0: { type: "float", min: -1, max: 1, default: 0, when: { kernel: ["poly", "sigmoid"] } },
  tol: { type: "float", min: 1e-5, max: 1e-1, scale: "log", default: 1e-3 },
};

const forest: Space["parameters"] = {
  trees: { type: "int", min: 5, max: 60, scale: "log", default: 30 },
  depth: { type: "int", min: 1, max: 20, default: 8 },
  leaf: { type: "int", min: 1, max: 30, scale: "log", default: 4 },
  features: { type: "float", min: 0.05, max: 1, default: 0.3 },
  criterion: { type: "choice", values: ["gini", "entropy", "log_loss"], default: "gini" },
  bootstrap: { type: "bool", default: false },
  samples: { type: "float", min: 0.2, max: 0.99, default: 0.8, when: { bootstrap: [true] } },
};

export const tasks: readonly Task[] = [
  made("mock 14", { parameters: 14, noise: 0.015, memory: true, conditions: false, offset: 0.25 }),
  made("mock near 14", { parameters: 14, noise: 0.02, memory: true, conditions: false, offset: 0.12 }),
  made("mock near 20", { parameters: 20, noise: 0.02, memory: true, conditions: false, offset: 0.12 }),
  made("mock 8", { parameters: 8, noise: 0, memory: false, conditions: false, offset: 0.25 }),
  made("mock poor 14", { parameters: 14, noise: 0.02, memory: false, conditions: false, offset: 0.25, wrong: 3 }),
  made("mock poor 20", { parameters: 20, noise: 0.02, memory: true, conditions: true, offset: 0.25, wrong: 4 }),
  made("mock 25", { parameters: 25, noise: 0.03, memory: true, conditions: true, offset: 0.25 }),
  { name: "net", role: "tuning", real: true, open: (seed) => net(seed, false) },
  { name: "net poor", role: "tuning", real: true, open: (seed) => net(seed, true) },
  ...[1, 3, 7, 9, 13, 15, 17, 21].map((number) => bbob("tuning", number)),
  learner("tuning", "svm_wine", svm),
  learner("tuning", "forest_cancer", forest),
  surrogate,
  ...[2, 6, 8, 10, 14, 18, 20, 22].map((number) => bbob("judged", number)),
  ...[4, 5, 11, 12, 16, 19, 23, 24].map((number) => bbob("held out", number)),
  learner("judged", "mlp_digits", mlp),
  learner("judged", "booster_diabetes", booster),
  gpt("gpt-pretrain-cpu small", 15e9),
  gpt("gpt-pretrain-cpu full", 240e9),
];
