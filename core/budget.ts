/** Trials that may be spent and that have been: each is charged to the parent too, and nothing may be spent that the parent does not have. */
export class Budget {
  limit: number; // may be raised when a run is resumed
  readonly parent?: Budget;
  #used = 0;

  constructor(limit = Infinity, parent?: Budget) {
    this.limit = limit;
    this.parent = parent;
  }

  charge(trials: number): void {
    this.#used += trials;
    this.parent?.charge(trials);
  }

  get used(): number {
    return this.#used;
  }

  /** What is left here and in every parent; Infinity without a limit. */
  get left(): number {
    return Math.min(this.limit - this.#used, this.parent?.left ?? Infinity);
  }
}
