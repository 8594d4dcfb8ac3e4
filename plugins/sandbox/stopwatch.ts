/**
 * Time since it was made, in milliseconds: by the clock, or of the processor for
 * this process, whichever is less. What computes for ever takes both; what waits
 * for a busy machine, or in a process that was stopped, is not slow.
 */
export class Stopwatch {
  readonly #from = performance.now(); // a clock that stands still while the computer sleeps
  readonly #before = process.cpuUsage();

  get ms(): number {
    const { user, system } = process.cpuUsage(this.#before);
    return Math.min(performance.now() - this.#from, (user + system) / 1000);
  }
}
