import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TaskChange, Trial, View } from "../../../core/index.ts";
import { headOf, textOf } from "../../../plugins/sandbox/messages.ts";
import { limits } from "../../../plugins/sandbox/protocol.ts";
import { madeUpTraces } from "../../../plugins/sandbox/trace.ts";
import { objective, space } from "../../support/bowl.ts";

const [trace] = madeUpTraces(space, objective);
const step = trace?.steps[1];
if (!step) throw new Error("the trace is empty");
const size = fc.integer({ min: 0, max: 300_000 });

/** A trial of a task whose files, metrics and texts are that long. */
const trialWith = (length: number): Trial<TaskChange> => ({
  ...step.trial,
  hypothesis: "h".repeat(length),
  candidate: { ...step.trial.candidate, edits: [{ file: "train.py", find: "x", replace: "y".repeat(length) }] },
  outcome: { status: "crashed", kind: "exit", reason: "r".repeat(length), seconds: 1 },
  verdict: { decision: "discard", reason: "v".repeat(length) },
  touches: [{ tap: "other", hook: "propose", did: "spoke", detail: "t".repeat(length) }],
});
const viewWith = (length: number, pending: number): View<TaskChange> => ({
  ...step.view,
  policy: { ...step.view.policy, guidance: "g".repeat(length) },
  pending: Array.from({ length: pending }, () => trialWith(length)),
});

describe("a message into the sandbox", () => {
  it("has at most 64 KB, whatever the task's edits, metrics, texts and slots", () =>
    fc.assert(
      fc.property(size, size, fc.integer({ min: 0, max: 64 }), (length, briefs, pending) => {
        const trial = trialWith(length);
        const head = headOf(viewWith(length, pending));
        const draft = {
          candidate: trial.candidate,
          brief: Array.from({ length: 8 }, () => ({ from: "other", text: "b".repeat(briefs) })),
        };
        const refused = Array.from({ length: 3 }, () => ({ candidate: trial.candidate, reason: "r".repeat(length) }));
        const turn = { number: 1, parent: 0, refused, draws: [1, 2] };
        const texts = [
          textOf({ do: "fold", trial, head }),
          textOf({ do: "propose", tap: "propose:SHAPE", head, turn, draft }),
          textOf({ do: "select", head, trial, verdict: { decision: "discard", reason: "v".repeat(length) } }),
        ];
        for (const text of texts) expect(text.length).toBeLessThanOrEqual(limits.text);
      }),
      { numRuns: 25 },
    ));

  it("still holds the values of what was too long to be sent whole, and one word of each who spoke", () => {
    const trial = trialWith(100_000);
    const draft = { candidate: trial.candidate, brief: [{ from: "other", text: "b".repeat(100_000) }] };
    const turn = { number: 1, parent: 0, refused: [{ candidate: trial.candidate, reason: "no" }], draws: [1] };
    const sent = JSON.parse(textOf({ do: "propose", tap: "propose:SHAPE", head: {}, turn, draft })) as {
      draft: typeof draft;
      turn: typeof turn;
    };
    expect(sent.draft.candidate).toEqual({ values: trial.candidate.values });
    expect(sent.draft.brief).toMatchObject([{ from: "other", text: expect.stringMatching(/^b+$/) as string }]);
    expect(sent.turn.refused).toEqual([{ candidate: { values: trial.candidate.values }, reason: "no" }]);
    const folded = JSON.parse(textOf({ do: "fold", trial, head: {} })) as { trial: Trial<TaskChange> };
    expect(folded.trial).toMatchObject({ id: trial.id, candidate: { values: trial.candidate.values }, touches: [] });
  });

  it("is sent whole where it is short", () => {
    const message = { do: "fold" as const, trial: step.trial, head: headOf(step.view) };
    expect(JSON.parse(textOf(message))).toEqual(JSON.parse(JSON.stringify(message)));
  });
});
