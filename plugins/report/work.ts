import type { Evidence, Fact, View } from "../../core/index.ts";
import { count } from "../../kit/text.ts";

/** What a mechanism did and took, counted over a run. */
export interface Work {
  name: string;
  /** By kind of touch: in how many trials. */
  touches: Readonly<Record<string, number>>;
  /** Calls of its taps, their milliseconds, and ticks of its interpreter where it has one. */
  calls: number;
  ms: number;
  fuel?: number;
  /** Calls that failed. */
  strikes: number;
  evidence?: Evidence;
  inForce: boolean;
  /** Left out for its failures. */
  struck: boolean;
}

/** How it stands, in the words of the screen; undefined where it was neither tested nor did anything. */
export function standOf({ touches, strikes, evidence, inForce, struck }: Work): string | undefined {
  if (struck) return `out after ${count(strikes, "failure")}`;
  if (inForce) return "kept";
  if (evidence?.decision === "revert") return "dropped";
  if (evidence?.decision === "keep") return "kept, and dropped later";
  return evidence || Object.keys(touches).length > 0 ? "too early" : undefined;
}

/** `name@hash`: a mechanism that was written for the run. */
export const isGenerated = (name: string): boolean => /^[a-z][a-z0-9-]*@[0-9a-f]{8}$/.test(name);

/** The mechanisms that are in force or were tried, with what they did; `facts` tell what they took. */
export function workOf(view: View, facts: readonly Fact[] = []): Work[] {
  const written = [...view.evidence.keys(), ...view.struck].filter(isGenerated);
  const names = [...new Set([...view.inForce, ...view.catalogue, ...written])];
  const counts = new Map<string, Record<string, number>>(names.map((name) => [name, {}]));
  for (const trial of view.trials)
    for (const { tap, did } of trial.touches) {
      const times = counts.get(tap);
      if (times && did !== "decided") times[did] = (times[did] ?? 0) + 1;
    }
  const costs = costsOf(view.level, facts);
  return names.map((name) => ({
    name,
    touches: counts.get(name) ?? {},
    ...(costs.get(name) ?? { calls: 0, ms: 0 }),
    strikes: facts.filter(({ type, level, plugin }) => type === "strike" && level === view.level && plugin === name)
      .length,
    evidence: view.evidence.get(name),
    inForce: view.inForce.includes(name),
    struck: view.struck.includes(name),
  }));
}

type Cost = Pick<Work, "calls" | "ms" | "fuel">;

/** What each plugin's taps took in a level: the last count of every session, all sessions together. */
function costsOf(level: string, facts: readonly Fact[]): Map<string, Cost> {
  const sessions: Record<string, Cost>[] = [{}];
  for (const { type, volatile } of facts) {
    if (type === "session") sessions.push({});
    if (volatile?.taps) sessions[sessions.length - 1] = volatile.taps as Record<string, Cost>;
  }
  const total = new Map<string, Cost>();
  for (const taps of sessions) {
    const mine = new Map<string, Cost>();
    for (const [key, { calls, ms, fuel }] of Object.entries(taps)) {
      const [of, plugin = ""] = key.split(" ");
      if (of !== level) continue;
      const known = mine.get(plugin) ?? { calls: 0, ms: 0 };
      mine.set(plugin, { calls: known.calls + calls, ms: known.ms + ms, ...(fuel === undefined ? {} : { fuel }) });
    }
    for (const [plugin, { calls, ms, fuel }] of mine) {
      const known = total.get(plugin) ?? { calls: 0, ms: 0 };
      total.set(plugin, {
        calls: known.calls + calls,
        ms: Math.round(known.ms + ms),
        ...(fuel === undefined ? {} : { fuel: (known.fuel ?? 0) + fuel }),
      });
    }
  }
  return total;
}
