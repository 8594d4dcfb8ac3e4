import type { BudgetLimits } from "./contract.ts";

export type Resource = "trials" | "hours" | "tokens" | "usd";

/** What may be spent and what has been: everything charged here is charged to the parent too, and nothing may be spent that the parent does not have. */
export class Budget {
  limits: BudgetLimits; // may be raised when a run is resumed
  readonly parent?: Budget;
  #used: Record<Resource, number> = { trials: 0, hours: 0, tokens: 0, usd: 0 };

  constructor(limits: BudgetLimits, parent?: Budget) {
    this.limits = limits;
    this.parent = parent;
  }

  charge(resource: Resource, amount: number): void {
    this.#used[resource] += amount;
    this.parent?.charge(resource, amount);
  }

  used(resource: Resource): number {
    return this.#used[resource];
  }

  /** What is left of it here and in every parent; Infinity without a limit. */
  left(resource: Resource): number {
    const own = (this.limits[resource] ?? Infinity) - this.#used[resource];
    return Math.min(own, this.parent?.left(resource) ?? Infinity);
  }

  /** The first resource that is used up, in words, or undefined. */
  spent(): string | undefined {
    for (const [resource, limit] of Object.entries(this.limits) as [keyof BudgetLimits, number][])
      if (resource !== "stallTrials" && this.#used[resource] >= limit)
        return `the budget of ${limit} ${resource === "usd" ? "US dollars" : resource} is used up`;
    return this.parent?.spent();
  }
}
