import {
  complete,
  decode,
  encode,
  integer,
  normal,
  streamOf,
  type Parameter,
  type Space,
  type Values,
} from "../../kit/index.ts";

/** What a made-up training is like. */
export interface MockOptions {
  parameters: number;
  /** Standard deviation of a measurement, as a share of the baseline's distance to the best. */
  noise: number;
  /** Some of the parameters are sizes, and all of them together must fit. */
  memory: boolean;
  conditions: boolean;
  /** Of the numbers that matter most, so many start at the far end. */
  wrong?: number;
  /** How far the baseline is from the best, as a standard deviation on each axis. */
  offset: number;
}

/**
 * A training that is made up, another one for every seed: a valley with
 * unequal and coupled slopes around a hidden optimum, a baseline at some
 * distance, parameters that hardly matter, rates that diverge, sizes that do
 * not fit. For tuning the search only; nothing is judged on it.
 */
export function mock(seed: number, { parameters: count, noise, memory, conditions, offset, wrong = 0 }: MockOptions) {
  const random = streamOf("mock", seed, count, ...(offset === 0.25 ? [] : [offset]), ...(wrong === 0 ? [] : [wrong]));
  const names: string[] = [];
  const parameters: Record<string, Parameter> = {};
  const optimum: number[] = [];
  const weight: number[] = [];
  const start: Record<string, Parameter["default"]> = {};
  const costs: number[][] = [];
  for (let n = 0; n < count; n++) {
    const name = `p${String(n).padStart(2, "0")}`;
    const kind = n % 7;
    const when = conditions && n >= 7 && n % 5 === 0 ? { when: { p03: ["a", "b"] } } : {};
    const parameter: Parameter =
      kind === 0
        ? { type: "float", min: 1e-4, max: 1, scale: "log", ...when }
        : kind === 1
          ? { type: "float", min: 0, max: 1, ...when }
          : kind === 2
            ? { type: "int", min: 2, max: 24, ...when }
            : kind === 3
              ? { type: "choice", values: ["a", "b", "c", "d"], ...(n === 3 ? {} : when) }
              : kind === 4
                ? { type: "int", min: 16, max: 512, scale: "pow2", ...when }
                : kind === 5
                  ? { type: "float", min: 0.01, max: 10, scale: "log", ...when }
                  : { type: "bool", ...when };
    names.push(name);
    parameters[name] = parameter;
    optimum.push(0.15 + 0.7 * random());
    weight.push(Math.exp(1.2 * normal(random)));
    costs.push(Array.from({ length: 4 }, () => random()));
  }
  const numbers = names.flatMap((_, n) => (n % 7 === 3 || n % 7 === 6 ? [] : [n]));
  const wrongs = numbers.sort((a, b) => (weight[b] as number) - (weight[a] as number)).slice(0, wrong);
  for (const [n, name] of names.entries()) {
    const parameter = parameters[name] as Parameter;
    const near = Math.min(0.98, Math.max(0.02, (optimum[n] as number) + offset * normal(random)));
    const place = wrongs.includes(n) ? ((optimum[n] as number) < 0.5 ? 0.9 : 0.1) : near;
    const value =
      parameter.type === "choice"
        ? parameter.values[integer(random, parameter.values.length)]
        : parameter.type === "bool"
          ? random() < 0.5
          : decode(parameter, [place]);
    start[name] = value;
    parameters[name] = { ...parameter, default: value };
  }
  const space: Space = { parameters };
  const pairs = Array.from(
    { length: count },
    () => [integer(random, count), integer(random, count), 1.5 * normal(random)] as const,
  );
  const sizes = names.flatMap((name, n) => (n % 7 === 2 || n % 7 === 4 ? [name] : []));
  const place = (name: string, values: Values): number =>
    values[name] === undefined ? 0.5 : (encode(parameters[name] as never, values[name])[0] ?? 0.5);
  const sizeOf = (values: Values): number => sizes.reduce((sum, name) => sum + place(name, values), 0);
  const cap = sizeOf(complete(space, {}, {})) + 0.35;
  const raw = (values: Values): number => {
    const off = names.map((name, n) => {
      const parameter = parameters[name] as Parameter;
      const value = values[name];
      if (value === undefined) return 0.3;
      if (parameter.type === "choice")
        return 0.35 * ((costs[n] as number[])[parameter.values.indexOf(value)] as number);
      if (parameter.type === "bool") return value === ((costs[n] as number[])[0] as number) > 0.5 ? 0 : 0.25;
      return place(name, values) - (optimum[n] as number);
    });
    let sum = 0;
    for (let n = 0; n < count; n++) {
      const step = off[n] as number;
      sum += (weight[n] as number) * step * step * (step > 0 && n % 7 === 0 ? 3 : 1);
    }
    for (const [a, b, w] of pairs) sum += w * (off[a] as number) * (off[b] as number);
    return Math.log1p(3 * Math.abs(sum) + (0.3 * off.reduce((all, one) => all + Math.abs(one), 0)) / count);
  };
  const unit = raw(complete(space, {}, {}));
  const divergence = place("p00", complete(space, {}, {})) + 0.3;
  return {
    space,
    noiseless: noise === 0,
    truth: raw,
    measure(values: Values, at: number): number {
      const draw = streamOf("mock", seed, at, JSON.stringify(values));
      if (memory && sizeOf(values) > cap) throw new Error("out of memory");
      if (memory && place("p00", values) > divergence && draw() < 0.9) throw new Error("diverged");
      return raw(values) + noise * unit * normal(draw) * (draw() < 0.1 ? 3 : 1);
    },
  };
}
