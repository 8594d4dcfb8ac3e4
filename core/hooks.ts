import { AsyncSeriesBailHook, AsyncSeriesHook, AsyncSeriesWaterfallHook } from "tapable";
import type { FullTap } from "tapable";
import { misfit } from "../kit/answer-check.ts";
import { canonical, deepFreeze, isObject } from "../kit/json.ts";
import type {
  Draft,
  Evaluation,
  HookName,
  Judging,
  Outcome,
  Plugin,
  Progress,
  Touch,
  Trial,
  Turn,
  Verdict,
  View,
} from "./contract.ts";
import { BilevelError, messageOf } from "./errors.ts";

/** What goes along with one call of a hook: `context` gives each plugin its own last argument, `touches` collects what the taps did. */
export interface Call<X> {
  context(plugin: string): X;
  readonly touches: Touch[];
}

/** The hooks of one arm, as core calls them. Plugins reach them through `Taps` only. */
export interface Hooks<C> {
  propose: AsyncSeriesWaterfallHook<[Draft<C>, Call<Turn<C>>]>;
  evaluate: AsyncSeriesBailHook<[Trial<C>, Call<Evaluation<C>>], Outcome>;
  progress: AsyncSeriesBailHook<[Trial<C>, readonly Progress[], Call<View<C>>], "stop">;
  select: AsyncSeriesWaterfallHook<[Verdict, Trial<C>, Call<Judging<C>>]>;
  reflect: AsyncSeriesHook<[Trial<C>, Call<View<C>>]>;
}

/** What one plugin's taps on one hook have cost so far. */
export interface TapCost {
  calls: number;
  ms: number;
  /** Calls that have not answered yet. */
  waiting: number;
  fuel?: number;
}

/** Who watches the taps of an arm: the level that it belongs to. */
export interface TapWatch {
  readonly level: string;
  cost(plugin: string, hook: HookName): TapCost;
  /** A generated plugin's tap failed and was skipped. `isFinal`: it cannot go on at all. */
  strike(plugin: string, hook: HookName, reason: string, isFinal: boolean): void;
}

/** A tap as it is registered: tapable hands unknown keys on to `register`. */
export interface TapOptions {
  name: string;
  stage: number;
  plugin: Plugin;
}

/** Thrown by a generated plugin that cannot go on: out at once, not after three strikes. */
export class FinalStrike extends Error {}
/** Thrown by one whose very failure was met before: in the other arm of the turn, or by a process that was killed in it. */
export class KnownFailure extends Error {}

type Fn = (...args: unknown[]) => unknown;

/**
 * Fresh hooks whose every tap is wrapped: stamped with its plugin, timed, compared (what came out against what went in:
 * a touch) and contained. A tap that fails ends the run when it is built in or the user's own; a generated one is
 * skipped and counted. `null` is refused: to tapable it would be a value.
 */
export function makeHooks<C>(watch: TapWatch): Hooks<C> {
  const hooks: Hooks<C> = {
    propose: new AsyncSeriesWaterfallHook(["draft", "call"]),
    evaluate: new AsyncSeriesBailHook(["trial", "call"]),
    progress: new AsyncSeriesBailHook(["trial", "points", "call"]),
    select: new AsyncSeriesWaterfallHook(["verdict", "trial", "call"]),
    reflect: new AsyncSeriesHook(["trial", "call"]),
  };
  const wrapped = (name: HookName) => (tap: FullTap) => ({ ...tap, fn: wrap(name, tap, watch) });
  for (const [name, hook] of Object.entries(hooks) as [HookName, Hooks<C>["reflect"]][])
    hook.intercept({ register: wrapped(name) });
  return hooks;
}

function wrap(hook: HookName, tap: FullTap, watch: TapWatch): Fn {
  const { plugin, fn: run } = tap as FullTap & TapOptions & { fn: Fn };
  const cost = watch.cost(plugin.name, hook);
  return async (...args) => {
    const call = args.pop() as Call<unknown>;
    const started = performance.now();
    // a copy of its own: what a tap changes in place would be nobody's doing, so it is told
    if (hook === "propose" || hook === "select") args[0] = deepFreeze(structuredClone(args[0]));
    cost.waiting++;
    try {
      const out = await run(...args, call.context(plugin.name));
      if (out === undefined || hook === "reflect") return undefined;
      const problem = misfit(hook, out);
      if (problem) throw new TypeError(problem);
      const touch = touchOf(hook, args[0], out);
      if (touch) call.touches.push({ tap: plugin.name, hook, ...touch });
      return out;
    } catch (error) {
      if (plugin.origin !== "generated") throw failure(plugin, hook, watch.level, error);
      const reason = messageOf(error);
      call.touches.push({ tap: plugin.name, hook, did: "failed", detail: reason });
      if (!(error instanceof KnownFailure)) watch.strike(plugin.name, hook, reason, error instanceof FinalStrike);
      return undefined;
    } finally {
      cost.waiting--;
      cost.calls++;
      cost.ms += performance.now() - started;
      if (plugin.fuel) cost.fuel = plugin.fuel();
    }
  };
}

/** The error of a plugin that failed in a hook or in `apply` or `open`. */
export function failure(plugin: Plugin, hook: string, level: string, error: unknown): BilevelError {
  if (error instanceof BilevelError) return error;
  const isFrozen = /read only|not extensible|Cannot (delete|add|define)/.test(messageOf(error));
  const copy = isFrozen ? "what a hook is given is not to be changed: give back a changed copy, { ...draft, … }; " : "";
  return new BilevelError("E_PLUGIN_FAILED", `plugin ${plugin.name} failed in ${hook}: ${messageOf(error)}`, {
    path: `level ${level}, plugin ${plugin.name}, hook ${hook}`,
    hint: `${copy}mend the plugin or take it out of the config, then resume: what was measured is in the journal`,
    cause: error,
  });
}

function touchOf(hook: HookName, before: unknown, after: unknown): Omit<Touch, "tap" | "hook"> | undefined {
  if (hook === "propose") return draftTouch(before as Draft<unknown>, after as Draft<unknown>);
  if (hook === "progress") return { did: "stopped" };
  if (hook === "select") {
    const [from, to] = [before as Verdict, after as Verdict];
    if (from.decision === to.decision && from.reason === to.reason) return undefined;
    return { did: "decided", detail: to.decision, instead: from.decision };
  }
  return undefined;
}

/** What of the first value the second one has otherwise. */
function part(before: unknown, after: unknown): unknown {
  if (!isObject(before) || !isObject(after)) return before;
  const changed = Object.keys(before).filter((key) => canonical(before[key]) !== canonical(after[key]));
  return Object.fromEntries(changed.map((key) => [key, part(before[key], after[key])]));
}

function draftTouch(before: Draft<unknown>, after: Draft<unknown>): Omit<Touch, "tap" | "hook"> | undefined {
  const instead = before.candidate;
  if (after.refused !== undefined && before.refused === undefined)
    return { did: "refused", detail: after.refused, instead };
  if (after.candidate !== before.candidate) {
    if (instead === undefined) return { did: "proposed" };
    if (canonical(instead) !== canonical(after.candidate))
      return { did: "changed", instead: part(instead, after.candidate) };
  }
  if (after.brief.length > before.brief.length) return { did: "spoke", detail: after.brief.at(-1)?.text };
  return undefined;
}
