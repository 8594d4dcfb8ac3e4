import type { Trial, View } from "../../core/index.ts";
import { canonical } from "../../kit/index.ts";
import type { Described, Head, Message, Start } from "./protocol.ts";
import { headOf, textOf } from "./messages.ts";
import { limits, plainText } from "./protocol.ts";
import type { Answer, Sandbox } from "./sandbox.ts";
import type { Job } from "./worker.ts";

/** Ticks of the engine that a call may take (a million turns of an empty loop are some 200), and how long it may take on any machine. */
export const allowed = {
  load: { fuel: 1000, patienceMs: 10_000 },
  fold: { fuel: 1000, patienceMs: 10_000 },
  propose: { fuel: 1000, patienceMs: 10_000 },
  refine: { fuel: 200, patienceMs: 2_000 },
  decide: { fuel: 50, patienceMs: 2_000 },
} as const;

export type Allowance = (typeof allowed)[keyof typeof allowed];

const longestReason = 600;

/** A call without an answer. `isFinal`: the mechanism could not be loaded or could not learn from a trial, so it has no state to go on with. */
export class GuestFailure extends Error {
  readonly kind: Extract<Answer, { failed: unknown }>["failed"];
  readonly isFinal: boolean;

  constructor({ failed, reason }: Extract<Answer, { failed: unknown }>, during: string, isFinal: boolean) {
    super(`${during}: ${plainText(reason, longestReason)}`);
    this.kind = failed;
    this.isFinal = isFinal;
  }
}

/**
 * One generated mechanism in one loop, as the host sees it. Its state is a fold:
 * `note` takes down every finished trial, and the next call sends on those that
 * its machine has not seen. A machine that was lost is built again from the
 * first trial on, so nothing but the trials needs to be kept.
 */
export class Machine {
  readonly #sandbox: Sandbox;
  readonly #number: number;
  readonly #code: string;
  readonly #start: Start;
  readonly #past: { trial: Trial; view: View }[] = [];
  #sent = 0;
  #folded = 0;
  #head: Partial<Record<keyof Head, string>> = {};
  #told?: View;
  /** Ticks of the engine used by its calls so far; building a lost machine again is not counted. */
  fuel = 0;

  constructor(sandbox: Sandbox, code: string, start: Start) {
    this.#sandbox = sandbox;
    this.#number = sandbox.reserve();
    this.#code = code;
    this.#start = start;
  }

  note(trial: Trial, view: View): void {
    this.#past.push({ trial, view });
  }

  /** What the file says of itself. @throws GuestFailure */
  describe(): Promise<Described> {
    return this.#sandbox.inOrder(async () => {
      const [answer] = await this.#sandbox.run(this.#number, [{ ...allowed.load, load: this.#code }]);
      await this.#sandbox.drop(this.#number); // it was not started: the next call builds it again
      return valueOf(answer, "loading it", true) as Described;
    });
  }

  /** Brings the machine up to date and asks it. `view` is left out where the message has none. @throws GuestFailure */
  async call(
    message: (head: Partial<Head>) => Message,
    view: View | undefined,
    allowance: Allowance,
  ): Promise<unknown> {
    const [answer] = await this.callAll([message], view, allowance);
    return answer;
  }

  /** Several messages in one go, as far as the first that fails. @throws GuestFailure */
  callAll(
    messages: readonly ((head: Partial<Head>) => Message)[],
    view: View | undefined,
    allowance: Allowance,
  ): Promise<unknown[]> {
    return this.#sandbox.inOrder(async () => {
      await this.#catchUp();
      const jobs = messages.map((message) => ({
        ...allowance,
        text: textOf(message(view ? this.#changes(view) : {})),
      }));
      const long = jobs.find(({ text }) => text.length > limits.text);
      if (long) {
        [this.#head, this.#told] = [{}, undefined]; // nothing of it reached the guest
        throw new GuestFailure(tooLong(long.text), "asked", false);
      }
      const answers = await this.#sandbox.run(this.#number, jobs);
      for (const { fuel } of answers) this.fuel += fuel;
      return answers.map((answer) => valueOf(answer, "asked", false));
    });
  }

  drop(): Promise<void> {
    return this.#sandbox.inOrder(() => this.#sandbox.drop(this.#number));
  }

  async #catchUp(): Promise<void> {
    const steps: { job: Omit<Job, "vm">; during: string; isNew: boolean }[] = [];
    if (!this.#sandbox.isAlive(this.#number)) {
      [this.#sent, this.#head, this.#told] = [0, {}, undefined];
      const start = textOf({ do: "start", start: this.#start });
      if (start.length > limits.text) throw new GuestFailure(tooLong(start), "loading it", true);
      for (const job of [{ load: this.#code }, { text: start }])
        steps.push({ job: { ...allowed.load, ...job }, during: "loading it", isNew: this.#folded === 0 });
    }
    for (; this.#sent < this.#past.length; this.#sent++) {
      const { trial, view } = this.#past[this.#sent] as { trial: Trial; view: View };
      const isNew = this.#sent >= this.#folded;
      // what was folded once must fold again: where the count of ticks begins may differ by one
      const fuel = isNew ? allowed.fold.fuel : 2 * allowed.fold.fuel;
      const job = { ...allowed.fold, fuel, text: textOf({ do: "fold", trial, head: this.#changes(view) }) };
      steps.push({ job, during: `reflect on trial ${trial.id}`, isNew });
    }
    if (steps.length === 0) return;
    const answers = await this.#sandbox.run(
      this.#number,
      steps.map(({ job }) => job),
    );
    for (const [index, { during, isNew }] of steps.entries()) {
      valueOf(answers[index], during, true);
      if (isNew) this.fuel += answers[index]?.fuel ?? 0;
    }
    this.#folded = this.#sent;
  }

  /** What the guest does not know yet of a view. */
  #changes(view: View): Partial<Head> {
    if (view === this.#told) return {};
    this.#told = view;
    const head = headOf(view);
    const changed = (Object.keys(head) as (keyof Head)[]).filter((key) => {
      const text = canonical(head[key]);
      if (this.#head[key] === text) return false;
      this.#head[key] = text;
      return true;
    });
    return Object.fromEntries(changed.map((key) => [key, head[key]]));
  }
}

const tooLong = ({ length }: string) => ({
  failed: "size" as const,
  reason: `what it would be told has ${length} characters; ${limits.text} are allowed`,
  fuel: 0,
});

function valueOf(answer: Answer | undefined, during: string, isFinal: boolean): unknown {
  if (!answer) throw new GuestFailure({ failed: "gone", reason: "there was no answer", fuel: 0 }, during, false);
  if ("failed" in answer) throw new GuestFailure(answer, during, isFinal && answer.failed !== "gone");
  return (JSON.parse(answer.text) as { value?: unknown }).value;
}
