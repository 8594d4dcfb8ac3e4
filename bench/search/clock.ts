/** Trials under way and the time they end at, by durations that are drawn: the same on every machine. */
export class Clock<T> {
  readonly #random: () => number;
  readonly #running: { until: number; trial: T }[] = [];
  #now = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  get running(): number {
    return this.#running.length;
  }

  begin(trial: T): void {
    this.#running.push({ until: this.#now + 5 + 15 * this.#random(), trial });
  }

  /** The one that ends first, which is under way no longer. */
  next(): T | undefined {
    this.#running.sort((a, b) => a.until - b.until);
    const first = this.#running.shift();
    this.#now = first?.until ?? this.#now;
    return first?.trial;
  }
}

/** Turns of the event loop without a new trial after which none is expected: more than the inner loop takes to begin one. */
const quiet = 8;

/** Slots of a loop whose trials end one after the other, in a clock's order: as soon as all are taken or no trial begins any more. */
export class Slots {
  readonly #count: number;
  readonly #clock: Clock<() => void>;
  #isMeasuring = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(count: number, random: () => number) {
    this.#count = count;
    this.#clock = new Clock(random);
  }

  /** Measures when it is this trial's turn to end. */
  async take<T>(measure: () => T | Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      this.#clock.begin(resolve);
      if (this.#clock.running === this.#count) this.#next();
      else this.#wait();
    });
    try {
      return await measure();
    } finally {
      this.#isMeasuring = false;
      this.#wait();
    }
  }

  #next(): void {
    const end = this.#clock.next();
    this.#isMeasuring = end !== undefined;
    end?.();
  }

  #wait(turns = quiet): void {
    clearTimeout(this.#timer);
    if (this.#isMeasuring || this.#clock.running === 0) return;
    this.#timer = setTimeout(() => (turns === 1 ? this.#next() : this.#wait(turns - 1)), 5);
  }
}
