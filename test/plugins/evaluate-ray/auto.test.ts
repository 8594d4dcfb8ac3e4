import { describe, expect, it } from "vitest";
import type { Evaluation, Outcome, TaskChange, Trial } from "../../../core/index.ts";
import { Auto } from "../../../plugins/evaluate-ray/auto.ts";
import type { Backend } from "../../../plugins/evaluate-ray/backend.ts";

const trial: Trial<TaskChange> = {
  id: 1,
  turn: 1,
  parent: 0,
  candidate: {},
  by: "test",
  arm: [],
  seed: 1,
  touches: [],
};

/** A run whose baseline took so long, or has no outcome yet. */
function runOf(baselineSeconds?: number) {
  const [went, notices, closed]: [string[], string[], string[]] = [[], [], []];
  const backend = (name: string): Backend => ({
    evaluate: async (): Promise<Outcome> => {
      went.push(name);
      return { status: "measured", metric: 1, metrics: {}, seconds: 1 };
    },
    close: async (unheard) => {
      closed.push(name);
      return unheard.map((id) => `${name} ${id}`);
    },
  });
  const auto = new Auto({ tell: (_, text) => notices.push(text) }, backend("jobs"), () => backend("pool"));
  const outcome = baselineSeconds === undefined ? undefined : { seconds: baselineSeconds };
  const view = { trial: () => ({ outcome }) };
  const evaluate = (handed?: object) => auto.evaluate(trial, { view, handed } as unknown as Evaluation<TaskChange>);
  return { auto, evaluate, went, notices, closed };
}

describe("mode auto", () => {
  it("measures the baseline as a job", async () => {
    const { auto, evaluate, went, notices, closed } = runOf();
    await evaluate();
    expect(await auto.close([7])).toEqual(["jobs 7"]);
    expect([went, notices, closed]).toEqual([["jobs"], [], ["jobs"]]);
  });

  it("takes the pool where the baseline took less than a minute, else jobs, and says so", async () => {
    for (const [seconds, mode] of [
      [59, "pool"],
      [60, "jobs"],
    ] as const) {
      const { evaluate, went, notices } = runOf(seconds);
      await evaluate();
      expect(went).toEqual([mode]);
      expect(notices[0]).toMatch(new RegExp(`^mode ${mode}: `));
    }
  });

  it("leaves a trial that an earlier process began as a job to the jobs", async () => {
    const { evaluate, went } = runOf(5);
    await evaluate({ job: "bilevel-1", frame: "f" });
    await evaluate({ pool: "bilevel-2", key: "k" });
    expect(went).toEqual(["jobs", "pool"]);
  });
});
