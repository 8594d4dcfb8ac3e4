import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const folder = join(import.meta.dirname, "../../bench");
/** Parts of others, and what needs the client of Ray to be built before it reads its flags. */
const others = ["flags.ts", "planted.ts", "ray.ts"];
const benchmarks = readdirSync(folder).filter((file) => file.endsWith(".ts") && !others.includes(file));

const told = (file: string, ...args: string[]) => {
  const { status, stderr } = spawnSync(process.execPath, ["--no-warnings", join(folder, file), ...args], {
    encoding: "utf8",
  });
  return { status, stderr };
};

describe("a benchmark's flags", () => {
  it.each(benchmarks)("%s says in one line which it takes, and ends with 2, where one is not known", (file) => {
    const { status, stderr } = told(file, "--nonsense");
    expect(status).toBe(2);
    expect(stderr).toMatch(/^Unknown option '--nonsense': this benchmark takes --.*\n$/);
  });

  it("says what a number has to be, and which file is missing", () => {
    expect(told("floor.ts", "--seeds", "many")).toEqual({
      status: 2,
      stderr: '--seeds takes a whole number above 0, not "many"\n',
    });
    expect(told("search.ts", "--trials", "30,").stderr).toBe('--trials takes a whole number above 0, not ""\n');
    expect(told("search.ts", "--from", "none.jsonl")).toEqual({
      status: 2,
      stderr: "--from none.jsonl: there is no such file\n",
    });
  });
});
