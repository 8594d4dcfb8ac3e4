import { setTimeout } from "node:timers/promises";
import type { OpenAI } from "openai";
import type { ChatCompletionCreateParamsNonStreaming } from "openai/resources/chat/completions";
import { messageOf } from "../../core/index.ts";
import { fromStream, fromWhole, saidIn, usageIn, type Completion, type Failure, type Said } from "./completion.ts";
import { mostOf, tokensIn } from "./purse.ts";
import { redacted } from "../../kit/text.ts";
import type { Usage } from "./usage.ts";

export interface ClientOptions {
  baseURL?: string;
  apiKey?: string;
  temperature?: number;
  maxTokens: number;
  timeoutSeconds: number;
  retries: number;
  concurrency: number;
  stream: boolean;
}

export interface Call {
  model: string;
  messages: readonly { role: "system" | "user" | "assistant"; content: string }[];
  form: object;
  maxTokens: number;
  /** Once aborted, the try under way is the last: what it answers is paid for. */
  signal?: AbortSignal;
}

export type CallAnswer = { faults: string[]; usage?: Usage } & (Said | { failure: Failure });

/** How an answer's form is asked for, from the strictest on. */
const forms = ["schema", "object", "text"] as const;

/** How a server wants to be asked; what it refuses is found out once, and asked otherwise from then on. */
interface Habits {
  form: number;
  /** OpenAI's newer models refuse the older name, other servers the newer one. */
  limit: "max_tokens" | "max_completion_tokens";
  isLimitTried: boolean;
  hasTemperature: boolean;
  stream: boolean;
}

const longestWaitMs = 60_000;
const longestReason = 300;

