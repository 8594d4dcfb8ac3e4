import { basename, join } from "node:path";
import { compareConfigs } from "../kit/comparable.ts";
import { show } from "../kit/explain.ts";
import type { Difference } from "../kit/json.ts";
import type { Config, Fact, Level, Plugin, Run, View } from "./contract.ts";
import { Arms, changeId, isEmpty } from "./arm.ts";
import type { ResolvedConfig } from "./config.ts";
import { describe, pluginsOf } from "./config.ts";
import { BilevelError, messageOf } from "./errors.ts";
import { failure as failureOf, type TapCost, type TapWatch } from "./hooks.ts";
import { Journal, journalVersion } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import type { Shared } from "./loop.ts";
import { Loop } from "./loop.ts";
import type { Entry, TurnContext } from "./turn.ts";

/** The levels of a config, innermost first: what each knows, and what it needs to take its turns. */
export interface Stack {
  readonly ledgers: readonly Ledger[];
  readonly contexts: readonly TurnContext<unknown>[];
  /** Calls and milliseconds of every tap, as `level plugin hook`. */
  readonly costs: ReadonlyMap<string, TapCost>;
  fold(fact: Fact): void;
}

/** Builds the levels of a config; `strike` hears of generated plugins that failed. */
export function buildStack(
  config: Config,
  folder: string,
  once: TurnContext<unknown>["once"],
  signal: AbortSignal,
  strike: (level: string, ...about: Parameters<TapWatch["strike"]>) => void,
): Stack {
  const ledgers: Ledger[] = [];
  const contexts: TurnContext<unknown>[] = [];
  const costs = new Map<string, TapCost>();
  const seed = config.seed ?? "bilevel";
  const target = (level: Level) => level.of ?? config.levels[0]?.name;
  for (const [index, level] of config.levels.entries()) {
    const { name, kind } = level;
    const isTask = kind === "task";
    const objective = isTask ? config.objective : { metric: "effect", direction: "maximize" as const };
    const [task, space] = isTask ? [config.task, config.space] : [];
    const offered = (config.plugins ?? []).filter(
      (one) => one.role === "mechanism" && (one.kinds ?? ["task"]).includes(kind),
    );
    const researched = config.levels.filter((other) => other.changes === "mechanisms").map(target);
    const isDrawnOn = config.levels.some((other) => other.kind === kind && researched.includes(other.name));
    const drawn = offered.filter((one) => isDrawnOn && one.proposes !== false);
    const catalogue = new Map(drawn.filter(() => researched.includes(name)).map((one) => [one.name, one]));
    const measuring = isTask ? [config.evaluator, config.proposer, config.selector] : [];
    const shaping = [...(level.plugins ?? []), ...offered.filter((one) => !drawn.includes(one))];
    const plugins = [level, ...measuring, ...shaping].filter((one): one is Plugin => one !== undefined);
    const watch: TapWatch = {
      level: name,
      strike: (...about) => strike(name, ...about),
      cost(plugin, hook) {
        const key = `${name} ${plugin} ${hook}`;
        const cost = costs.get(key) ?? { calls: 0, ms: 0, waiting: 0 };
        costs.set(key, cost);
        return cost;
      },
    };
    const mechanisms = plugins.filter(({ role }) => role === "mechanism").map((plugin) => plugin.name);
    const budget = isTask ? config.budget : {};
    const sources = Object.fromEntries(
      [...plugins, ...drawn].flatMap((one) => (one.source ? [[one.name, one.source]] : [])),
    );
    const setup = { name, level, objective, space, mechanisms, catalogue: [...catalogue.keys()], sources, budget };
    const ledger = new Ledger(setup, ledgers[index - 1]);
    const author = config.levels.find((other) => other.generate && target(other) === name);
    const generate = author?.generate?.bind(author);
    const arms = new Arms(
      { level: name, seed, base: plugins, catalogue, generate, task, space, objective, model: config.llm, watch },
      ledger,
    );
    ledgers.push(ledger);
    contexts.push({
      ledger,
      arms,
      seed,
      firstSeed: level.firstSeed ?? config.task?.firstSeed ?? 42,
      signal,
      once,
      folderOf: (trial) => join(folder, "trials", isTask ? String(trial) : `${name}-${trial}`),
      left: () => ledger.budget.left - (level.reserve?.(ledger.view()) ?? 0),
      judge: (of, test) => ledgers.find((one) => one.setup.name === of)?.setup.level.judge?.(test, ledger.view()),
    });
  }
  return { ledgers, contexts, costs, fold: (fact) => foldInto(ledgers, fact) };
}

