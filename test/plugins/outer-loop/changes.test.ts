import { describe, expect, it } from "vitest";
import type { Evidence, Policy, Space, TaskChange, Trial, View } from "../../../core/index.ts";
import { streamOf, type Values } from "../../../kit/index.ts";
import { pickByBandit } from "../../../plugins/outer-loop/bandit.ts";
import { dueForReview, mechanismChanges } from "../../../plugins/outer-loop/mechanism-changes.ts";
import { policyChanges, policyProblem } from "../../../plugins/outer-loop/policy-changes.ts";

const names = ["a", "b", "c", "d", "e", "f", "g"];
const space: Space = {
  parameters: Object.fromEntries(names.map((name) => [name, { type: "float" as const, min: 0, max: 1 }])),
};
const start: Values = Object.fromEntries(names.map((name) => [name, 0.5]));

type Seen = Partial<Trial<TaskChange>> & { moved?: readonly string[]; kept?: boolean };

/** The loop below, after a baseline and these trials, each a change of some parameters of the baseline. */
function loop(seen: readonly Seen[], policy: Partial<Policy> = {}, extra: Partial<View> = {}): View {
  const trials = [{ id: 0, parent: 0, candidate: { values: start }, arm: [] } as unknown as Trial<TaskChange>];
  for (const { moved = [], kept = false, ...rest } of seen) {
    const id = trials.length;
    const values = { ...start, ...Object.fromEntries(moved.map((name) => [name, id / 100])) };
    const verdict = { decision: kept ? "keep" : "discard", reason: "" };
    trials.push({ id, parent: 0, candidate: { values }, arm: [], verdict, ...rest } as unknown as Trial<TaskChange>);
  }
  return {
    level: "inner",
    space,
    policy: { frozen: [], focus: [], guidance: "", strategy: "balanced", ...policy },
    trials: Object.assign([...trials], { last: (count: number) => trials.slice(-count) }),
    trial: (id: number) => trials[id],
    evidence: new Map(),
    catalogue: [],
    inForce: [],
    ...extra,
  } as unknown as View;
}

const told = (view: View): [unknown, string][] => policyChanges(view).map(({ change, why }) => [change.policy, why]);
const lost = (moved: string[], count: number): Seen[] => Array.from({ length: count }, () => ({ moved }));

describe("the policies that the rules suggest", () => {
  it("freeze what was changed three times for nothing, first what was changed most", () => {
    expect(told(loop(lost(["a"], 2)))).toEqual([]);
    expect(told(loop(lost(["a"], 3)))).toEqual([[{ frozen: ["a"] }, "a was changed 3 times for nothing"]]);
    expect(told(loop([...lost(["a", "b"], 3), ...lost(["b"], 1)]))[0]).toEqual([
      { frozen: ["b"] },
      "b was changed 4 times for nothing",
    ]);
    expect(told(loop([...lost(["a"], 3), { moved: ["a"], kept: true }]))[0]?.[0]).not.toHaveProperty("frozen");
    expect(told(loop(lost(["a", "b"], 3), { frozen: ["a"] }))[0]?.[0]).toEqual({ frozen: ["a", "b"] });
  });

  it("count no repeats, and what was changed from the trial's own parent alone", () => {
    expect(told(loop(lost(["a"], 3).map((trial) => ({ ...trial, repeatOf: 0 }))))).toEqual([]);
    expect(told(loop([...lost(["a"], 2), { moved: [], candidate: { values: start } }]))).toEqual([]);
  });

  it("give back what has been frozen longest where nothing new is hopeless", () => {
    expect(told(loop([], { frozen: ["c", "a"] }))).toEqual([[{ frozen: ["a"] }, "c has been frozen long enough"]]);
    expect(told(loop(lost(["b"], 3), { frozen: ["c"] })).map(([policy]) => policy)).toEqual([{ frozen: ["c", "b"] }]);
  });

  it("prefer up to three of those whose changes were kept, unless they are preferred already", () => {
    const kept = (...moved: string[]): Seen[] => [{ moved, kept: true }];
    const focus = [{ focus: ["a", "b"] }, "changes of a, b were kept"];
    expect(told(loop(kept("b", "a")))).toEqual([focus]);
    expect(told(loop(kept("b", "a"), { focus: ["b"] }))).toEqual([focus]);
    expect(told(loop(kept("b", "a"), { focus: ["b", "a"] }))).toEqual([]);
    expect(told(loop(kept("a", "b", "c", "d")))[0]?.[0]).toEqual({ focus: ["a", "b", "c"] });
    expect(told(loop(kept("a", "b", "c", "d"), { focus: ["a", "b", "c"] }))).toEqual([]);
    expect(told(loop(kept("a", "b"), { frozen: ["a"] }))).toContainEqual([{ focus: ["b"] }, "changes of b were kept"]);
  });

  it("take longer steps where more than a fifth of the last ten were kept, else shorter ones", () => {
    const of = (kept: number, all: number, strategy = "balanced") => {
      const seen = Array.from({ length: all }, (_, index): Seen => ({ moved: [], kept: index < kept }));
      return told(loop(seen, { strategy }));
    };
    expect(of(3, 10)).toEqual([[{ strategy: "explore" }, "30 % of the last trials were kept: longer steps"]]);
    expect(of(2, 10)).toEqual([[{ strategy: "exploit" }, "20 % of the last trials were kept: shorter steps"]]);
    expect(of(2, 12)[0]?.[1]).toContain("0 % of the last trials"); // the two that were kept are the 11th and 12th last
    expect(of(0, 4)).toEqual([]);
    expect(of(0, 5)).toHaveLength(1);
    expect(of(0, 10, "exploit")).toEqual([]);
    expect(of(3, 10, "explore")).toEqual([]);
  });

  it("stay within the limits: five more frozen at a time, four free at least, parameters that there are", () => {
    const problem = (policy: Partial<Policy>, now: Partial<Policy> = {}) => policyProblem(policy, loop([], now));
    expect(problem({ frozen: ["a", "b", "c"] })).toBeUndefined();
    expect(problem({ frozen: ["a", "b", "c", "d"] })).toBe("at least 4 parameters must stay free");
    expect(problem({ frozen: ["a", "b", "c", "d", "e", "f"] })).toBe(
      "at most 5 more parameters may be frozen at a time",
    );
    expect(problem({ frozen: [] }, { frozen: ["a", "b", "c", "d"] })).toBeUndefined();
    expect(problem({ strategy: "explore" }, { frozen: ["a", "b", "c", "d"] })).toBe(
      "at least 4 parameters must stay free",
    );
    expect(problem({ frozen: ["x"] })).toBe("there is no parameter x");
    expect(problem({ focus: ["a", "y"] })).toBe("there is no parameter y");
    expect(problem({ strategy: "boldly" })).toBe("strategy is one of explore, balanced, exploit");
    expect(told(loop(lost(["d"], 3), { frozen: ["a", "b", "c"] }))).toEqual([]);
  });
});

