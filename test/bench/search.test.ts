import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Played } from "../../bench/search/play.ts";
import { reportOf, summarise, type Speeds } from "../../bench/search/report.ts";

const read = (path: string): string => readFileSync(new URL(`../../docs/search/${path}`, import.meta.url), "utf8");

describe("the benchmark of the search", () => {
  it.each([
    ["fast.jsonl", "report.md"],
    ["real.jsonl", "real.md"],
  ])("has a report that follows from its raw games: %s", (raw, report) => {
    const facts = read(raw)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Played | { speeds: Speeds });
    const speeds = facts.flatMap((fact) => ("speeds" in fact ? [fact.speeds] : [])).at(-1) ?? {};
    const played = facts.filter((fact): fact is Played => "task" in fact);
    expect(reportOf(summarise(played, speeds), speeds)).toBe(read(report));
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
    const { winRate30, tasks } = summarise([
      game("search", 1, 2),
      game("optuna", 1, 4),
      game("search", 2, 5),
      game("optuna", 2, 5),
    ]);
    expect(winRate30.value).toBe(0.75);
    expect(tasks[0]?.methods.search?.regret.value).toBe(0.35);
    expect(tasks[0]?.methods.search?.crashes).toBe(0.1);
    expect(tasks[0]?.methods.optuna?.winRate?.value).toBe(0.75);
  });
});