/** Folds one fact into the levels; what an outer level kept takes effect in the loop that it changes. */
export function foldInto(ledgers: readonly Ledger[], fact: Fact): void {
  const limits = fact.budget as Config["budget"] | undefined;
  if (limits) ledgers[0]?.allow(limits);
  const ledger = ledgers.find((one) => one.setup.name === fact.level);
  ledger?.apply(fact);
  const verdict = fact.verdict as { decision?: string } | undefined;
  if (verdict?.decision !== "keep" || ledger?.setup.level.kind !== "arm") return;
  const change = ledger.trial(fact.trial as number)?.candidate as Parameters<typeof changeId>[0] | undefined;
  if (change && !isEmpty(change))
    ledgers.find((one) => one.setup.name === change.of)?.enforce(changeId(change), change);
}

/** How a run ended. `levels`: what every level knows, by its name. */
export interface RunEnd {
  readonly reason: string;
  readonly interrupted: boolean;
  readonly levels: ReadonlyMap<string, View>;
  readonly costs: ReadonlyMap<string, TapCost>;
}

/**
 * Starts the run in this folder, or goes on with it where it stopped.
 * `observers` are plugins that only watch. Aborting `signal` stops it in good
 * order: what runs is cancelled and owed again.
 * @throws E_BASELINE_FAILED, E_CONFIG_CHANGED, E_PLUGIN_FAILED, E_INFRASTRUCTURE and those of the journal
 */
export async function execute(
  resolved: ResolvedConfig,
  folder: string,
  { observers = [], signal, durable }: { observers?: readonly Plugin[]; signal?: AbortSignal; durable?: boolean } = {},
): Promise<RunEnd> {
  const { config, home } = resolved;
  const journal = new Journal(folder, { durable });
  const stop = new AbortController();
  const stopping = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    stop.abort();
  };
  const opened: Plugin[] = [];
  let reason = "failed";
  let ended: string | undefined;
  try {
    const changed = changesSince(journal.recorded, resolved);
    const stack = buildStack(config, folder, journal.once.bind(journal), stopping, (level, plugin, hook, why, final) =>
      write({ type: "strike", level, plugin, hook, reason: why, ...(final ? { final } : {}) }),
    );
    for (const fact of journal.recorded) stack.fold(fact);
    const earlier = workedMs(journal.recorded);
    const started = Date.now();
    const write = (fact: Omit<Entry, "level"> & { level?: string; type: string }): Fact => {
      const isOuter = fact.type === "verdict" && fact.level !== stack.ledgers[0]?.setup.name; // now and then: a killed run's costs are known too
      const written = journal.append(isOuter ? { ...fact, volatile: { taps: Object.fromEntries(stack.costs) } } : fact);
      stack.fold(written);
      tell(written);
      return written;
    };
    const listeners = new Set<(fact: Fact) => void>();
    const tell = (fact: Fact): void => {
      for (const listener of listeners) notify(listener, fact, listeners);
    };
    journal.hear = tell;
    const run: Run = {
      folder,
      home,
      config,
      resumed: journal.recorded.length > 0,
      on: (listener) => listeners.add(listener),
      notice: (text, detail) =>
        void write({ type: "notice", text, ...(detail === undefined ? {} : { volatile: { detail } }) }),
      end: (why) => void (ended ??= why),
      view: (level) => (stack.ledgers.find((one) => one.setup.name === level) as Ledger).view(),
    };
    const begin = { version: journalVersion, config: describe(config), levels: stack.ledgers.map(levelFact) };
    const goesOn = changed.length > 0 ? { config: describe(config), changed } : {};
    const volatile = { at: started, pid: process.pid, home };
    for (const plugin of observers) opened.push(await openPlugin(plugin, run));
    write({
      type: run.resumed ? "session" : "run",
      ...(run.resumed ? goesOn : begin),
      budget: config.budget,
      volatile,
    });
    if (journal.repaired)
      run.notice("the journal's last line was torn by a crash and has been cut off", journal.repaired);
    for (const plugin of new Set(pluginsOf(config).map(([, one]) => one))) opened.push(await openPlugin(plugin, run));

    const hours = () => (earlier + Date.now() - started) / 3_600_000;
    const shared: Shared = { write, seen: () => journal.last, signal: stopping, fail, hours, ended: () => ended };
    const loops: Loop[] = [];
    for (const context of stack.contexts) loops.push(new Loop(context, shared, loops.at(-1)));
    const [inner, top] = [loops[0] as Loop, loops.at(-1) as Loop];
    for (const loop of loops) loop.recover();
    const search = async (): Promise<void> => {
      await inner.prepare();
      if (!stopping.aborted) checkBaseline(inner.context.ledger);
      await top.run("run", null, []);
      for (const loop of loops) await loop.drain();
      if (failure !== undefined) throw failure;
      reason = inner.spent ?? top.spent ?? "done";
      await inner.finish();
      if (failure !== undefined) throw failure;
    };
    await orIdle(search(), stack.costs);
    const interrupted = stopping.aborted;
    write({
      type: interrupted ? "pause" : "end",
      reason,
      volatile: { at: Date.now(), taps: Object.fromEntries(stack.costs) },
    });
    const levels = new Map(stack.ledgers.map((ledger) => [ledger.setup.name, ledger.view()]));
    return { reason, interrupted, levels, costs: stack.costs };
  } finally {
    for (const plugin of opened.reverse()) await plugin.close?.(reason);
    journal.close();
  }
}

