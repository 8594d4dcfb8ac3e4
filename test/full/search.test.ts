import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { Summary, TaskReport } from "../../bench/search/report.ts";

const bench = (...args: string[]) =>
  spawnSync(process.execPath, [new URL("../../bench/search.ts", import.meta.url).pathname, "--json", ...args], {
    encoding: "utf8",
  });

describe("the benchmark of the search", () => {
  it("plays the surrogate without Python, and the default does better than blind and random moves", () => {
    const of = ["--tasks", "karpathy-surrogate", "--methods", "search,local,random", "--seeds", "40"];
    const { stdout, status } = bench(...of, "--trials", "100", "--slots", "1", "--no-speed");
    expect(status).toBe(0);
    const { methods } = (JSON.parse(stdout) as Summary).tasks[0] as TaskReport;
    const regret = (method: string): number => methods[method]?.regret.value ?? NaN;
    expect(regret("search")).toBeLessThan(regret("local"));
    expect(regret("local")).toBeLessThan(regret("random"));
    expect(methods.search?.crashes).toBeLessThan(0.1);
  }, 600_000);

  it("plays a small part of it beside Optuna, which it installs, and the default wins", ({ skip }) => {
    const { stdout, stderr, status } = bench("--quick");
    if (stderr.includes("cannot be installed")) skip(stderr);
    expect(status).toBe(0);
    const { winRate30, msPerProposal1000, optunaMs1000, tasks } = JSON.parse(stdout) as Summary;
    const names = tasks.map(({ task }) => task).sort();
    expect(names).toEqual(["bbob-mixint f18 d10", "bbob-mixint f8 d10", "karpathy-surrogate"]);
    for (const { methods } of tasks) expect(methods).toMatchObject({ search: { games: 4 }, optuna: { games: 4 } });
    expect(winRate30.value).toBeGreaterThan(0.5);
    expect(Math.min(msPerProposal1000, optunaMs1000)).toBeGreaterThan(0);
  }, 600_000);
});
