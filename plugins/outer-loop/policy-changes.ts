import type { Policy, TaskChange, Trial, View } from "../../core/index.ts";
import { canonical } from "../../core/index.ts";
import { policyLimits } from "../policy-llm/index.ts";
import type { Proposal } from "./bandit.ts";

/** A parameter changed so often without a keep may be frozen. */
const triedForNothing = 3;

/** A rate of success is told by so many trials at least. */
const leastRecent = 5;

const strategies = ["explore", "balanced", "exploit"];

/** Why this policy must not be tried in that loop, or undefined. */
export function policyProblem(policy: Partial<Policy>, target: View): string | undefined {
  const names = Object.keys(target.space?.parameters ?? {});
  const unknown = [...(policy.frozen ?? []), ...(policy.focus ?? [])].find((name) => !names.includes(name));
  if (unknown !== undefined) return `there is no parameter ${unknown}`;
  const frozen = new Set(policy.frozen ?? target.policy.frozen);
  const { newlyFrozen, free } = policyLimits;
  const added = [...frozen].filter((name) => !target.policy.frozen.includes(name));
  if (added.length > newlyFrozen) return `at most ${newlyFrozen} more parameters may be frozen at a time`;
  if (frozen.size > 0 && names.length - frozen.size < free) return `at least ${free} parameters must stay free`;
  if (policy.strategy !== undefined && !strategies.includes(policy.strategy))
    return `strategy is one of ${strategies.join(", ")}`;
  return undefined;
}

interface Record {
  tried: number;
  kept: number;
}

/** For each parameter: in how many trials it was changed, and what came of it. */
function recordsOf(target: View): Map<string, Record> {
  const records = new Map<string, Record>(
    Object.keys(target.space?.parameters ?? {}).map((name) => [name, { tried: 0, kept: 0 }]),
  );
  for (const trial of target.trials as Iterable<Trial<TaskChange>>) {
    if (trial.id === 0 || trial.repeatOf !== undefined) continue;
    const before = (target.trial(trial.parent) as Trial<TaskChange> | undefined)?.candidate.values ?? {};
    for (const [name, value] of Object.entries(trial.candidate.values ?? {})) {
      const record = records.get(name);
      if (!record || canonical(before[name]) === canonical(value)) continue;
      record.tried++;
      if (trial.verdict?.decision === "keep") record.kept++;
    }
  }
  return records;
}

/**
 * The policies that simple rules suggest: freeze what was changed three times
 * for nothing, give back what has been frozen longest, prefer what was kept,
 * and longer or shorter steps by the rate of success (Rechenberg's one-fifth
 * rule, Evolutionsstrategie, 1973).
 */
export function policyChanges(target: View): Proposal[] {
  const of = target.level;
  const { frozen, focus, strategy } = target.policy;
  const records = [...recordsOf(target)];
  const propose = (policy: Partial<Policy>, why: string): Proposal => ({ change: { of, policy }, why });
  const proposals: Proposal[] = [];
  const hopeless = records
    .filter(([name, { tried, kept }]) => !frozen.includes(name) && tried >= triedForNothing && kept === 0)
    .sort(([, a], [, b]) => b.tried - a.tried);
  const [worst] = hopeless;
  if (worst)
    proposals.push(
      propose({ frozen: [...frozen, worst[0]] }, `${worst[0]} was changed ${worst[1].tried} times for nothing`),
    );
  const [longest, ...rest] = frozen;
  if (longest !== undefined && hopeless.length === 0)
    proposals.push(propose({ frozen: rest }, `${longest} has been frozen long enough`));
  const kept = records
    .filter(([name, record]) => !frozen.includes(name) && record.kept > 0)
    .map(([name]) => name)
    .slice(0, 3);
  if (kept.length > 0 && canonical([...kept].sort()) !== canonical([...focus].sort()))
    proposals.push(propose({ focus: kept }, `changes of ${kept.join(", ")} were kept`));
  const recent = target.trials.last(10).filter((trial) => trial.id !== 0 && trial.repeatOf === undefined);
  const success = recent.filter((trial) => trial.verdict?.decision === "keep").length / Math.max(1, recent.length);
  const wanted = success > 0.2 ? "explore" : "exploit";
  if (recent.length >= leastRecent && strategy !== wanted)
    proposals.push(
      propose(
        { strategy: wanted },
        `${Math.round(success * 100)} % of the last trials were kept: ${wanted === "explore" ? "longer" : "shorter"} steps`,
      ),
    );
  return proposals.filter(({ change }) => policyProblem(change.policy ?? {}, target) === undefined);
}
