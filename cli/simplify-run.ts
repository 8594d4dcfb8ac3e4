import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Config, ResolvedConfig } from "../core/index.ts";
import { resolveConfig } from "../core/index.ts";
import { simplifyLoop, type SimplifyOptions } from "../plugins/simplify/index.ts";

/** What a simplification was started with. `of`: the name of the run whose winner it is. */
export interface Simplification {
  of: string;
  trials: number;
  options: SimplifyOptions;
}

const smallFile = (run: string): string => join(run, "simplify.json");

/** What the run was started with, if it is a simplification. */
export const simplificationOf = (run: string): Simplification | undefined =>
  existsSync(smallFile(run)) ? (JSON.parse(readFileSync(smallFile(run), "utf8")) as Simplification) : undefined;

/** Keeps what the simplification starts from: its options, and the task as the run of the winner froze it. */
export function keepSimplification(run: string, small: Simplification): void {
  mkdirSync(run, { recursive: true });
  const frozen = join(dirname(run), small.of, "task");
  if (existsSync(frozen)) cpSync(frozen, join(run, "task"), { recursive: true });
  writeFileSync(smallFile(run), `${JSON.stringify(small, null, 2)}\n`);
}

/** The config of the run that found the winner, with a loop that takes the winner's changes back. */
export function simplified({ config, file }: ResolvedConfig, { options, trials }: Simplification): ResolvedConfig {
  const { target: _, ...objective } = config.objective;
  const small: Config = {
    ...config,
    objective,
    llm: undefined,
    proposer: undefined,
    selector: undefined,
    levels: [simplifyLoop(structuredClone(options))],
    plugins: config.plugins?.filter(({ role }) => role !== "mechanism"),
    budget: { trials },
  };
  return resolveConfig(small, file);
}
