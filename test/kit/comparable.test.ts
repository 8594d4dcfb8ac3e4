import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareConfigs } from "../../kit/comparable.ts";
import schema from "../../schema.json" with { type: "json" };

/** Every field of a config, as a run's journal has it: plugins by name and options. */
const whole = {
  name: "mine",
  task: {
    folder: "task",
    command: ["python", "train.py"],
    values: { via: "constants", file: "train.py" },
    seed: { constant: "SEED" },
    firstSeed: 42,
    editable: ["*.py"],
    protected: ["data.py"],
    link: ["data"],
    ignore: ["out"],
    metrics: { from: "regex", pattern: "x" },
    secondsBudget: 60,
  },
  objective: {
    metric: "loss",
    direction: "minimize",
    noise: "none",
    target: 1,
    limits: { memory: { min: 1, max: 10 } },
    check: ["make", "test"],
  },
  space: {
    parameters: {
      RATE: { type: "float", min: 0.01, max: 0.1, scale: "log", default: 0.02, when: { FORM: ["relu"] } },
      DEPTH: { type: "int", min: 2, max: 8, step: 2, default: 4 },
      FORM: { type: "choice", values: ["relu", "gelu"], ordered: true, default: "relu" },
      BETAS: { type: "tuple", items: [{ type: "float", min: 0.5, max: 0.9 }], default: [0.8] },
    },
    constraints: ["function 0123456789ab"],
  },
  llm: { plugin: "llm", options: { model: "m", baseURL: "http://localhost" } },
  evaluator: {
    plugin: "evaluate-process",
    options: { limitSeconds: 60, graceSeconds: 5, logMb: 8, passEnv: ["KEY"], keep: 3, minFreeGb: 2 },
  },
  proposer: { plugin: "propose-local", options: { step: 0.1 } },
  selector: { plugin: "select-improvement", options: { measurements: 3 } },
  levels: [
    { plugin: "inner", options: { name: "inner", slots: 2, ahead: 1, confirm: 3, plugins: [] } },
    { plugin: "research", options: { changes: "mechanisms", every: 10 } },
  ],
  plugins: [{ plugin: "tabu", options: { tenure: 7 } }],
  budget: { trials: 30, hours: 1, tokens: 100, usd: 1, stallTrials: 9 },
  seed: "s",
};
type Json = Readonly<Record<string, unknown>>;

