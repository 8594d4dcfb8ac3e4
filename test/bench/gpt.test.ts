import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { reportOf, rowsOf } from "../../bench/gpt/report.ts";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
/** A document without what its formatter adds to tables. */
const plain = (path: string): string => read(path).replace(/-{4,}/g, "---").replace(/ +/g, " ");
const rows = rowsOf(read("docs/gpt/runs.jsonl"));

describe("the report of the GPT example", () => {
  it("follows from its raw runs, here and on the first page", () => {
    const report = reportOf(rows);
    expect(plain("docs/gpt.md")).toContain(report);
    for (const line of report.split("\n").filter((one) => one.startsWith("|")))
      expect(plain("README.md")).toContain(line);
  });

  it.each(["default", "inner loop", "random"] as const)("has eight seeds of %s, each with all its trials", (search) => {
    const runs = rows.filter((row) => row.search === search);
    expect(runs.map(({ seed }) => seed).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    for (const { trials } of runs) {
      expect(trials.map(({ id }) => id).sort((a, b) => a - b)).toEqual(trials.map((_, id) => id));
      expect(trials.filter(({ confirms }) => !confirms).length).toBeGreaterThanOrEqual(25);
    }
  });
});
