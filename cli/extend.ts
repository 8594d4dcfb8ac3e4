import type { BudgetLimits, ResolvedConfig } from "../core/index.ts";
import { BilevelError, canonical, journalFile, readJournal } from "../core/index.ts";

/** What `bilevel resume` may be told of the budget: `130`, or `+100` for so much more. */
export interface Extension {
  trials?: string;
  hours?: string;
}

/**
 * The config with the budget that the run goes on with: what is asked for here,
 * else what an earlier resume was told, unless the config was edited since the
 * run began. It is journaled with the time as the run goes on.
 * @throws E_USAGE
 */
export function extended(resolved: ResolvedConfig, folder: string, { trials, hours }: Extension): ResolvedConfig {
  const { facts } = readJournal(journalFile(folder));
  const given = (facts[0]?.config as { budget?: BudgetLimits } | undefined)?.budget ?? {};
  const last = (facts.findLast(({ budget }) => budget !== undefined)?.budget ?? {}) as BudgetLimits;
  const { config } = resolved;
  const isEdited = canonical(JSON.parse(JSON.stringify(config.budget))) !== canonical(given);
  const under = isEdited ? config.budget : { ...config.budget, ...last };
  const budget = {
    ...under,
    ...(trials === undefined ? {} : { trials: amountOf("--trials", trials, under.trials, /^\+?\d+$/) }),
    ...(hours === undefined ? {} : { hours: amountOf("--hours", hours, under.hours, /^\+?\d+(\.\d+)?$/) }),
  };
  return { ...resolved, config: { ...config, budget } };
}

function amountOf(option: string, text: string, before: number | undefined, form: RegExp): number {
  const isMore = text.startsWith("+");
  if (!form.test(text) || (isMore && before === undefined) || Number(text) === 0)
    throw new BilevelError("E_USAGE", "is no budget", {
      path: `bilevel resume ${option}`,
      received: text,
      allowed: before === undefined ? "a number above 0" : `a number above 0, or +N for more than the ${before} so far`,
    });
  return Number(text) + (isMore ? (before ?? 0) : 0);
}
