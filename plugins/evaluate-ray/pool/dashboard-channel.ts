import { randomBytes } from "node:crypto";
import { EventEmitter, on } from "node:events";
import type { JobSubmissionClient } from "#ray-node-client";
import { messageOf } from "../../../core/index.ts";
import { answerMs, ChannelError, isLast, silenceMs, type Channel, type PoolEvent, type PoolHealth } from "./channel.ts";

/** What the driver is asked for, as it takes it. */
type Request =
  | { call: "trial"; key: string; spec: string; since: number }
  | { call: "stop" | "forget"; key: string }
  | { call: "health"; slots: number };

/** A call that is answered, perhaps by many values. */
interface Call {
  answers: EventEmitter<{ value: [unknown]; error: [ChannelError] }>;
  /** The number of the next value: a log that is read again repeats them. */
  next: number;
}

/** Where a pool is met that only the dashboard leads to. */
export interface Mailbox {
  client: JobSubmissionClient;
  /** The pool's job. */
  job: string;
  token: string;
  /** How the names of messages begin. */
  prefix: string;
}

/**
 * The way to a pool through the cluster's dashboard alone. Calls go as packages, which the driver reads and removes; its
 * answers are lines of its job's log. Slower than HTTP by a second at its first call, and by some 0.1 s from then on.
 */
export class DashboardChannel implements Channel {
  readonly #mailbox: Mailbox;
  readonly #sender = randomBytes(6).toString("hex");
  readonly #calls = new Map<string, Call>();
  #asked = 0;
  #outbox: (Request & { id: string })[] = [];
  #sending: Promise<void> | undefined;
  #sent = 0;
  /** Messages that the driver may not have read, by the calls in them. */
  readonly #unread = new Map<string, string>();
  #reading: AbortController | undefined;
  #isClosed = false;

  constructor(mailbox: Mailbox) {
    this.#mailbox = mailbox;
  }

  async *trial(key: string, spec: object, since: number, signal: AbortSignal): AsyncGenerator<PoolEvent> {
    const request: Request = { call: "trial", key, spec: JSON.stringify(spec), since };
    for await (const event of this.#answers(request, silenceMs, signal)) {
      if (event === null) continue; // the pool is there
      yield event as PoolEvent;
      if (isLast(event as PoolEvent)) return;
    }
  }

  async stop(key: string): Promise<void> {
    await this.#answer({ call: "stop", key });
  }

  async forget(key: string): Promise<void> {
    await this.#answer({ call: "forget", key });
  }

  async health(slots: number): Promise<PoolHealth> {
    try {
      return (await this.#answer({ call: "health", slots })) as PoolHealth;
    } catch (error) {
      this.#reading?.abort(); // the log may come over a connection that is dead: it is read again
      this.#reading = undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#reading?.abort();
    await this.#sending;
    // what nobody has read stays for ever, unless it was asked for: then the cluster removes it by and by
    const { client } = this.#mailbox;
    const signal = AbortSignal.timeout(answerMs);
    await Promise.allSettled([...new Set(this.#unread.values())].map((uri) => client.hasPackage(uri, { signal })));
  }

  async #answer(request: Request): Promise<unknown> {
    for await (const value of this.#answers(request, answerMs)) return value;
    throw new ChannelError("the pool gave no answer");
  }

  /** The values of an answer as they come; the next one within a time. */
  async *#answers(request: Request, withinMs: number, signal?: AbortSignal): AsyncGenerator {
    if (this.#isClosed) throw new ChannelError("the pool is not asked any more");
    const id = `${this.#sender}-${++this.#asked}`;
    const answers: Call["answers"] = new EventEmitter();
    answers.on("error", () => undefined); // a second one, before the first was taken, would go unheard
    const late = (): unknown => answers.emit("error", new ChannelError("the pool fell silent"));
    const timer = setTimeout(late, withinMs);
    try {
      const values = on(answers, "value", { signal });
      this.#calls.set(id, { answers, next: 0 });
      this.#read();
      this.#send({ id, ...request });
      for await (const [value] of values) {
        timer.refresh();
        yield value;
      }
    } catch (error) {
      throw error instanceof ChannelError ? error : new ChannelError(messageOf(error), { cause: error });
    } finally {
      clearTimeout(timer);
      this.#calls.delete(id);
    }
  }

  /** One message at a time, so that they arrive in order; what is asked meanwhile goes with the next one. */
  #send(call: Request & { id: string }): void {
    this.#outbox.push(call);
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined));
  }

  async #sendAll(): Promise<void> {
    const { client, token, prefix } = this.#mailbox;
    while (this.#outbox.length > 0) {
      const calls = this.#outbox.splice(0);
      const uri = `${prefix}${this.#sender}.${String(++this.#sent).padStart(9, "0")}`;
      for (const { id } of calls) this.#unread.set(id, uri);
      try {
        const bytes = Buffer.from(JSON.stringify({ token, calls }));
        await client.uploadPackage({ uri, bytes }, { replace: true, signal: AbortSignal.timeout(answerMs) });
      } catch (error) {
        for (const { id } of calls) this.#calls.get(id)?.answers.emit("error", new ChannelError(messageOf(error)));
      }
    }
  }

  /** Reads the job's log from its beginning, if it is not being read. */
  #read(): void {
    if (this.#reading) return;
    const reading = new AbortController();
    this.#reading = reading;
    void this.#readLog(reading.signal).then((failure) => {
      if (reading.signal.aborted) return;
      this.#reading = undefined;
      for (const { answers } of this.#calls.values()) answers.emit("error", failure);
    });
  }

  async #readLog(signal: AbortSignal): Promise<ChannelError> {
    const { client, job } = this.#mailbox;
    let rest = "";
    try {
      for await (const piece of client.tailJobLogs(job, { prefer: "stream", signal })) {
        const lines = (rest + piece).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) this.#take(line);
      }
      return new ChannelError("the pool's job has ended");
    } catch (error) {
      return new ChannelError(messageOf(error), { cause: error });
    }
  }

  #take(line: string): void {
    const [, id = "", number, value = ""] = /^bilevel-pool answer (\S+) (\d+) (.*)$/.exec(line) ?? [];
    this.#unread.delete(id);
    const call = this.#calls.get(id);
    if (!call || Number(number) !== call.next) return;
    call.next++;
    call.answers.emit("value", JSON.parse(value));
  }
}
