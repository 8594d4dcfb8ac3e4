import type { BudgetLimits } from "../../core/index.ts";
import { costOf, noUsage, sum, type Price, type Usage } from "./usage.ts";

/** Without a budget in the config a run may spend this much. */
export const usual = { usd: 5, tokens: 2_000_000 } as const;

/** What the model may cost: what was spent, what calls under way may still take, and the limits of both together. */
export class Purse {
  readonly limits: Pick<BudgetLimits, "tokens" | "usd">;
  /** False where the config sets no limit, and the usual one holds. */
  readonly isGiven: boolean;
  #spent = { tokens: 0, usd: 0 };
  #committed = { tokens: 0, usd: 0 };

  /** `price`: whether dollars can be counted at all. */
  constructor({ tokens, usd }: BudgetLimits, hasPrice: boolean) {
    this.isGiven = tokens !== undefined || usd !== undefined;
    // dollars that cannot be counted are no limit
    const counted = this.isGiven ? { tokens, usd: hasPrice ? usd : undefined } : hasPrice ? { usd: usual.usd } : {};
    const isLimited = counted.tokens !== undefined || counted.usd !== undefined;
    this.limits = isLimited ? counted : { tokens: usual.tokens };
  }

  /** Counts what was taken, whenever that was. */
  spend({ input, output }: Usage, usd = 0): void {
    this.#spent = { tokens: this.#spent.tokens + input + output, usd: this.#spent.usd + usd };
  }

  /**
   * Holds back what a call may take at most; the limit that it could break, or
   * how to give back what it did not take, once it is over.
   */
  commit(most: Usage, price: Price | undefined): { broken: string } | { release(): void } {
    const { tokens = Infinity, usd = Infinity } = this.limits;
    const next = { tokens: most.input + most.output, usd: price ? costOf(most, price) : 0 };
    const [spent, committed] = [this.#spent, this.#committed];
    if (spent.tokens + committed.tokens + next.tokens > tokens)
      return { broken: `the budget of ${tokens.toLocaleString("en")} tokens is used up` };
    if (spent.usd + committed.usd + next.usd > usd) return { broken: `the budget of ${usd} dollars is used up` };
    this.#add(next, 1);
    return { release: () => this.#add(next, -1) };
  }

  #add(amount: { tokens: number; usd: number }, sign: 1 | -1): void {
    const { tokens, usd } = this.#committed;
    this.#committed = { tokens: tokens + sign * amount.tokens, usd: usd + sign * amount.usd };
  }
}

/** Tokens of a text, four characters each: servers that count say it better, afterwards. */
export const tokensIn = (text: string): number => Math.ceil(text.length / 4);

/** What a call may take at most. */
export const mostOf = (messages: readonly { content: string }[], maxTokens: number): Usage =>
  sum([
    ...messages.map(({ content }) => ({ ...noUsage, input: tokensIn(content) })),
    { ...noUsage, output: maxTokens },
  ]);
