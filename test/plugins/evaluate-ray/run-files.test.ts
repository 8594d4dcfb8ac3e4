import { existsSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runKeyOf, shownName, writeWhole } from "../../../plugins/evaluate-ray/run-files.ts";
import { emptyFolder } from "../../support/run.ts";

describe("what a run on a cluster keeps in its folder", () => {
  it("jobs are known by a key of the run's own, which stays when the run goes on elsewhere", async () => {
    const [folder, other] = [emptyFolder(), emptyFolder()];
    const key = await runKeyOf(folder);
    expect(key).toMatch(/^[0-9a-f]{16}$/);
    expect(await runKeyOf(other)).not.toBe(key);
    const moved = join(other, "moved");
    renameSync(folder, moved);
    expect(await runKeyOf(moved)).toBe(key);
  });

  it("a file is written wholly or not at all, for its owner's eyes", async () => {
    const file = join(emptyFolder(), "ray-pool.json");
    writeFileSync(`${file}.tmp`, '{"id": "half a', { mode: 0o600 }); // what a process left that was killed
    await writeWhole(file, "whole");
    expect(existsSync(`${file}.tmp`)).toBe(false);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("a job's name has only characters that an id may have", () => {
    expect(shownName("folder/.bilevel/my run: 1")).toBe("my-run--1");
  });
});
