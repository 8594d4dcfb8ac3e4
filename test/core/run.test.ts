import { describe, expect, it } from "vitest";
import type { Fact, Outcome, Plugin, Trial } from "../../core/index.ts";
import { level, proposer, selector, truth, valuesOf } from "../support/bowl.ts";
import { emptyFolder, lasting, ofType, run } from "../support/run.ts";

const answering = (answer: (trial: Trial, calls: number) => Outcome | Promise<Outcome>): Plugin => {
  let calls = 0;
  return {
    name: "answers",
    contract: 1,
    apply: (taps) => taps.evaluate((trial) => Promise.resolve(answer(trial, calls++))),
  };
};
const measured = (metric: number): Outcome => ({ status: "measured", metric, metrics: {}, seconds: 0 });

describe("a run", () => {
  it("measures the baseline and exactly as many trials as the budget holds", async () => {
    const { end } = await run({ budget: { trials: 17 } });
    const view = end.levels.get("inner");
    expect(view?.trials.length).toBe(18);
    expect(view?.budget).toEqual({ trials: 17, used: 17 });
    expect(end.reason).toBe("the budget of 17 trials is used up");
  });

  it("never runs one point twice", async () => {
    const { end } = await run({ budget: { trials: 200 } });
    const points = [...(end.levels.get("inner")?.trials ?? [])].map((trial) => JSON.stringify(trial.candidate));
    expect(new Set(points).size).toBe(points.length);
  });

  it("improves on the baseline and knows the best as a whole candidate", async () => {
    const { end } = await run({ budget: { trials: 100 } });
    const best = end.levels.get("inner")?.incumbent;
    expect(best && truth(valuesOf(best.trial as Trial<never>))).toBe(best?.value);
    expect(best?.value).toBeLessThan(1);
  });

  it("gives equal journals for equal seeds with one slot, and others for another seed", async () => {
    const [a, b, c] = [await run({ seed: "x" }), await run({ seed: "x" }), await run({ seed: "y" })];
    expect(lasting(a.facts)).toEqual(lasting(b.facts));
    expect(lasting(ofType(a.facts, "turn"))).not.toEqual(lasting(ofType(c.facts, "turn")));
  });

  it("keeps as many trials running as there are slots, and proposes one turn ahead", async () => {
    let [running, most] = [0, 0];
    const slow = answering(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 2));
      running--;
      return measured(1);
    });
    let mostPending = 0;
    const watching: Plugin = {
      ...proposer,
      apply(taps) {
        proposer.apply?.(taps);
        taps.propose("GUARD", (_draft, { view }) => {
          mostPending = Math.max(mostPending, view.pending.length);
          return undefined;
        });
      },
    };
    await run({ evaluator: slow, proposer: watching, levels: [level({ slots: 3 })] });
    expect(most).toBe(3);
    expect(mostPending).toBe(3); // the proposer of the turn ahead sees all three that run
  });

  it("ends when the target is reached", async () => {
    const { end } = await run({
      objective: { metric: "loss", direction: "minimize", target: 5 },
      budget: { trials: 500 },
    });
    expect(end.reason).toBe("the target of 5 is reached");
    expect(end.levels.get("inner")?.incumbent?.value).toBeLessThanOrEqual(5);
  });

  it("ends after so many trials without a better one", async () => {
    const { end } = await run({ evaluator: answering(() => measured(1)), budget: { trials: 500, stallTrials: 12 } });
    expect(end.reason).toBe("no better trial in the last 12");
    expect(end.levels.get("inner")?.budget.used).toBe(12);
  });

  it("ends in good order when every point of a finite space has been tried", async () => {
    const one = level({ fallback: () => undefined });
    const stuck: Plugin = {
      name: "stuck",
      contract: 1,
      apply: (taps) => taps.propose("SOURCE", (draft) => ({ ...draft, candidate: {} })),
    };
    const { end } = await run({ levels: [one], proposer: stuck });
    expect(end.reason).toBe("every point of the space has been tried");
  });

  it("stops with the reason when the baseline cannot be measured", async () => {
    const failing = answering(() => ({ status: "crashed", kind: "exit", reason: "exit code 3", seconds: 0 }));
    await expect(run({ evaluator: failing })).rejects.toMatchObject({
      code: "E_BASELINE_FAILED",
      details: { received: "exit code 3" },
    });
  });

  it("runs a lost trial again, charges it once, and gives up on the infrastructure after three losses", async () => {
    const once = answering((_trial, calls) =>
      calls === 3 ? { status: "lost", reason: "node gone", seconds: 0 } : measured(calls),
    );
    const { end, facts } = await run({ evaluator: once, budget: { trials: 5 } });
    expect(end.levels.get("inner")?.budget.used).toBe(5);
    expect(ofType(facts, "outcome").filter((fact) => (fact.outcome as Outcome).status === "lost")).toHaveLength(1);
    const always = answering(({ id }) =>
      id === 2 ? { status: "lost", reason: "node gone", seconds: 0 } : measured(1),
    );
    await expect(run({ evaluator: always })).rejects.toMatchObject({ code: "E_INFRASTRUCTURE" });
  });

  it("re-measures what a verdict asks to repeat, with other seeds, charged except for the baseline", async () => {
    const asking: Plugin = {
      ...selector,
      apply(taps) {
        taps.select((_verdict, trial, { incumbent }) => {
          const wanted = trial.id === 0 ? 2 : trial.id === 4 ? 1 : 0;
          const estimate = { value: trial.id === 0 || !incumbent ? 9 : 9 - trial.id / 100, se: 0, repeats: 1 };
          return { decision: trial.repeatOf === undefined ? "keep" : "discard", repeats: wanted, estimate, reason: "" };
        });
      },
    };
    const { end } = await run({ selector: asking, budget: { trials: 6 } });
    const trials = [...(end.levels.get("inner")?.trials ?? [])];
    const repeats = trials.filter((trial) => trial.repeatOf !== undefined);
    expect(repeats.map(({ repeatOf, seed }) => [repeatOf, seed])).toEqual([
      [0, 43],
      [0, 44],
      [4, 43],
    ]);
    expect(end.levels.get("inner")?.budget.used).toBe(6);
    expect(trials).toHaveLength(1 + 2 + 6);
    expect(end.levels.get("inner")?.incumbent?.trial.id).not.toBe(4); // discarded by its repeat
  });

  it("goes on where an interrupt stopped it, as if nothing had happened", async () => {
    const undisturbed = await run({ seed: "s", budget: { trials: 20 } });
    const folder = emptyFolder();
    const stop = new AbortController();
    let evaluated = 0;
    const interrupting: Plugin = {
      name: "bowl",
      contract: 1,
      apply: (taps) =>
        taps.evaluate((trial, { signal }) => {
          if (++evaluated === 8) stop.abort();
          if (signal.aborted) return Promise.resolve({ status: "cancelled", reason: "stopped", seconds: 0 });
          return Promise.resolve(measured(truth(valuesOf(trial as Trial<never>))));
        }),
    };
    const first = await run(
      { seed: "s", evaluator: interrupting, budget: { trials: 20 } },
      { folder, signal: stop.signal },
    );
    expect(first.end.interrupted).toBe(true);
    const second = await run({ seed: "s", evaluator: interrupting, budget: { trials: 20 } }, { folder });
    const finished = (facts: typeof second.facts) =>
      lasting(ofType(facts, "verdict")).map((fact) => ({ ...(fact as object), n: 0, seen: 0 }));
    expect(finished(second.facts)).toEqual(finished(undisturbed.facts));
  });

  it("refuses to resume with another config, naming what changed, and lets the budget grow", async () => {
    const folder = emptyFolder();
    await run({ budget: { trials: 5 } }, { folder });
    await expect(run({ seed: "other", budget: { trials: 5 } }, { folder })).rejects.toMatchObject({
      code: "E_CONFIG_CHANGED",
      details: { path: "bilevel.config.ts › seed", received: '"other" (string)', allowed: "nothing, as it was" },
    });
    const { end } = await run({ budget: { trials: 9 } }, { folder });
    expect(end.levels.get("inner")?.budget).toEqual({ trials: 9, used: 9 });
  });

  it("lets observers see every fact of the journal, recorded answers included, in its order", async () => {
    const seen: Fact[] = [];
    const watching: Plugin = {
      name: "watching",
      contract: 1,
      open: (of) => Promise.resolve(of.on((fact) => seen.push(fact))),
    };
    const asking: Plugin = {
      name: "asking",
      contract: 1,
      role: "mechanism",
      apply: (taps) =>
        taps.propose("BRIEF", async (draft, turn) => {
          const text = await turn.once("question", { turn: turn.number }, () => Promise.resolve("an answer"));
          return { ...draft, brief: [{ from: "asking", text }] };
        }),
    };
    const { facts } = await run(
      { levels: [level({ plugins: [asking] })], budget: { trials: 3 } },
      { observers: [watching] },
    );
    expect(seen.filter(({ type }) => type === "once")).toHaveLength(3);
    expect(seen).toEqual(facts);
  });

  it("does not end when an observer throws, and tells it nothing more", async () => {
    let heard = 0;
    const failing: Plugin = {
      name: "failing",
      contract: 1,
      open: (of) => {
        of.on(() => {
          heard++;
          throw new Error("broken observer");
        });
        return Promise.resolve();
      },
    };
    const { end } = await run({}, { observers: [failing] });
    expect(end.levels.get("inner")?.budget.used).toBe(30);
    expect(heard).toBe(1);
  });

  it("ends with the plugin's and the hook's name when a tap of the user throws, with what was measured kept", async () => {
    const folder = emptyFolder();
    let asked = 0;
    const broken: Plugin = {
      name: "broken",
      contract: 1,
      apply(taps) {
        proposer.apply?.(taps);
        taps.propose("GUARD", () => {
          if (++asked > 4) throw new Error("out of ideas");
          return undefined;
        });
      },
    };
    const failed = await run({ proposer: broken }, { folder }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "E_PLUGIN_FAILED", message: "plugin broken failed in propose: out of ideas" });
    asked = -100;
    const { end } = await run({ proposer: broken }, { folder });
    expect(end.levels.get("inner")?.budget.used).toBe(30);
  });
});
