import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Pair, Trial, View } from "../../../core/index.ts";
import { judge } from "../../../plugins/outer-loop/evidence.ts";
import { predict } from "../../../examples/karpathy-surrogate/objective.ts";
import { space as surrogate } from "../../../examples/karpathy-surrogate/space.ts";
import { defaults, localMove, normal, streamOf, valuesKey, type Values } from "../../../kit/index.ts";

const view = (extra: Partial<View> = {}): View =>
  ({ objective: { metric: "loss", direction: "minimize" }, trial: () => undefined, ...extra }) as View;
const trial = (metric: number | undefined, values?: Values): Trial =>
  ({
    candidate: { values },
    outcome:
      metric === undefined
        ? { status: "crashed", kind: "oom", reason: "", seconds: 0 }
        : { status: "measured", metric, metrics: {}, seconds: 0 },
  }) as unknown as Trial;
const pair = (without: number | undefined, withIt: number | undefined, extra: Partial<Pair> = {}): Pair => ({
  turn: 0,
  parent: 0,
  without: trial(without),
  with: trial(withIt),
  copied: [],
  ...extra,
});
const pairs = (differences: readonly number[]): Pair[] => differences.map((difference) => pair(1 + difference, 1)); // prettier-ignore

describe("the evidence of pairs", () => {
  it("for a change and against it trade places when the sides do", () =>
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { maxLength: 30 }), (differences) => {
        const [a, b] = [judge(pairs(differences).slice(0, 4), 4, view()), judge(pairs(differences.map((one) => -one)).slice(0, 4), 4, view())]; // prettier-ignore
        expect(a.logWith).toBeCloseTo(b.logAgainst, 6);
      }),
    ));

  it("keeps a clear helper after five pairs, drops a clear harm after three or four, and stays decided", () => {
    const helped = judge(pairs([0.3, 0.2, 0.4, 0.3, 0.5]), 5, view());
    expect(helped).toMatchObject({ decision: "keep", pairs: 5 });
    expect(judge(pairs([0.3, 0.2, 0.4, 0.3]), 4, view()).decision).toBeUndefined();
    expect(judge(pairs([-0.3, -0.2, -0.4, -0.3]), 4, view()).decision).toBe("revert");
    expect(judge(pairs([0.3, 0.2, 0.4, 0.3, 0.5, -9, -9, -9, -9]), 9, view())).toEqual({ ...helped, turns: 9 });
  });

  it("counts a crashed side as a full loss, both as nothing, copies as lost, lost sides not at all", () => {
    const logs = (of: Pair) => [judge([of], 1, view()).logWith, judge([of], 1, view()).logAgainst];
    const full = [Math.log((1.25 + 1.5 + 1.75 + 1.95) / 4), Math.log((0.75 + 0.5 + 0.25 + 0.05) / 4)];
    expect(logs(pair(undefined, 1))).toEqual(full.map((value) => expect.closeTo(value, 9) as number));
    expect(logs(pair(1, undefined))).toEqual(full.toReversed().map((value) => expect.closeTo(value, 9) as number));
    expect(logs(pair(undefined, undefined))).toEqual([0, 0]);
    expect(logs({ ...pair(1, 1), with: undefined, copied: ["with"] })).toEqual(full.toReversed().map((value) => expect.closeTo(value, 9) as number)); // prettier-ignore
    const lost = { ...trial(1), outcome: { status: "lost", reason: "", seconds: 0 } } as Trial;
    expect(judge([{ ...pair(1, 1), with: lost }], 1, view()).pairs).toBe(0);
  });

  it("is undecided after 40 pairs that do not tell, or 80 turns without one", () => {
    const even = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? 0.1 : -0.1));
    expect(judge(pairs(even), 50, view())).toMatchObject({ decision: "undecided", pairs: 40 });
    expect(judge([], 79, view()).decision).toBeUndefined();
    expect(judge([], 80, view()).decision).toBe("undecided");
  });

  it("keeps what does nothing in at most one of ten, whatever the noise, however long one looks", () => {
    let kept = 0;
    const runs = 600;
    for (let run = 0; run < runs; run++) {
      const random = streamOf("placebo", run);
      const heavy = run % 3 === 0;
      const noise = () => normal(random) * (heavy && random() < 0.1 ? 20 : 1);
      if (judge(pairs(Array.from({ length: 40 }, noise)), 40, view()).decision === "keep") kept++;
    }
    expect(kept / runs).toBeLessThan(0.1 + 3 * Math.sqrt((0.1 * 0.9) / runs));
  });

  it("by a coin ranks the gains of both sides", () => {
    const random = streamOf("coin");
    const coins = (shift: number) => Array.from({ length: 40 }, (_, index): Pair => {
      const coin = random() < 0.5 ? "with" : "without";
      return { turn: index, parent: 0, copied: [], coin, [coin]: trial(1 + normal(random) - (coin === "with" ? shift : 0)) };
    }); // prettier-ignore
    expect(judge(coins(3), 40, view()).decision).toBe("keep");
    expect(judge(coins(-3), 40, view()).decision).toBe("revert");
  });
});

/** The search that the rule was studied with: the better of each pair, from one parent, on the surrogate, 100 trials. */
function keepShare(mechanism: (parent: Values, base: Values, move: () => Values) => Values, seeds: number): number {
  const loss = (values: Values): number => (predict(values).crashProbability > 0.5 ? 3 : predict(values).bpb);
  let kept = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const random = streamOf("study", seed);
    let parent = defaults(surrogate);
    let best = loss(parent);
    const seen: Pair[] = [];
    for (let used = 1; used < 99;) {
      const move = () => localMove(surrogate, parent, random, { step: 0.12 });
      const base = move();
      const other = mechanism(parent, base, move);
      const from = parent;
      const measure = (values: Values): number | undefined => {
        const value = loss(values);
        return value >= 3 ? undefined : value + normal(random) * predict(values).noiseSd;
      };
      const [b, m] = [measure(base), measure(other)];
      used += valuesKey(base) === valuesKey(other) ? 1 : 2;
      if (valuesKey(base) !== valuesKey(other)) {
        const copied = valuesKey(other) === valuesKey(from) ? (["with"] as const) : [];
        seen.push({ ...pair(b, m), without: trial(b, base), with: copied.length > 0 ? undefined : trial(m, other), copied, parent: seen.length }); // prettier-ignore
      }
      for (const [values, value] of [[base, b], [other, m]] as const) if (value !== undefined && value < best) [parent, best] = [values, value]; // prettier-ignore
    }
    if (judge(seen, seen.length, view()).decision === "keep") kept++;
  }
  return kept / seeds;
}

describe("on the surrogate of Karpathy's benchmark", () => {
  const loss = (values: Values): number => (predict(values).crashProbability > 0.5 ? 3 : predict(values).bpb);
  it("keeps best-of-two nearly always; worst-of-two and repeating the parent never; a placebo seldom", () => {
    const seeds = 40;
    expect(
      keepShare((_, base, move) => ((other) => (loss(other) < loss(base) ? other : base))(move()), seeds),
    ).toBeGreaterThan(0.9);
    expect(keepShare((_, base, move) => ((other) => (loss(other) > loss(base) ? other : base))(move()), seeds)).toBe(0);
    expect(keepShare((parent) => parent, seeds)).toBe(0);
    expect(keepShare((_, __, move) => move(), seeds)).toBeLessThan(0.065 + 3 * Math.sqrt((0.065 * 0.935) / seeds));
  });
});
