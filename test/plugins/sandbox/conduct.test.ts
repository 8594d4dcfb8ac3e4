import { describe, expect, it } from "vitest";
import { replay } from "../../../cli/replay.ts";
import type { Config, Fact, Plugin, Trial } from "../../../core/index.ts";
import { resolveConfig } from "../../../core/index.ts";
import { outerLoop } from "../../../plugins/outer-loop/index.ts";
import { author } from "../../support/author.ts";
import { evaluator, level, objective, space } from "../../support/bowl.ts";
import { ofType, run } from "../../support/run.ts";

/**
 * Mechanisms that behave while they are checked (their turns have small
 * numbers) and turn bad in the run: what they may do there is bounded too.
 */
const later = (methods: string): string => `import { mechanism, type Value } from "bilevel/kit";
export default mechanism({
  name: "sleeper",
  init: () => 0,
  reflect: (state) => state,
  ${methods}
});
`;
/** Redraws one parameter: a placebo that makes pairs. */
const redraws = `refine(_state, { candidate }, turn) {
    const name = ["a", "b", "c", "d", "e", "f"].filter((one) => !turn.view.policy.frozen.includes(one))[turn.number % 3] ?? "f";
    return { values: { ...candidate.values, [name]: turn.random() as Value } };
  },`;
const from = 60;

const config = (code: string, extra: Partial<Config> = {}): Partial<Config> => ({
  levels: [level(), outerLoop({ name: "research", every: 5, probation: false, plugins: [author([code])] })],
  budget: { trials: 140 },
  ...extra,
});
const strikesIn = (facts: readonly Fact[]) => facts.filter(({ type }) => type === "strike");
const touchesIn = (facts: readonly Fact[], did: string) =>
  [
    ...ofType(facts, "turn").flatMap(({ trials }) => trials as Trial[]),
    ...ofType(facts, "verdict"),
    ...ofType(facts, "touch"),
  ]
    .flatMap(({ touches }) => (touches ?? []) as Trial["touches"])
    .filter((touch) => touch.did === did);

/** Reports three intermediate values, and ends where it is told to stop. */
const reporting: Plugin = {
  name: "reporting",
  contract: 1,
  apply(taps) {
    evaluator().apply?.({
      ...taps,
      evaluate: (tap) =>
        taps.evaluate(async (trial, evaluation) => {
          for (let step = 1; step <= 3; step++)
            if ((await evaluation.report({ step, value: 1 / step })) === "stop")
              return { status: "pruned", reason: "stopped", seconds: 0 };
          return tap(trial, evaluation);
        }),
    });
  },
};

describe("a mechanism that turns bad after it was let in", () => {
  it("is out once it refused nearly every draft of the last twenty trials", async () => {
    const { end, facts, folder } = await run(
      config(
        later(
          `refine: (_state, draft, turn) => turn.number > ${from} ? { refuse: "no" } : { values: { ...draft.candidate.values, ...(turn.view.policy.frozen.includes("a") ? {} : { a: turn.random() }) } },`,
        ),
      ),
    );
    expect(strikesIn(facts)).toMatchObject([{ final: true, reason: expect.stringContaining("drafts") as string }]);
    expect(end.levels.get("inner")?.struck).toHaveLength(1);
    expect(end.levels.get("inner")?.inForce).toEqual([]);
    const chance = ofType(facts, "turn").filter(({ trials }) => (trials as Trial[])[0]?.by === "fallback");
    expect(chance.length).toBeLessThanOrEqual(20);
    expect(await replay(folder, resolveConfig(whole(facts), "bilevel.config.ts").config)).toBeGreaterThan(100);
  });

  it("is out once it stopped nearly every trial; each stop is told in its trial", async () => {
    const code = later(`${redraws}\n  prune: (_state, trial) => trial.turn > ${from},`);
    const { end, facts } = await run(config(code, { evaluator: reporting }));
    const stops = touchesIn(facts, "stopped");
    expect(stops.length).toBeGreaterThan(10);
    expect(stops.length).toBeLessThanOrEqual(20);
    const pruned = [...(end.levels.get("inner")?.trials ?? [])].filter(({ outcome }) => outcome?.status === "pruned");
    expect(pruned.length).toBe(stops.length);
    for (const { touches } of pruned)
      expect(touches).toContainEqual(expect.objectContaining({ hook: "progress", did: "stopped" }));
    expect(end.levels.get("inner")?.struck).toHaveLength(1);
  });

  it("cannot have one trial measured for ever, and is out once it had half of them measured twice", async () => {
    const code = later(
      `${redraws}\n  select: (_state, verdict, trial) => trial.turn > ${from} ? { ...verdict, decision: "repeat" } : undefined,`,
    );
    const { end, facts } = await run(config(code));
    const repeats = ofType(facts, "turn").flatMap(({ trials }) =>
      (trials as Trial[]).filter(({ repeatOf }) => repeatOf),
    );
    expect(repeats.length).toBeGreaterThan(5);
    expect(new Set(repeats.map(({ repeatOf }) => repeatOf)).size).toBe(repeats.length);
    expect(repeats.length).toBeLessThanOrEqual(15);
    expect(end.levels.get("inner")?.struck).toHaveLength(1);
  });

  it("is out once it was built again from the trials and answered otherwise: it had kept state outside reflect", async () => {
    const hidden = later(
      `refine(_state, { candidate }, turn) {
    if (turn.number > ${from}) calls.push(turn.number);
    return turn.view.policy.frozen.includes("a") ? undefined : { values: { ...candidate.values, a: (calls.length % 100) / 100 + turn.random() / 200 } };
  },`,
    ).replace("export default", "const calls: number[] = [];\nexport default");
    const { end, facts } = await run(config(hidden, { budget: { trials: 260 } }));
    expect(strikesIn(facts)).toMatchObject([
      { final: true, reason: expect.stringContaining("it keeps state outside reflect") as string },
    ]);
    expect(end.levels.get("inner")?.struck).toHaveLength(1);
  });

  it("cannot keep what was not measured", async () => {
    const code = later(
      `${redraws}\n  select: (_state, verdict, trial) => trial.turn > ${from} ? { ...verdict, decision: "keep" } : undefined,`,
    );
    const crashing: Plugin = {
      name: "crashing",
      contract: 1,
      apply(taps) {
        evaluator().apply?.({
          ...taps,
          evaluate: (tap) =>
            taps.evaluate((trial, evaluation) =>
              trial.turn > from && trial.turn % 2 === 0
                ? Promise.resolve({ status: "crashed", kind: "exit", reason: "it broke", seconds: 0 } as const)
                : tap(trial, evaluation),
            ),
        });
      },
    };
    const { end, facts } = await run(config(code, { evaluator: crashing }));
    expect(strikesIn(facts)).toHaveLength(3);
    expect(strikesIn(facts)[0]?.reason).toContain("without an estimate");
    const { incumbent, trials } = end.levels.get("inner") ?? {};
    expect(incumbent?.trial.outcome?.status).toBe("measured");
    const least = Math.min(
      ...[...(trials ?? [])].map(({ outcome }) => (outcome?.status === "measured" ? outcome.metric : Infinity)),
    );
    expect(incumbent?.value).toBe(least);
  });
});

/** The config that this file's runs have, to compute them again. */
function whole(facts: readonly Fact[]): Config {
  const given = facts.find(({ type, kind }) => type === "once" && kind === "admission");
  const { code } = (given?.result ?? {}) as { code: string };
  return { objective, space, evaluator: evaluator(), ...config(code) } as Config;
}