/** Calls of one server: bounded in time and number, and tried again where that helps. */
export class Client {
  readonly #options: ClientOptions;
  #openai?: Promise<OpenAI>;
  #habits: Habits;
  #running = 0;
  #waiting: (() => void)[] = [];

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#habits = {
      form: 0,
      limit: options.baseURL === undefined ? "max_completion_tokens" : "max_tokens",
      isLimitTried: false,
      hasTemperature: options.temperature !== undefined,
      stream: options.stream,
    };
  }

  /** One answer, with what went wrong before it. Never throws. */
  async call(call: Call): Promise<CallAnswer> {
    while (this.#running >= this.#options.concurrency)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      return await this.#tries(call);
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async #tries(call: Call): Promise<CallAnswer> {
    const faults: string[] = [];
    for (let tries = 0; ;) {
      if (call.signal?.aborted)
        return { failure: { reason: faults.at(-1) ?? "the run was stopped", isFinal: false }, faults };
      const habits = this.#habits;
      try {
        const completion = await this.#post(call, habits);
        const said = saidIn(completion);
        const text = "text" in said ? said.text : "";
        const usage = usageIn(completion, { ...mostOf(call.messages, 0), output: tokensIn(text) });
        return "text" in said ? { ...said, usage, faults } : { failure: said, usage, faults };
      } catch (error) {
        const reason = this.#reasonOf(error);
        faults.push(reason);
        if (this.#adapt(error, habits)) continue;
        const [isFinal, ms] = [isFinalError(error), waitMs(error, tries)];
        if (isFinal || tries >= this.#options.retries || ms > longestWaitMs)
          return { failure: { reason, isFinal }, faults };
        await setTimeout(ms, undefined, { signal: call.signal }).catch(() => undefined);
        tries++;
      }
    }
  }

  async #post({ model, messages, form, maxTokens }: Call, habits: Habits): Promise<Completion> {
    const { temperature, timeoutSeconds } = this.#options;
    const mode = forms[habits.form];
    const told = `Answer with one JSON object of this form (JSON Schema), and nothing else:\n${JSON.stringify(form)}`;
    const body = {
      model,
      messages: messages.map((message, index) =>
        index === 0 && mode !== "schema" ? { ...message, content: `${message.content}\n\n${told}` } : message,
      ),
      [habits.limit]: maxTokens,
      ...(habits.hasTemperature ? { temperature } : {}),
      ...(mode === "schema"
        ? { response_format: { type: "json_schema", json_schema: { name: "answer", schema: form } } }
        : {}),
      ...(mode === "object" ? { response_format: { type: "json_object" } } : {}),
    } as ChatCompletionCreateParamsNonStreaming;
    this.#openai ??= this.#connect();
    const { completions } = (await this.#openai).chat;
    // the package's own limit begins anew with every byte of a slow answer; this one does not
    const signal = AbortSignal.timeout(timeoutSeconds * 1000);
    if (!habits.stream) return fromWhole(await completions.create(body, { signal }));
    const streamed = { ...body, stream: true, stream_options: { include_usage: true } } as const;
    const completion = await fromStream(await completions.create(streamed, { signal }));
    if (signal.aborted) throw signal.reason as Error; // the package ends a stream that is aborted as if it were whole
    return completion;
  }

  async #connect(): Promise<OpenAI> {
    const { OpenAI } = await import("openai"); // a quarter of a second: only where there is a model
    const { baseURL, apiKey, timeoutSeconds } = this.#options;
    return new OpenAI({
      baseURL,
      apiKey: apiKey ?? "none",
      ...(apiKey === undefined ? { defaultHeaders: { Authorization: null } } : {}),
      // what the environment names is OpenAI's own, and no other server's business
      ...(baseURL === undefined ? {} : { organization: null, project: null }),
      timeout: timeoutSeconds * 1000,
      maxRetries: 0,
      logLevel: "off",
    });
  }

  /** True where the server refused a way of asking that there is another one for. */
  #adapt(error: unknown, used: Habits): boolean {
    const { status, message = "" } = error as { status?: number; message?: string };
    if (status !== 400 && status !== 422 && status !== 501) return false;
    const now = this.#habits;
    const change = (habits: Partial<Habits>): true => {
      if (now === used) this.#habits = { ...now, ...habits }; // else another call has found it out meanwhile
      return true;
    };
    if (/response_format|json_schema|json_object|structured|grammar|schema/i.test(message))
      return used.form < forms.length - 1 && change({ form: used.form + 1 });
    if (/max_(completion_)?tokens/.test(message))
      return (
        !used.isLimitTried &&
        change({ limit: used.limit === "max_tokens" ? "max_completion_tokens" : "max_tokens", isLimitTried: true })
      );
    if (/temperature/i.test(message)) return used.hasTemperature && change({ hasTemperature: false });
    if (/stream/i.test(message)) return !used.stream && change({ stream: true });
    return false;
  }

  #reasonOf(error: unknown): string {
    const isAnswered = (error as { status?: number }).status !== undefined; // a gateway's "timeout" is not ours
    if (!isAnswered && error instanceof Error && /abort|timeout/i.test(error.name + error.message))
      return `no answer within ${this.#options.timeoutSeconds} s`;
    const text = [messageOf(error), ...causesOf(error)].join(" ");
    return redacted(text, this.#options.apiKey).replace(/\s+/g, " ").trim().slice(0, longestReason);
  }
}

/** Of a connection that failed: the package says no more than that it did; the last cause says why. */
function causesOf(error: unknown): string[] {
  let last = error;
  while (last instanceof Error && last.cause !== undefined) last = last.cause;
  const { errors = [last] } = (last ?? {}) as { errors?: unknown[] }; // of a name with several addresses
  return last === error ? [] : [messageOf(errors[0])];
}

/** A rejected key, an account without means, a model that is not there. */
function isFinalError(error: unknown): boolean {
  const { status, code, type } = error as { status?: number; code?: string | null; type?: string };
  if (status === undefined) return false;
  return [401, 402, 403, 404].includes(status) || code === "insufficient_quota" || type === "insufficient_quota";
}

/** As the server asked (seconds, milliseconds or a date), which may be too long to wait; or twice as long each time, from half a second on. */
function waitMs(error: unknown, tries: number): number {
  const { headers } = error as { headers?: Headers };
  const after = headers?.get("retry-after") ?? "";
  const asked = [
    Number(headers?.get("retry-after-ms") ?? NaN),
    Number(after || NaN) * 1000,
    Date.parse(after) - Date.now(),
  ];
  const first = asked.find((ms) => Number.isFinite(ms));
  return first === undefined ? Math.min(longestWaitMs, 500 * 2 ** tries) : Math.max(0, first);
}
