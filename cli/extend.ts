import type { BudgetLimits, Config, ResolvedConfig } from "../core/index.ts";
import { BilevelError, canonical, journalFile, readJournal } from "../core/index.ts";

/** What `bilevel resume` may be told: of the budget `130`, or `+100` for so much more; how many trials run at a time. */
export interface Extension {
  trials?: string;
  hours?: string;
  slots?: number;
}

/**
 * The config with the budget that the run goes on with: what is asked for here,
 * else what an earlier resume was told, unless the config was edited since the
 * run began. It is journaled with the time as the run goes on. Slots hold until the next resume.
 * @throws E_USAGE
 */
export function extended(
  resolved: ResolvedConfig,
  folder: string,
  { trials, hours, slots }: Extension,
): ResolvedConfig {
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
  if (slots !== undefined) setSlots(config, slots);
  return { ...resolved, config: { ...config, budget } };
}

/** In place: a level reads its options when asked. */
function setSlots({ levels: [inner] }: Config, slots: number): void {
  const options = inner?.options as { slots?: number } | undefined;
  if (options?.slots === undefined || !Number.isInteger(slots) || slots < 1)
    throw new BilevelError("E_USAGE", "is no number of trials at a time", {
      path: "bilevel resume --slots",
      received: String(slots),
      allowed: options?.slots === undefined ? "nothing: this run takes one at a time" : "an integer, 1 or more",
    });
  options.slots = slots;
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
