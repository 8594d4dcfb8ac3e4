import { describe, expect, it } from "vitest";
import { replay } from "../../../cli/replay.ts";
import type { ArmChange, Config, Evidence, Fact, Outcome, Plugin, Trial, Turn } from "../../../core/index.ts";
import { buildStack, changeId, resolveConfig } from "../../../core/index.ts";
import { outerLoop } from "../../../plugins/outer-loop/index.ts";
import { author, sound } from "../../support/author.ts";
import { evaluator, level, objective, space } from "../../support/bowl.ts";
import { ofType, run } from "../../support/run.ts";

/** Draws every value that is not frozen toward its worst. */
const harmful = `import { mechanism, type Value } from "bilevel/kit";
export default mechanism({
  name: "uphill",
  init: () => 0,
  reflect: (state) => state,
  refine(_state, { candidate }, { view, number }) {
    const values: Record<string, Value> = { ...candidate.values };
    for (const [name, value] of Object.entries(values))
      if (!view.policy.frozen.includes(name)) values[name] = Number(((value as number) * 0.5 + 0.5 - (number % 9) / 100).toPrecision(6));
    return { values };
  },
});
`;

const config = (files: readonly string[], extra: Partial<Config> = {}): Config => ({
  objective,
  space,
  evaluator: evaluator(),
  levels: [level(), outerLoop({ name: "research", every: 5, plugins: [author(files)] })],
  budget: { trials: 80 },
  ...extra,
});
const decisions = (facts: readonly Fact[]) =>
  ofType(facts, "verdict", "research").map((fact) => fact.verdict as { decision: string; reason: string });
const turnsOf = (facts: readonly Fact[]) => ofType(facts, "turn").map((fact) => fact.trials as Trial[]);
const evidenceIn = (facts: readonly Fact[]) => ofType(facts, "pair").map((fact) => fact.evidence as Evidence);

/** The bowl, answered in another order than asked, and sometimes lost the first time. */
function uneven({ loses }: { loses: boolean }): Plugin {
  const lost = new Set<number>();
  return {
    name: "uneven",
    contract: 1,
    apply(taps) {
      evaluator().apply?.({
        ...taps,
        evaluate: (tap) =>
          taps.evaluate(async (trial, evaluation): Promise<Outcome | undefined> => {
            await new Promise((resolve) => setTimeout(resolve, (trial.id * 7) % 5));
            if (!loses || trial.id % 4 !== 1 || trial.id < 10 || lost.has(trial.id)) return tap(trial, evaluation);
            lost.add(trial.id);
            return { status: "lost", reason: "the machine went away", seconds: 0 };
          }),
      });
    },
  };
}

describe("a generated mechanism that harms", () => {
  it("is dropped on its pairs, and the arm after it is the very arm before it", async () => {
    const given = config([harmful]);
    const { facts, folder } = await run(given);
    expect(decisions(facts).some(({ decision }) => decision === "revert")).toBe(true);

    const once = () => Promise.reject(new Error("nothing is asked here"));
    const { config: resolved } = resolveConfig(config([harmful]), "bilevel.config.ts");
    const stack = buildStack(resolved, folder, once, new AbortController().signal, () => undefined);
    const [inner] = stack.contexts;
    if (!inner) throw new Error("there is no level");
    const { ledger, arms } = inner;
    const now = () => arms.arm(ledger.inForce, ledger.changes, ledger.struck);
    const before = now();
    for (const fact of facts) stack.fold(fact);
    expect([...ledger.changes.keys()].some((id) => id.startsWith("uphill@"))).toBe(true);
    expect(now()).toBe(before);

    const last = facts.findLastIndex(({ type, tests }) => type === "turn" && String(tests).startsWith("uphill@"));
    const later = turnsOf(facts.slice(last + 1)).flat();
    expect(later.length).toBeGreaterThan(10);
    for (const { arm, touches } of later) {
      expect(arm).toEqual([]);
      expect(touches.filter(({ tap }) => tap.startsWith("uphill"))).toEqual([]);
    }
  });
});

