import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { Summary, TaskReport } from "../../bench/search/report.ts";

describe("the benchmark of the search, its part that needs Node alone", () => {
  it("plays the surrogate, and the default does better than blind and random moves", () => {
    const bench = new URL("../../bench/search.ts", import.meta.url).pathname;
    const args = [
      "--tasks",
      "karpathy-surrogate",
      "--methods",
      "search,local,random",
      "--seeds",
      "40",
      "--trials",
      "100",
    ];
    const { stdout, status } = spawnSync(process.execPath, [bench, "--json", "--slots", "1", "--no-speed", ...args], {
      encoding: "utf8",
    });
    expect(status).toBe(0);
    const { methods } = (JSON.parse(stdout) as Summary).tasks[0] as TaskReport;
    const regret = (method: string): number => methods[method]?.regret.value ?? NaN;
    expect(regret("search")).toBeLessThan(regret("local"));
    expect(regret("local")).toBeLessThan(regret("random"));
    expect(methods.search?.crashes).toBeLessThan(0.1);
  }, 600_000);
});
