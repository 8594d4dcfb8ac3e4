import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Pair, Space, Trial, View } from "../../../core/index.ts";
import { judge as judgeTest } from "../../../plugins/outer-loop/evidence.ts";
import { predict, type Prediction } from "../../../examples/karpathy-surrogate/objective.ts";
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
/** The mean bet after no evidence, times phi: what one more pair is worth where the wealth of all bets is alike. */
const mixed = (phi: number): number => ((0.35 + 0.65) / 2) * phi;
const judge = (pairs: readonly Pair[], turns: number, target: View, place = 1) =>
  judgeTest({ pairs, turns, place }, target);
const pairs = (differences: readonly number[]): Pair[] => differences.map((difference) => pair(1 + difference, 1));

describe("the evidence of pairs", () => {
  it("for a change and against it trade places when the sides do", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.integer({ min: -1024, max: 1024 }).map((steps) => steps / 1024),
          { maxLength: 30 },
        ),
        (differences) => {
          const [a, b] = [
            judge(pairs(differences).slice(0, 4), 4, view()),
            judge(pairs(differences.map((one) => -one)).slice(0, 4), 4, view()),
          ];
          expect(a.logWith).toBeCloseTo(b.logAgainst, 6);
        },
      ),
    ));

  it("keeps a clear helper after six pairs, drops a clear harm after five, and stays decided", () => {
    const helped = judge(pairs([0.3, 0.2, 0.4, 0.3, 0.5, 0.3]), 6, view());
    expect(helped).toMatchObject({ decision: "keep", pairs: 6, needed: 10 });
    expect(judge(pairs([0.3, 0.2, 0.4, 0.3]), 4, view()).decision).toBeUndefined();
    expect(judge(pairs([-0.3, -0.2, -0.4, -0.3, -0.3]), 5, view()).decision).toBe("revert");
    expect(judge(pairs([0.3, 0.2, 0.4, 0.3, 0.5, 0.3, -9, -9, -9, -9]), 9, view())).toEqual({ ...helped, turns: 9 });
  });

  it("counts a crashed side as a full loss, both as nothing, copies as lost, lost sides not at all", () => {
    const logs = (of: Pair) => [judge([of], 1, view()).logWith, judge([of], 1, view()).logAgainst];
    const full = [Math.log((1.35 + 1.65) / 2), Math.log((0.65 + 0.35) / 2)];
    expect(logs(pair(undefined, 1))).toEqual(full.map((value) => expect.closeTo(value, 9) as number));
    expect(logs(pair(1, undefined))).toEqual(full.toReversed().map((value) => expect.closeTo(value, 9) as number));
    expect(logs(pair(undefined, undefined))).toEqual([0, 0]);
    expect(logs({ ...pair(1, 1), with: undefined, copied: ["with"] })).toEqual(
      full.toReversed().map((value) => expect.closeTo(value, 9) as number),
    );
    const lost = { ...trial(1), outcome: { status: "lost", reason: "", seconds: 0 } } as Trial;
    expect(judge([{ ...pair(1, 1), with: lost }], 1, view()).pairs).toBe(0);
  });

  it("follows the direction of the objective", () => {
    const higher = view({ objective: { metric: "accuracy", direction: "maximize" } });
    expect(judge(pairs([0.3, 0.2, 0.4, 0.3, 0.3]), 5, higher).decision).toBe("revert");
  });

  it("measures differences by the noise floor until three pairs give a scale of their own", () => {
    const [small, large] = [
      judge(pairs([0.1]), 1, view({ noiseFloor: 1 })),
      judge(pairs([5]), 1, view({ noiseFloor: 1 })),
    ];
    expect(small.logWith).toBeLessThan(0.1);
    expect(large.logWith).toBeGreaterThan(0.4);
    const fourth = (floor: number) =>
      judge(pairs([0, 1, 1, 1, 1]), 5, view({ noiseFloor: floor })).logWith -
      judge(pairs([0, 1, 1, 1]), 4, view({ noiseFloor: floor })).logWith;
    expect(fourth(1e6)).toBeCloseTo(Math.log1p(mixed(Math.tanh(1))), 3);
  });

  it("asks for more wealth the more changes were tested before: the sum of all errors stays below a fifth", () => {
    const helped = pairs([0.3, 0.2, 0.4, 0.3, 0.5, 0.3]);
    expect(judge(helped, 6, view(), 2).decision).toBeUndefined();
    expect([1, 2, 3, 4, 5].map((place) => judge(helped, 6, view(), place).needed)).toEqual([10, 30, 60, 100, 150]);
    const spent = Array.from({ length: 10_000 }, (_, index) => 1 / judge([], 0, view(), index + 1).needed);
    expect(spent.reduce((sum, one) => sum + one, 0)).toBeLessThan(0.2);
  });

  it("counts a loss less what a step of that length loses: shorter steps alone are kept far less often", () => {
    const line: Space = { parameters: { x: { type: "float", min: 0, max: 1 } } };
    const known = view({ space: line, trial: () => trial(1, { x: 0.5 }) });
    const keptShare = (target: View): number => {
      let kept = 0;
      for (let run = 0; run < 200; run++) {
        const random = streamOf("steps", run);
        const side = (step: number) => trial(1 + step + 0.15 * normal(random), { x: 0.5 + step });
        const seen = Array.from({ length: 40 }, (): Pair => ({
          ...pair(1, 1),
          without: side(0.15 + 0.1 * random()),
          with: side(0.05 + 0.1 * random()),
        }));
        if (judge(seen, 40, target).decision === "keep") kept++;
      }
      return kept / 200;
    };
    expect(keptShare(known)).toBeLessThan(keptShare(view()) / 2);
  });

  it("tells the mean difference with its 95 % interval", () => {
    expect(judge(pairs([0.1, 0.2, 0.3]), 3, view()).effect).toEqual({
      mean: expect.closeTo(0.2, 9) as number,
      low: expect.closeTo(0.2 - (4.3027 * 0.1) / Math.sqrt(3), 4) as number,
      high: expect.closeTo(0.2 + (4.3027 * 0.1) / Math.sqrt(3), 4) as number,
    });
  });

  it("and nothing of it where a loss that diverged leaves the interval without a number", () => {
    expect(judge(pairs([0.1, -3e200, 0.3]), 3, view())).not.toHaveProperty("effect");
  });

  it("does not keep what takes steps under a quarter of the control's, however well it does", () => {
    const line: Space = { parameters: { x: { type: "float", min: 0, max: 1 } } };
    const target = view({ space: line, trial: () => trial(1, { x: 0.5 }) });
    const stepping = (share: number) =>
      judge(
        Array.from({ length: 12 }, () => ({
          ...pair(1, 0.7),
          without: trial(1, { x: 0.7 }),
          with: trial(0.7, { x: 0.5 + 0.2 * share }),
        })),
        12,
        target,
      );
    expect(stepping(0.1)).toMatchObject({ stepRatio: expect.closeTo(0.025 / 0.205, 9) as number });
    expect(stepping(0.1).decision).toBeUndefined();
    expect(stepping(0.5)).toMatchObject({ decision: "keep", pairs: 6 });
  });

  it("is undecided after 40 pairs that do not tell, 80 turns, or 40 turns without a pair", () => {
    const even = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? 0.1 : -0.1));
    expect(judge(pairs(even), 50, view())).toMatchObject({ decision: "undecided", pairs: 40 });
    expect(judge(pairs([0.1]), 79, view()).decision).toBeUndefined();
    expect(judge(pairs([0.1]), 80, view()).decision).toBe("undecided");
    expect(judge([], 39, view()).decision).toBeUndefined();
    expect(judge([], 40, view()).decision).toBe("undecided");
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
    const coins = (shift: number) =>
      Array.from({ length: 40 }, (_, index): Pair => {
        const coin = random() < 0.5 ? "with" : "without";
        return {
          turn: index,
          parent: 0,
          copied: [],
          coin,
          [coin]: trial(1 + normal(random) - (coin === "with" ? shift : 0)),
        };
      });
    expect(judge(coins(3), 40, view()).decision).toBe("keep");
    expect(judge(coins(-3), 40, view()).decision).toBe("revert");
  });
});