/** Every leaf with a path to it. */
function leaves(value: unknown, path: (string | number)[] = []): { path: (string | number)[]; value: unknown }[] {
  if (typeof value !== "object" || value === null) return [{ path, value }];
  return Object.entries(value).flatMap(([key, inner]) =>
    leaves(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}
function withValue(at: unknown, [key, ...rest]: (string | number)[], value: unknown): unknown {
  if (key === undefined) return value;
  if (Array.isArray(at))
    return (at as unknown[]).map((one, index) => (index === key ? withValue(one, rest, value) : one));
  return { ...(at as object), [key]: withValue((at as Record<string, unknown>)[key], rest, value) };
}
const set = (path: (string | number)[], value: unknown): Json => withValue(whole, path, value) as Json;
const textOf = (path: readonly (string | number)[]): string =>
  path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`))
    .join("")
    .slice(1);
const other = (value: unknown): unknown =>
  typeof value === "number" ? value * 2 : typeof value === "string" ? `${value}x` : !value;
const smaller = (value: unknown): unknown => (typeof value === "number" ? value / 2 : other(value));

/** May be made larger, smaller, or either. */
const allowed: Readonly<Record<string, "larger" | "smaller" | "any">> = {
  name: "any",
  "objective.target": "any",
  "objective.limits.memory.min": "smaller",
  "objective.limits.memory.max": "larger",
  "space.parameters.RATE.min": "smaller",
  "space.parameters.RATE.max": "larger",
  "space.parameters.DEPTH.min": "smaller",
  "space.parameters.DEPTH.max": "larger",
  "space.parameters.BETAS.items[0].min": "smaller",
  "space.parameters.BETAS.items[0].max": "larger",
  "evaluator.options.limitSeconds": "larger",
  "evaluator.options.graceSeconds": "any",
  "evaluator.options.logMb": "any",
  "evaluator.options.keep": "any",
  "evaluator.options.minFreeGb": "any",
  "levels[0].options.slots": "any",
  "levels[0].options.ahead": "any",
  "budget.trials": "any",
  "budget.hours": "any",
  "budget.tokens": "any",
  "budget.usd": "any",
  "budget.stallTrials": "any",
};

describe("what a run may go on with", () => {
  it("is told for every field that a config has", () => {
    const fieldsOf = (of: object): string[] => Object.keys((of as { properties: object }).properties).sort();
    const { properties } = schema as unknown as { properties: Record<string, object> };
    expect(Object.keys(whole).sort()).toEqual(
      fieldsOf(schema).filter((name) => !["$schema", "extends"].includes(name)),
    );
    for (const part of ["task", "objective", "budget"] as const)
      expect(Object.keys(whole[part]).sort()).toEqual(fieldsOf(properties[part] as object));
    const known = new Set(leaves(whole).map(({ path }) => textOf(path)));
    expect(Object.keys(allowed).filter((path) => !known.has(path))).toEqual([]);
  });

  it.each(leaves(whole).map(({ path, value }) => [textOf(path), path, value] as const))("%s", (name, path, value) => {
    const may = allowed[name];
    const larger = compareConfigs(whole, set(path, other(value))).refused;
    const less = compareConfigs(whole, set(path, smaller(value))).refused;
    expect(larger.length === 0).toBe(may === "any" || may === "larger");
    expect(less.length === 0).toBe(may === "any" || may === "smaller");
    for (const one of [...larger, ...less]) {
      expect(name.startsWith(one.path)).toBe(true); // of a list, the list is named
      expect(one.why).not.toBe("");
    }
  });

  it("is every range that holds the old one, and no other", () => {
    const end = fc.double({ min: 0.001, max: 1, noNaN: true });
    fc.assert(
      fc.property(end, end, end, end, (a, b, c, d) => {
        const of = (x: number, y: number): Json => ({
          space: { parameters: { X: { type: "float", min: Math.min(x, y), max: Math.max(x, y), default: 0.5 } } },
        });
        const { changed, refused } = compareConfigs(of(a, b), of(c, d));
        const holds = Math.min(c, d) <= Math.min(a, b) && Math.max(c, d) >= Math.max(a, b);
        expect(refused.length === 0).toBe(holds);
        if (holds) expect(changed.every(({ path }) => /\.(min|max)$/.test(path))).toBe(true);
      }),
    );
  });

  const space = (parameters: Json): Json => ({ space: { parameters } });
  const choice = (...values: string[]): Json => space({ FORM: { type: "choice", values, default: "b" } });
  it.each<[string, Json, Json, string | undefined]>([
    ["more values of a choice", choice("a", "b"), choice("a", "x", "b", "c"), undefined],
    ["fewer values of a choice", choice("a", "b"), choice("b"), "space.parameters.FORM.values"],
    ["values in another order", choice("a", "b"), choice("b", "a"), "space.parameters.FORM.values"],
    [
      "one parameter more",
      choice("b"),
      space({ ...(choice("b").space as { parameters: Json }).parameters, X: { type: "bool" } }),
      "space.parameters.X",
    ],
    ["one parameter less", choice("b"), space({}), "space.parameters.FORM"],
    ["a limit that is gone", { objective: { limits: { m: { max: 1 } } } }, { objective: {} }, undefined],
    ["a new limit", { objective: {} }, { objective: { limits: { m: { max: 1 } } } }, "objective.limits"],
    [
      "a time limit that is set",
      { evaluator: { options: {} } },
      { evaluator: { options: { limitSeconds: 9 } } },
      undefined,
    ],
    [
      "a wider range whose middle is the baseline",
      space({ X: { type: "float", min: 0, max: 1 } }),
      space({ X: { type: "float", min: 0, max: 2 } }),
      "space.parameters.X.default",
    ],
    [
      "a wider range with the old middle as default",
      space({ X: { type: "float", min: 0, max: 1 } }),
      space({ X: { type: "float", min: 0, max: 2, default: 0.5 } }),
      undefined,
    ],
    ["a level less", { levels: [{}, {}] }, { levels: [{}] }, "levels"],
  ])("%s", (_, then, now, refused) => {
    expect(compareConfigs(then, now).refused[0]?.path).toBe(refused);
  });

  it("is refused with the reason: what is wrong with the trials that were made before", () => {
    const before = {
      ...space({ X: { type: "float", min: 0, max: 1, default: 0.5 }, Y: { type: "bool", default: true } }),
      evaluator: { options: { limitSeconds: 60 } },
    };
    const X = { type: "float", min: 0, max: 1, default: 0.5 };
    const Y = { type: "bool", default: true };
    const why = (now: Json) => compareConfigs(before, { ...before, ...now }).refused[0]?.why;
    expect(why(space({ X, Y, Z: Y }))).toBe("earlier trials do not have it");
    expect(why(space({ X }))).toBe("earlier trials have it");
    expect(why(space({ X: { ...X, max: 0.7 }, Y }))).toBe("earlier trials may lie outside");
    expect(why(space({ X: { ...X, scale: "log" }, Y }))).toBe("its values would mean something else");
    expect(why(space({ X, Y: { ...Y, default: false } }))).toBe("the baseline would be another");
    expect(why({ evaluator: { options: { limitSeconds: 30 } } })).toBe("earlier trials had longer");
    expect(why({ evaluator: { options: { limitSeconds: 60, passEnv: ["A"] } } })).toBe(
      "earlier trials were run in another way",
    );
    expect(why({ task: { command: ["b"] } })).toBe("earlier trials were made in another way");
    expect(compareConfigs({ task: { command: ["a"] } }, { task: { command: ["b"] } }).refused[0]?.why).toBe(
      "earlier trials ran another program",
    );
  });
});
