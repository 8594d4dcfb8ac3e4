import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Fact, Level, Objective, ResolvedConfig, Space } from "../core/index.ts";
import { loadConfig } from "./config-file.ts";
import { configOfDemo } from "./demo-run.ts";
import { configOfRun } from "./one-line.ts";
import { makeRunsFolder, runsFolder, runsFolderNames } from "./own-folder.ts";
import { withPresentValues } from "./present-values.ts";
import { simplificationOf, simplified } from "./simplify-run.ts";
import { BilevelError, foldInto, journalFile, Ledger, readJournal } from "../core/index.ts";
import schema from "../schema.json" with { type: "json" };

/** Those with a fact: a process that was killed, or found the disk full, before it wrote one has begun no run. */
const namesIn = (home: string): string[] =>
  runsFolderNames(home)
    .map((name) => ({ name, file: journalFile(join(runsFolder(home), name)) }))
    .filter(({ file }) => existsSync(file) && statSync(file).size > 0)
    .map(({ name }) => name);

const nameForm = new RegExp(schema.properties.name.pattern);

/**
 * The folder for a new run: of the given name, or the next free `run-N`.
 * @throws E_USAGE where the name is no folder's in .bilevel; E_FOLDER, E_RUN_EXISTS
 */
export function newRun(home: string, name?: string): string {
  if (name !== undefined && !nameForm.test(name))
    throw new BilevelError("E_USAGE", "is no name of a run, which is a folder in .bilevel", {
      path: "--name",
      received: JSON.stringify(name),
      allowed: "letters (a to z, also capital), digits, and after the first of them . _ -",
    });
  makeRunsFolder(home);
  if (name !== undefined && namesIn(home).includes(name))
    throw new BilevelError("E_RUN_EXISTS", `there is a run named ${name} already`, {
      path: join(runsFolder(home), name),
      hint: `bilevel resume ${name}, or start another with --name`,
    });
  let number = 1;
  while (name === undefined && existsSync(join(runsFolder(home), `run-${number}`))) number++;
  return join(runsFolder(home), name ?? `run-${number}`);
}

/**
 * The folder of a run: the named one, or the one that was worked on last.
 * @throws E_RUN_UNKNOWN
 */
export function findRun(home: string, name?: string): string {
  const names = namesIn(home);
  const latest = names
    .map((one) => ({ one, at: statSync(journalFile(join(runsFolder(home), one))).mtimeMs }))
    .sort((a, b) => b.at - a.at)[0]?.one;
  const found = name ?? latest;
  if (found !== undefined && names.includes(found)) return join(runsFolder(home), found);
  throw new BilevelError(
    "E_RUN_UNKNOWN",
    name === undefined ? "there is no run here yet" : `there is no run named ${name}`,
    {
      path: runsFolder(home),
      allowed: names.join(", ") || "none yet",
      hint: names.length > 0 ? "bilevel status shows the latest" : "bilevel run starts one",
    },
  );
}

/**
 * A run and its config: the file's, or, of a run that was started without one, what it was started with.
 * @throws E_RUN_UNKNOWN and those of `loadConfig`
 */
export async function runWithConfig({
  cwd,
  config,
  preset,
  run,
}: {
  cwd: string;
  config?: string;
  preset?: string;
  run?: string;
}): Promise<{ resolved: ResolvedConfig; folder: string }> {
  const home = resolve(cwd);
  let loading: Promise<ResolvedConfig> | undefined;
  const load = () => (loading ??= loadConfig(home, config, preset));
  const here = config === undefined && namesIn(home).length > 0 ? findRun(home, run) : undefined;
  const own = here === undefined ? undefined : await ownConfig(here, home, load);
  if (here !== undefined && own) return { resolved: own, folder: here };
  const resolved = await load();
  const folder = findRun(resolved.home, run ?? resolved.config.name);
  return { resolved: (await ownConfig(folder, resolved.home, load)) ?? asStarted(resolved, folder), folder };
}

/** The config of a run that has one of its own: of a line, of the demo, of a simplification. */
async function ownConfig(
  run: string,
  home: string,
  load: () => Promise<ResolvedConfig>,
): Promise<ResolvedConfig | undefined> {
  const small = simplificationOf(run);
  if (!small) return configOfRun(run, home) ?? configOfDemo(run, home);
  const of = join(runsFolder(home), small.of);
  return simplified((await ownConfig(of, home, load)) ?? asStarted(await load(), of), small);
}

/** The config's file as it is now, from the baseline that the run started with. */
function asStarted(resolved: ResolvedConfig, run: string): ResolvedConfig {
  const begun = readJournal(journalFile(run)).facts[0]?.config as { space?: Space } | undefined;
  return withPresentValues(resolved, begun?.space);
}

/** What a journal tells, read without its lock; the config is not needed. */
export interface RunRecord {
  folder: string;
  facts: readonly Fact[];
  ledgers: readonly Ledger[];
}

interface LevelFact {
  name: string;
  kind: Level["kind"];
  measured: boolean;
  mechanisms: readonly string[];
  catalogue: readonly string[];
}

/** @throws E_JOURNAL_DAMAGED, E_JOURNAL_VERSION */
export function readRun(folder: string): RunRecord {
  const { facts } = readJournal(journalFile(folder));
  const config = facts.findLast((fact) => fact.config !== undefined)?.config as
    { objective: Objective; space?: Space } | undefined;
  const first = facts[0] as (Fact & { levels: LevelFact[] }) | undefined;
  const ledgers: Ledger[] = [];
  for (const { name, kind, measured, mechanisms, catalogue } of first?.levels ?? []) {
    const isTask = kind === "task";
    const level = { name, kind, contract: 1, ...(measured ? { start: () => ({}) } : {}) } as unknown as Level;
    const objective: Objective = isTask && config ? config.objective : { metric: "effect", direction: "maximize" };
    const space = isTask ? config?.space : undefined;
    ledgers.push(new Ledger({ name, level, objective, space, budget: {}, mechanisms, catalogue }, ledgers.at(-1)));
  }
  for (const fact of facts) foldInto(ledgers, fact);
  return { folder, facts, ledgers };
}
