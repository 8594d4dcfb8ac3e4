import type { CommandModule } from "yargs";
import type { Config, Entry, Fact, Stack, Trial } from "../core/index.ts";
import {
  answerOf,
  BilevelError,
  buildStack,
  canonical,
  digest,
  evidenceOf,
  judgeTurn,
  planTurn,
  repeatOf,
} from "../core/index.ts";
import { count } from "../kit/text.ts";
import type { CommonArguments } from "./run.ts";
import { readRun, runWithConfig } from "./runs.ts";

export const replayVerb: CommandModule<object, CommonArguments & { run?: string }> = {
  command: "replay [run]",
  describe: "compute every decision of a run again and compare",
  builder: (args) => args.positional("run", { type: "string" }) as never,
  async handler({ cwd, config: named, run, json }) {
    const { resolved, folder } = await runWithConfig({ cwd, config: named, run });
    const decisions = await replay(folder, resolved.config);
    console.log(
      json
        ? JSON.stringify({ decisions, differences: 0 })
        : `${count(decisions, "decision")} computed again, no difference`,
    );
  },
};

/**
 * Recomputes every plan, verdict and evidence of a journal at its recorded
 * position, from the facts before it.
 * @throws E_REPLAY_DIFFERS at the first difference
 */
export async function replay(folder: string, config: Config): Promise<number> {
  const { facts } = readRun(folder);
  const answers = new Map(facts.filter(({ type }) => type === "once").map((fact) => [String(fact.key), fact]));
  const once = <T>(scope: string, kind: string, request: unknown, run: () => Promise<T>): Promise<T> => {
    const fact = answers.get(digest(canonical([scope, kind, request])));
    if (fact) return Promise.resolve(answerOf(folder, fact) as T);
    if (kind === "failure") return run(); // only failures of calls are recorded: this one had none
    throw new BilevelError("E_REPLAY_DIFFERS", `${scope} asked for ${kind} with a request that is not in the journal`, {
      received: canonical(request).slice(0, 200),
    });
  };
  const stackOf = (recorded: unknown) =>
    buildStack(asRecorded(config, recorded), folder, once, new AbortController().signal, () => undefined);
  let stack = stackOf(facts[0]?.config);
  const bySeen = Map.groupBy(
    facts.filter(({ type }) => ["turn", "verdict", "pair"].includes(type)),
    (fact) => fact.seen as number,
  );
  let decisions = 0;
  for (const [index, fact] of facts.entries()) {
    if (index > 0 && fact.config !== undefined) {
      // from here on with wider ranges or other slots: all that is known was folded anew with them
      stack = stackOf(fact.config);
      for (const earlier of facts.slice(0, index)) stack.fold(earlier);
    }
    stack.fold(fact);
    const waiting = [...(bySeen.get(fact.n) ?? [])];
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      const [entry, ...more] = await recompute(stack, one);
      compare(one, entry);
      for (const next of more) {
        const at = waiting.findIndex(({ type, level }) => type === next.type && level === next.level);
        compare(waiting.splice(at, 1)[0] ?? one, next);
      }
      decisions += 1 + more.length;
    }
  }
  return decisions;
}

/** The config as it was then, where a run went on with a changed one. Options of a level are set in place: it reads them when asked. */
function asRecorded(config: Config, recorded: unknown): Config {
  const { objective, space, levels } = recorded as {
    objective: Config["objective"];
    space?: Config["space"];
    levels: { options?: { slots?: number; ahead?: number } }[];
  };
  const options = config.levels[0]?.options as { slots?: number; ahead?: number } | undefined;
  const { slots, ahead } = levels[0]?.options ?? {};
  if (options && slots !== undefined) Object.assign(options, { slots, ahead });
  const { target, limits } = objective;
  return {
    ...config,
    objective: { ...config.objective, target, limits },
    ...(config.space && space ? { space: { ...config.space, parameters: space.parameters } } : {}),
  };
}

/** What the engine would write in this fact's place; of a pair, both verdicts. */
async function recompute(stack: Stack, fact: Fact): Promise<Entry[]> {
  const context = stack.contexts.find(({ ledger }) => ledger.setup.name === fact.level);
  if (!context) return [];
  const { ledger } = context;
  const seen = fact.seen as number;
  if (fact.type === "verdict") {
    const turn = [...ledger.turns.values()].find(({ trials }) => trials.includes(fact.trial as number));
    return turn ? judgeTurn(context, turn, seen) : [];
  }
  if (fact.type === "pair") {
    const turn = ledger.turns.get(fact.turn as number);
    const entry = turn && evidenceOf(context, turn, seen);
    return entry ? [entry] : [];
  }
  const [first] = fact.trials as Trial[];
  const segment = fact.segment === undefined ? undefined : ledger.segments.get(fact.segment as string);
  if (first?.by === "baseline" && first.repeatOf === undefined) return [{ ...(fact as unknown as Entry) }];
  if (first?.repeatOf !== undefined) {
    const confirms = first.confirms ? { confirms: true as const, seed: first.seed } : {};
    return [repeatOf(context, first.repeatOf, seen, { ...(segment ? { segment: segment.id } : {}), ...confirms })];
  }
  const plan = segment && (await planTurn(context, segment, seen));
  return plan ? [plan] : [];
}

const decided = ({ n: _, volatile: __, ...rest }: Partial<Fact>): unknown => JSON.parse(JSON.stringify(rest));

function compare(recorded: Fact, computed: Entry | undefined): void {
  const [then, now] = [canonical(decided(recorded)), computed ? canonical(decided(computed)) : "nothing"];
  if (then === now) return;
  let at = 0;
  while (then[at] === now[at]) at++;
  const from = Math.max(0, at - 40);
  throw new BilevelError(
    "E_REPLAY_DIFFERS",
    `fact ${recorded.n} (${recorded.type} of level ${recorded.level}, trial ${String(recorded.trial ?? (recorded.trials as Trial[] | undefined)?.[0]?.id ?? "")}) is not what its past gives`,
    {
      path: `journal line ${recorded.n + 1}`,
      received: `…${then.slice(from, at + 80)}`,
      allowed: `…${now.slice(from, at + 80)}`,
      hint: "the journal or the code has changed since it was written",
    },
  );
}