/** Throws where the process has nothing left to wait for: a tap's promise that nothing will ever settle. */
function orIdle(work: Promise<void>, costs: Stack["costs"]): Promise<void> {
  const idle = Promise.withResolvers<never>();
  const tell = (): void => {
    const [level, plugin, hook] = [...costs].find(([, { waiting }]) => waiting > 0)?.[0].split(" ") ?? [];
    const message = `plugin ${plugin} does not answer in ${hook}: its promise is never settled`;
    const hint = "mend the plugin or take it out of the config, then resume: what was measured is in the journal";
    idle.reject(new BilevelError("E_PLUGIN_FAILED", message, { path: `level ${level}, plugin ${plugin}`, hint }));
  };
  process.once("beforeExit", tell);
  return Promise.race([work, idle.promise]).finally(() => process.off("beforeExit", tell));
}

/** What a reader of the journal needs to know of a level without the config. */
const levelFact = ({ setup: { name, level, mechanisms, catalogue } }: Ledger) => ({
  name,
  kind: level.kind,
  measured: !!level.start,
  mechanisms,
  catalogue,
});

/** An observer that fails is heard no more; it influences nothing. */
function notify(listener: (fact: Fact) => void, fact: Fact, listeners: Set<(fact: Fact) => void>): void {
  try {
    listener(fact);
  } catch (error) {
    listeners.delete(listener);
    process.emitWarning(`an observer failed and was taken off: ${messageOf(error)}`);
  }
}

async function openPlugin(plugin: Plugin, run: Run): Promise<Plugin> {
  try {
    await plugin.open?.(run);
    return plugin;
  } catch (error) {
    if (error instanceof BilevelError) throw error;
    throw failureOf(plugin, "open", "run", error);
  }
}

/** What a config changes of the one that the run with these facts went on with last. @throws E_CONFIG_CHANGED where its trials would not be comparable any more */
export function changesSince(facts: readonly Fact[], { config, file }: ResolvedConfig): Difference[] {
  const then = facts.findLast((fact) => fact.config !== undefined)?.config as Record<string, unknown>;
  if (!then) return [];
  const now = JSON.parse(JSON.stringify(describe(config))) as Record<string, unknown>;
  const { changed, refused } = compareConfigs(then, now);
  const [first, ...others] = refused;
  if (!first) return changed;
  const also = others.length > 0 ? `; also different: ${others.map(({ path }) => path).join(", ")}` : "";
  throw new BilevelError("E_CONFIG_CHANGED", `this run cannot go on with it: ${first.why}`, {
    path: `${basename(file)} › ${first.path}`,
    received: show(first.after),
    allowed: `${show(first.before)}, as it was`,
    hint: `${first.hint ?? "write it back"}, or start another run: bilevel run --name …${also}`,
  });
}

function checkBaseline(ledger: Ledger): void {
  const outcome = ledger.trial(0)?.outcome;
  if (!outcome || outcome.status === "measured") return;
  throw new BilevelError(
    "E_BASELINE_FAILED",
    "the baseline could not be measured, so nothing can be compared with it",
    {
      received: outcome.reason,
      hint: "mend the program, or the way its metric is read, then start again with a new name (or delete the run's folder)",
    },
  );
}

/** How long earlier processes worked on this run, in milliseconds. */
function workedMs(facts: readonly Fact[]): number {
  let [total, since, last] = [0, 0, 0];
  for (const { type, volatile } of facts) {
    const at = volatile?.at as number | undefined;
    if (at === undefined) continue;
    if (type === "run" || type === "session") [total, since] = [total + last - since, at];
    last = at;
  }
  return total + last - since;
}