/** The true loss: of what would most likely run out of memory, more than of anything measured. */
const lossOf = ({ bpb, crashProbability }: Prediction): number => (crashProbability > 0.5 ? 3 : bpb);
const better = (a: Values, b: Values): Values => (lossOf(predict(b)) < lossOf(predict(a)) ? b : a);

/** The search that the rule was studied with: the better of each pair, from one parent, on the surrogate, 100 trials. */
function keepShare(mechanism: (parent: Values, base: Values, random: () => number) => Values, seeds: number): number {
  let kept = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const random = streamOf("study", seed);
    const parents: Trial[] = [];
    let parent = defaults(surrogate);
    let best = predict(parent).bpb;
    const seen: Pair[] = [];
    for (let used = 1; used < 99;) {
      const base = move(parent, random);
      const other = mechanism(parent, base, random);
      const from = parent;
      const before = best;
      const measure = (values: Values): number | undefined => {
        const predicted = predict(values);
        return lossOf(predicted) >= 3 ? undefined : predicted.bpb + normal(random) * predicted.noiseSd;
      };
      const isOne = valuesKey(base) === valuesKey(other);
      const b = measure(base);
      const m = isOne ? b : measure(other);
      used += isOne ? 1 : 2;
      if (!isOne) {
        const copied = valuesKey(other) === valuesKey(from) ? (["with"] as const) : [];
        seen.push({
          turn: used,
          parent: parents.length,
          copied,
          without: trial(b, base),
          ...(copied.length > 0 ? {} : { with: trial(m, other) }),
        });
        parents.push(trial(before, from));
      }
      for (const [values, value] of [
        [base, b],
        [other, m],
      ] as const)
        if (value !== undefined && value < best) [parent, best] = [values, value];
    }
    const target = view({ space: surrogate, trial: (id) => parents[id] });
    if (judge(seen, seen.length, target).decision === "keep") kept++;
  }
  return kept / seeds;
}