const evidence = (turns: number, logWith: number, logAgainst: number, decision?: Evidence["decision"]): Evidence => ({
  pairs: turns,
  turns,
  logWith,
  logAgainst,
  needed: 10,
  decision,
});

describe("which change is tested next", () => {
  const proposals = ["x", "y", "z"].map((name) => ({
    change: { of: "inner", install: { from: "plugin" as const, name } },
    why: name,
  }));
  const pick = (known: Record<string, Evidence>, key = "") =>
    pickByBandit(proposals, new Map(Object.entries(known)), streamOf("bandit", key))?.why;

  it("is an untested one first, any of them", () => {
    const known = { x: evidence(5, 2, -2) };
    const picked = new Set(Array.from({ length: 40 }, (_, index) => pick(known, String(index))));
    expect([...picked].sort()).toEqual(["y", "z"]);
  });

  it("is else the one whose evidence per turn is highest, less so the more turns it had", () => {
    expect(pick({ x: evidence(10, 1, -1), y: evidence(10, 2, -2), z: evidence(10, -1, 1) })).toBe("y");
    expect(pick({ x: evidence(10, 1, -1), y: evidence(20, 2, -2), z: evidence(10, -1, 1) })).toBe("x");
    expect(pick({ x: evidence(30, 0, 0), y: evidence(4, 0, 0), z: evidence(30, 0, 0) })).toBe("y");
    // of 50 turns, the one tried less often is worth 0.25 (sqrt(2 ln 50 / 10) - sqrt(2 ln 50 / 40)) = 0.11 a turn
    const [few, decided] = [evidence(10, 0, 0), evidence(9, -3, 3, "revert")];
    expect(pick({ x: few, y: evidence(40, 2, -2), z: decided })).toBe("x");
    expect(pick({ x: few, y: evidence(40, 2.4, -2.4), z: decided })).toBe("y");
    expect(pick({ x: evidence(40, 8, -8), y: evidence(4, -3, 3), z: evidence(40, 0, 0) })).toBe("x");
  });

  it("is none that is decided", () => {
    const [keep, undecided] = [evidence(9, 3, -3, "keep"), evidence(40, 0, 0, "undecided")];
    expect(pick({ x: keep, y: undecided })).toBe("z");
    expect(pick({ x: keep, y: undecided, z: evidence(9, -3, 3, "revert") })).toBeUndefined();
  });
});

describe("what research tests without a model", () => {
  const target = (inForce: string[], known: Record<string, Evidence>, seen: readonly Seen[] = []) =>
    loop(seen, {}, { catalogue: ["x", "y"], inForce, evidence: new Map(Object.entries(known)) });
  const changes = (view: View) =>
    mechanismChanges(view).map(({ change, why }) => [change.install ?? change.remove, why]);
  const keep = evidence(9, 3, -3, "keep");

  it("is every mechanism of the catalogue that is open, then doing without those that pairs had kept", () => {
    expect(changes(target([], {}))).toEqual([
      [{ from: "plugin", name: "x" }, "does it help?"],
      [{ from: "plugin", name: "y" }, "does it help?"],
    ]);
    expect(changes(target(["x"], { x: keep, y: evidence(3, 0, 0) }))).toEqual([
      [{ from: "plugin", name: "y" }, "does it help?"],
    ]);
    expect(changes(target(["x", "own"], { x: keep, y: evidence(9, 0, 3, "revert") }))).toEqual([
      ["x", "is x still worth it?"],
    ]);
  });

  it("is due again after 100 trials in force, those of its own test aside, until its removal is decided", () => {
    const served = (count: number, tests?: string): Seen[] =>
      Array.from({ length: count }, () => ({ arm: ["x"], ...(tests ? { tests } : {}) }));
    const due = (seen: readonly Seen[], known: Record<string, Evidence> = { x: keep }) =>
      dueForReview(target(["x"], known, seen)).map(({ change }) => change.remove);
    expect(due(served(99))).toEqual([]);
    expect(due(served(100))).toEqual(["x"]);
    expect(due([...served(99), ...served(50, "x")])).toEqual([]);
    expect(due([...served(99), ...served(1, "y")])).toEqual(["x"]);
    expect(due(served(100), { x: keep, "without x": evidence(40, 0, 0, "undecided") })).toEqual([]);
    expect(due(served(100), { x: keep, "without x": evidence(4, 0, 0) })).toEqual(["x"]);
    expect(due(served(100), {})).toEqual([]);
  });
});