describe("a generated mechanism that is not needed yet", () => {
  it("is tested so marked, and goes when it made no other draft in forty turns", async () => {
    const whenThereIsSomethingToReplay: Plugin = {
      name: "late-author",
      contract: 1,
      kinds: ["arm"],
      apply(taps) {
        const late = author([sound("crash-memory")]);
        late.apply?.({
          ...taps,
          propose: (stage, tap) =>
            taps.propose(stage, (draft, turn: Turn<ArmChange>) =>
              (turn.view.below?.trials.length ?? 0) > 20 ? tap(draft, turn as never) : undefined,
            ),
        });
      },
    };
    const levels = [level(), outerLoop({ name: "research", every: 5, plugins: [whenThereIsSomethingToReplay] })];
    const { facts, end } = await run(config([], { levels, budget: { trials: 100 } }));
    const candidates = ofType(facts, "turn", "research").flatMap((fact) =>
      (fact.trials as Trial<ArmChange>[]).map(({ candidate }) => candidate),
    );
    const written = candidates.find(({ install }) => install?.from === "code");
    expect(written?.install).toMatchObject({ name: "crash-memory", standing: "waiting" });
    const evidence = end.levels.get("inner")?.evidence.get(changeId(written as ArmChange));
    expect(evidence).toMatchObject({ pairs: 0, turns: 40, decision: "undecided" });
    expect(decisions(facts)).toContainEqual(
      expect.objectContaining({ decision: "undecided", reason: "it changed nothing" }),
    );
    expect(end.levels.get("inner")?.inForce).toEqual([]);
  });
});

describe("pairs of a generated mechanism", () => {
  for (const loses of [false, true])
    it(`in three slots${loses ? ", some of them lost at first" : ""}: each counts once, and all is computed again alike`, async () => {
      const parts = () => ({
        levels: [
          level({ slots: 3 }),
          outerLoop({ name: "research", every: 5, plugins: [author([sound("step-size-calibration")])] }),
        ],
      });
      const given = config([], { ...parts(), evaluator: uneven({ loses }) });
      const { facts, folder } = await run(given);
      const lost = ofType(facts, "outcome").filter(({ outcome }) => (outcome as Outcome).status === "lost");
      expect(lost.length > 0).toBe(loses);
      const finished = turnsOf(facts).filter((trials) => trials.length === 2);
      const evidence = evidenceIn(facts);
      expect(finished.length).toBeGreaterThan(5);
      const counted = ofType(facts, "pair").filter(({ counts }) => counts === true);
      expect(new Set(counted.map(({ turn }) => turn)).size).toBe(counted.length);
      expect(evidence.at(-1)?.pairs).toBeLessThanOrEqual(counted.length);
      const { config: again } = resolveConfig(config([], parts()), "bilevel.config.ts");
      expect(await replay(folder, again)).toBeGreaterThan(80);
    });
});

describe("a call that hangs where no fuel is counted", () => {
  it("is ended by the clock; that it failed is recorded, so that a replay knows without waiting", async () => {
    const hanging = sound("trust-region").replace(
      "{ candidate }, { parent }) {",
      "{ candidate }, { parent, number }) {\n    if (number > 60) for (let n = 0, x = new Float64Array(4e6); n < 20_000; n++) x.fill(n);",
    );
    const others = [sound("thompson-step-kinds"), hanging];
    const parts = (): Partial<Config> => ({
      levels: [level(), outerLoop({ name: "research", every: 5, probation: false, plugins: [author(others)] })],
    });
    const { facts, folder, end } = await run(config([], parts()));
    const failures = facts.filter(({ type, kind, result }) => type === "once" && kind === "failure" && result);
    // a turn in which drafts were refused asks again in the same arm, so the third failure need not be the last
    expect(failures.length).toBeGreaterThanOrEqual(3);
    for (const { result } of failures)
      expect((result as { reason: string }).reason).toBe("asked: it did not answer within 2 s");
    const turns = turnsOf(facts);
    const failed = turns.filter((trials) => trials.some(({ touches }) => touches.some(({ did }) => did === "failed")));
    expect(failed.length).toBeLessThanOrEqual(3);
    expect(end.levels.get("inner")?.struck).toEqual([expect.stringMatching(/^trust-region@/)]);
    const later = turns.slice(turns.indexOf(failed.at(-1) ?? []) + 1);
    const touched = later.flat().flatMap(({ touches }) => touches.map(({ tap }) => tap.split("@")[0]));
    expect(touched).toContain("thompson-step-kinds");
    const { config: again } = resolveConfig(config([], parts()), "bilevel.config.ts");
    expect(await replay(folder, again)).toBeGreaterThan(80);
  });
});