const move = (parent: Values, random: () => number): Values => localMove(surrogate, parent, random, { step: 0.12 });

/** One parameter moved by a hundredth of its range. */
const fineMove = (parent: Values, random: () => number): Values => ({
  ...parent,
  WEIGHT_DECAY: Math.min(0.5, Math.max(0, (parent.WEIGHT_DECAY as number) + 0.005 * normal(random))),
});

describe("on the surrogate of Karpathy's benchmark, within three standard errors of the shares that were measured for the rule", () => {
  const seeds = 40;
  /** The most, or with -1 the least, that a share found over many seeds lets these seeds have. */
  const limit = (share: number, side: 1 | -1 = 1) => share + side * 3 * Math.sqrt((share * (1 - share)) / seeds);
  it("keeps best-of-two nearly always", () => {
    expect(keepShare((parent, base, random) => better(base, move(parent, random)), seeds)).toBeGreaterThanOrEqual(
      limit(0.99, -1),
    );
  });
  it("keeps worst-of-two never", () => {
    const worse = (a: Values, b: Values) => (better(a, b) === a ? b : a);
    expect(keepShare((parent, base, random) => worse(base, move(parent, random)), seeds)).toBe(0);
  });
  it("keeps repeating the parent never", () => expect(keepShare((parent) => parent, seeds)).toBe(0));
  it("keeps moving by hairs next to never, though most of its children do better", () =>
    expect(keepShare((parent, _, random) => fineMove(parent, random), seeds)).toBeLessThanOrEqual(limit(0.003)));
  it("keeps another random proposal seldom", () =>
    expect(keepShare((parent, _, random) => move(parent, random), seeds)).toBeLessThanOrEqual(limit(0.064)));
});
