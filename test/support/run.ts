import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { Config, Fact, Plugin, RunEnd } from "../../core/index.ts";
import { execute, journalFile, readJournal, resolveConfig } from "../../core/index.ts";
import { evaluator, level, objective, space } from "./bowl.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** An empty folder that goes when the tests of this file are over. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "bilevel-"));
  folders.push(folder);
  return folder;
}

export interface Ran {
  end: RunEnd;
  facts: readonly Fact[];
  folder: string;
}

/** Runs a config on the bowl: noise-free, one slot, 30 trials, one level, unless it says otherwise. */
export async function run(
  config: Partial<Config> = {},
  { folder = emptyFolder(), observers, signal }: { folder?: string; observers?: Plugin[]; signal?: AbortSignal } = {},
): Promise<Ran> {
  const whole: Config = {
    objective,
    space,
    evaluator: evaluator(),
    levels: [level()],
    budget: { trials: 30 },
    ...config,
  };
  const end = await execute(resolveConfig(whole, join(folder, "bilevel.config.ts")), folder, { observers, signal });
  return { end, facts: readJournal(journalFile(folder)).facts, folder };
}

/** The facts without what may differ between two equal runs. */
export const lasting = (facts: readonly Fact[]): unknown[] => facts.map(({ volatile: _, ...rest }) => rest);

export const ofType = (facts: readonly Fact[], type: string, of = "inner"): Fact[] =>
  facts.filter((fact) => fact.type === type && fact.level === of);
