import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { play, type Played } from "../../bench/search/play.ts";
import { reportOf, summarise, type Made, type Speeds } from "../../bench/search/report.ts";
import { tasks, type Task } from "../../bench/search/tasks.ts";
import type { Values } from "../../kit/index.ts";
import { proposeSearch } from "../../plugins/propose-search/index.ts";

const read = (path: string): string => readFileSync(new URL(`../../docs/search/${path}`, import.meta.url), "utf8");

describe("the benchmark of the search", () => {
  it.each([
    ["fast.jsonl", "report.md"],
    ["real.jsonl", "real.md"],
    ["gpt.jsonl", "gpt.md"],
  ])("has a report that follows from its raw games: %s", { timeout: 300_000 }, (raw, report) => {
    const facts = read(raw)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Played | { speeds: Speeds } | Made);
    const speeds = facts.flatMap((fact) => ("speeds" in fact ? [fact.speeds] : [])).at(-1) ?? {};
    const played = facts.filter((fact): fact is Played => "task" in fact);
    const made = facts.filter((fact): fact is Made => "minutes" in fact);
    expect(reportOf(summarise(played, speeds), speeds, made)).toBe(read(report));
  });

  it("measures as often as the others, repeats included", async () => {
    const task = tasks.find(({ name }) => name === "karpathy-surrogate") as Task;
    for (const seed of [1, 2, 3]) {
      const game = { task: task.name, method: "search", seed, trials: 40, slots: 1 };
      const { curve } = await play(game, task, proposeSearch());
      expect(curve).toHaveLength(41);
    }
  });

  it("plays the same game with four slots, however long a measurement takes", async () => {
    const task = tasks.find(({ name }) => name === "karpathy-surrogate") as Task;
    const slow: Task = {
      ...task,
      async open(seed, bridge) {
        const instance = await task.open(seed, bridge);
        const measure = async (values: Values, at: number): Promise<number> => {
          await new Promise((resolve) => setTimeout(resolve, 80 * Math.random()));
          return instance.measure(values, at);
        };
        return { ...instance, measure };
      },
    };
    const game = { task: task.name, method: "search", seed: 3, trials: 40, slots: 4 };
    const { curve } = await play(game, task, proposeSearch());
    expect(new Set(curve).size).toBeGreaterThan(5);
    expect((await play(game, slow, proposeSearch())).curve).toEqual(curve);
  });

  it("says how many more measurements four slots take to what one slot has after 80, however long that is", () => {
    const game = (slots: number, trials: number, pace: number): Played => ({
      task: "t",
      method: "search",
      seed: 1,
      trials,
      slots,
      value: 0,
      seen: 0,
      baseline: 10,
      best: 0,
      crashes: 0,
      ms: 1,
      curve: Array.from({ length: trials + 1 }, (_, n) => 10 * 0.9 ** Math.floor((n + 1) / pace)),
    });
    expect(summarise([game(1, 100, 1), game(4, 150, 1)]).slots4.value).toBe(1);
    expect(summarise([game(1, 100, 1), game(4, 150, 1.5)]).slots4.value).toBe(1.5);
    expect(summarise([game(1, 100, 1), game(4, 150, 3)]).slots4.value).toBe(1.9);
    expect(summarise([game(1, 100, 1)]).slots4.value).toBeNaN();
  });

  it("counts a win by the winner's true value, a tie as half, and regret from the baseline to the best known", () => {
    const game = (method: string, seed: number, value: number): Played => ({
      task: "t",
      method,
      seed,
      trials: 30,
      slots: 1,
      value,
      seen: value,
      baseline: 10,
      best: 0,
      curve: [],
      crashes: 3,
      ms: 1,
    });
    const summary = summarise([game("search", 1, 2), game("optuna", 1, 4), game("search", 2, 5), game("optuna", 2, 5)]);
    expect(summary.winRate30.value).toBe(0.75);
    expect(summary.duels).toMatchObject([{ method: "search", other: "optuna", trials: 30, games: 2 }]);
    const { search, optuna } = summary.tasks[0]?.methods ?? {};
    expect([search?.regret.value, search?.crashes, optuna?.winRate?.value]).toEqual([0.35, 0.1, 0.75]);
  });

  it("takes for a task's best competitor one that played all its seeds", () => {
    const game = (method: string, seed: number, value: number): Played => ({
      ...{ task: "t", method, seed, trials: 100, slots: 1, value, seen: value, baseline: 10, best: 0 },
      ...{ curve: [], crashes: 0, ms: 1 },
    });
    const games = [game("search", 1, 2), game("search", 2, 2), game("optuna", 1, 3), game("optuna", 2, 3)];
    expect(summarise([...games, game("smac", 1, 1)]).winRateBest100.value).toBe(1);
    expect(summarise([...games, game("smac", 1, 1), game("smac", 2, 1)]).winRateBest100.value).toBe(0);
  });
});
