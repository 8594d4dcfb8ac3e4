import { messageOf } from "../../../core/index.ts";

/** What becomes of a trial in the pool. `ended` and `lost` are last; after `ended` its runner has said how. */
export type PoolEvent =
  | { event: "queued" }
  | { event: "started"; queuedSeconds: number; host: string; gpus: readonly string[] }
  /** A piece of what the runner printed: frames, whole or not. */
  | { event: "output"; text: string }
  | { event: "ended" }
  /** Through no fault of the trial. */
  | { event: "lost"; reason: string };

/** What a pool says of itself. */
export interface PoolHealth {
  /** Workers that there are. */
  workers: number;
  /** Trials that wait or run. */
  trials: number;
}

/** There is no way to the pool just now; what runs there may still run. */
export class ChannelError extends Error {}

/** The way to a pool. Every call may throw `ChannelError`, and is safe to repeat, on another way too. */
export interface Channel {
  /**
   * Starts a trial, or joins it where the pool knows its key, whatever has become of it; gives its events from the
   * `since`-th on. Without a last event the way was cut.
   */
  trial(key: string, spec: object, since: number, signal: AbortSignal): AsyncIterable<PoolEvent>;
  /** Asks a trial to end; its events tell when it has. */
  stop(key: string): Promise<void>;
  /** The trial's outcome is safe: the pool need not keep it. */
  forget(key: string): Promise<void>;
  /** Also tells the pool that its controller is there, and how many workers it wants. */
  health(slots: number): Promise<PoolHealth>;
  /** Nothing is asked any more. */
  close(): Promise<void>;
}

/** For a call that is answered at once, and for the next sign of life in a stream: a pool gives one every 10 s. */
export const answerMs = 15_000;
export const silenceMs = 30_000;
/** For a first answer: a network without a way to the pool may swallow what is sent there. */
const firstAnswerMs = 5000;

/** Whether nothing follows an event. */
export const isLast = (event: PoolEvent | undefined): boolean => event?.event === "ended" || event?.event === "lost";

/** The way over HTTP, straight to the driver of the pool. */
export class HttpChannel implements Channel {
  readonly #address: string;
  readonly #headers: Readonly<Record<string, string>>;
  #hasAnswered = false;

  constructor(address: string, token: string) {
    this.#address = address.replace(/\/+$/, "");
    this.#headers = { authorization: `Bearer ${token}` };
  }

  async *trial(key: string, spec: object, since: number, signal: AbortSignal): AsyncGenerator<PoolEvent> {
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(new Error("the pool fell silent")), silenceMs);
    try {
      const path = `/trials/${encodeURIComponent(key)}?since=${since}`;
      const either = AbortSignal.any([silence.signal, signal]);
      const answer = await this.#call("PUT", path, either, JSON.stringify(spec));
      const decoder = new TextDecoder();
      let rest = "";
      for await (const bytes of answer.body ?? []) {
        timer.refresh();
        const lines = (rest + decoder.decode(bytes as Uint8Array, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (line !== "") yield JSON.parse(line) as PoolEvent;
      }
    } catch (error) {
      throw error instanceof ChannelError ? error : new ChannelError(messageOf(error), { cause: error });
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  async stop(key: string): Promise<void> {
    await this.#call("POST", `/trials/${encodeURIComponent(key)}/stop`);
  }

  async forget(key: string): Promise<void> {
    await this.#call("DELETE", `/trials/${encodeURIComponent(key)}`);
  }

  async health(slots: number): Promise<PoolHealth> {
    const signal = AbortSignal.timeout(this.#hasAnswered ? answerMs : firstAnswerMs);
    const health = (await (await this.#call("GET", `/healthz?slots=${slots}`, signal)).json()) as PoolHealth;
    this.#hasAnswered = true;
    return health;
  }

  async close(): Promise<void> {
    // each call has a connection that ends with it
  }

  async #call(method: string, path: string, signal = AbortSignal.timeout(answerMs), body?: string): Promise<Response> {
    try {
      const answer = await fetch(this.#address + path, { method, headers: this.#headers, body, signal });
      if (answer.ok) return answer;
      throw new ChannelError(`the pool answered ${answer.status}: ${await answer.text()}`);
    } catch (error) {
      throw error instanceof ChannelError ? error : new ChannelError(messageOf(error), { cause: error });
    }
  }
}
