import measureSurrogate, { predict, runnable } from "../../examples/karpathy-surrogate/objective.ts";
import { space as surrogateSpace } from "../../examples/karpathy-surrogate/space.ts";
import type { Space, Values } from "../../kit/index.ts";
import type { Bridge } from "./bridge.ts";
import { mock, type MockOptions } from "./mock.ts";

/** A task with one seed. Losses: lower is better; what is thrown is a crash. */
export interface Instance {
  space: Space;
  noiseless: boolean;
  measure(values: Values, seed: number): number | Promise<number>;
  /** Without noise. */
  truth(values: Values): number | Promise<number>;
  /** The least that there is, where it is known. */
  best?: number;
}

export interface Task {
  name: string;
  /** The search was tuned on these, and is judged on those. */
  role: "tuning" | "judged";
  /** Of our making, or by others. */
  own: boolean;
  /** Real ones train models; the others answer at once. */
  real: boolean;
  open(seed: number, bridge: () => Bridge): Instance | Promise<Instance>;
}

const made = (name: string, options: MockOptions): Task => ({
  name,
  role: "tuning",
  own: true,
  real: false,
  open: (seed) => mock(seed, options),
});

/** A function of COCO's bbob-mixint with ten variables, eight of them whole numbers; the seed picks the instance (1 to 15, then again). */
const bbob = (role: Task["role"], number: number, dimension = 10): Task => ({
  name: `bbob-mixint f${number} d${dimension}`,
  role,
  own: false,
  real: false,
  async open(seed, bridge) {
    const problem = [number, dimension, 1 + (seed % 15)];
    const { parameters, best } = await bridge().ask<{ parameters: Space["parameters"]; best: number }>({ do: "bbob", problem });
    const measure = async (values: Values): Promise<number> => (await bridge().ask<{ loss: number }>({ do: "measure-bbob", problem, values })).loss;
    return { space: { parameters }, noiseless: true, measure, truth: measure, best };
  },
});

const surrogate: Task = {
  name: "karpathy-surrogate",
  role: "judged",
  own: false,
  real: false,
  open: (seed) => ({
    space: surrogateSpace,
    noiseless: false,
    measure: (values, at) => measureSurrogate(values, { seed: at + 10_000 * seed }).val_bpb,
    truth: (values) => predict(runnable(values)).bpb,
  }),
};

export const tasks: readonly Task[] = [
  made("mock 14", { parameters: 14, noise: 0.015, memory: true, conditions: false }),
  made("mock 8", { parameters: 8, noise: 0, memory: false, conditions: false }),
  made("mock 25", { parameters: 25, noise: 0.03, memory: true, conditions: true }),
  ...[1, 3, 7, 9, 13, 15, 17, 21].map((number) => bbob("tuning", number)),
  surrogate,
  ...[2, 6, 8, 10, 14, 18, 20, 22].map((number) => bbob("judged", number)),
];
