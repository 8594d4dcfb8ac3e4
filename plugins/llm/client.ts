import OpenAI, { APIConnectionTimeoutError, APIError } from "openai";
import type { ChatCompletion, ChatCompletionCreateParamsNonStreaming } from "openai/resources/chat/completions";
import { messageOf } from "../../core/index.ts";
import { redacted } from "./text.ts";
import type { Usage } from "./usage.ts";

export interface ClientOptions {
  baseURL?: string;
  apiKey?: string;
  temperature?: number;
  maxTokens: number;
  timeoutSeconds: number;
  retries: number;
  concurrency: number;
}

/** `isFinal`: asking again would not help; a rejected key, a spent quota, a model that is not there. */
export interface Failure {
  reason: string;
  isFinal: boolean;
}

export interface Call {
  model: string;
  messages: readonly { role: "system" | "user" | "assistant"; content: string }[];
  form: object;
  maxTokens?: number;
}

export type CallAnswer = { faults: string[]; usage?: Usage } & ({ text: string } | { failure: Failure });

/** How an answer's form is asked for, from the strictest on; a server that refuses one is asked by the next from then on. */
const modes = ["schema", "object", "text"] as const;

const longestWaitMs = 60_000;

/** Calls of one server: bounded in time and number, tried again where that helps, the way of asking for a form found out once. */
export class Client {
  readonly #options: ClientOptions;
  readonly #openai: OpenAI;
  #mode = 0;
  #running = 0;
  #waiting: (() => void)[] = [];

  constructor(options: ClientOptions) {
    this.#options = options;
    const { baseURL, apiKey, timeoutSeconds } = options;
    this.#openai = new OpenAI({
      baseURL,
      apiKey: apiKey ?? "none",
      timeout: timeoutSeconds * 1000,
      maxRetries: 0,
      logLevel: "off",
    });
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
      try {
        const completion = await this.#post(call);
        const text = textOf(completion);
        const usage = usageOf(completion, call, text);
        if (typeof text === "string") return { text, usage, faults };
        return { failure: text, usage, faults };
      } catch (error) {
        const reason = this.#reasonOf(error);
        faults.push(reason);
        if (isAboutForm(error) && this.#mode < modes.length - 1) {
          this.#mode++;
          continue;
        }
        const isFinal = isFinalError(error);
        if (isFinal || tries >= this.#options.retries) return { failure: { reason, isFinal }, faults };
        await new Promise((resolve) => setTimeout(resolve, waitMs(error, tries)));
        tries++;
      }
    }
  }

  async #post({ model, messages, form, maxTokens }: Call): Promise<ChatCompletion> {
    const { baseURL, temperature, timeoutSeconds } = this.#options;
    const mode = modes[this.#mode];
    const asked =
      mode === "schema"
        ? messages
        : messages.map((message, index) =>
            index === 0
              ? {
                  ...message,
                  content: `${message.content}\n\nAnswer with one JSON object of this form (JSON Schema), and nothing else:\n${JSON.stringify(form)}`,
                }
              : message,
          );
    const body: ChatCompletionCreateParamsNonStreaming = {
      model,
      messages: asked as ChatCompletionCreateParamsNonStreaming["messages"],
      [baseURL ? "max_tokens" : "max_completion_tokens"]: maxTokens ?? this.#options.maxTokens, // OpenAI's newer models refuse the older name, other servers the newer one
      ...(temperature === undefined ? {} : { temperature }),
      ...(mode === "schema"
        ? {
            response_format: {
              type: "json_schema",
              json_schema: { name: "answer", schema: form as Record<string, unknown> },
            },
          }
        : mode === "object"
          ? { response_format: { type: "json_object" } }
          : {}),
    };
    // the package's own limit begins anew with every byte of a slow answer; this one does not
    return this.#openai.chat.completions.create(body, { signal: AbortSignal.timeout(timeoutSeconds * 1000) });
  }

  #reasonOf(error: unknown): string {
    if (
      error instanceof APIConnectionTimeoutError ||
      (error instanceof Error && /abort|timeout/i.test(error.name + error.message))
    )
      return `no answer within ${this.#options.timeoutSeconds} s`;
    return redacted(messageOf(error), this.#options.apiKey).slice(0, 300);
  }
}

/** What the server said, or why that is no answer. */
function textOf(completion: ChatCompletion | undefined): string | Failure {
  const failure = (reason: string): Failure => ({ reason, isFinal: false });
  const [choice] = Array.isArray(completion?.choices) ? completion.choices : [];
  if (!choice?.message) return failure("the answer has no choice in it");
  const { content, refusal, tool_calls: tools } = choice.message;
  if (refusal) return failure(`the model refused: ${redacted(refusal).slice(0, 200)}`);
  if (choice.finish_reason === "content_filter") return failure("the server's filter held the answer back");
  if (typeof content === "string" && content.trim() !== "") return content;
  if (tools && tools.length > 0) return failure("the model called a tool instead of answering");
  return failure(
    choice.finish_reason === "length"
      ? "the answer was cut off before it began: raise llm.maxTokens"
      : "the answer is empty",
  );
}

/** As the server counted it; a server that does not count is counted by its characters, four to a token. */
function usageOf(completion: ChatCompletion | undefined, { messages }: Call, text: string | Failure): Usage {
  const { usage } = completion ?? {};
  const count = (value: unknown): number | undefined => (typeof value === "number" && value >= 0 ? value : undefined);
  const written = messages.reduce((sum, { content }) => sum + content.length, 0);
  return {
    input: count(usage?.prompt_tokens) ?? Math.ceil(written / 4),
    cached: count(usage?.prompt_tokens_details?.cached_tokens) ?? 0,
    output: count(usage?.completion_tokens) ?? Math.ceil((typeof text === "string" ? text.length : 0) / 4),
  };
}

function isFinalError(error: unknown): boolean {
  if (!(error instanceof APIError)) return false;
  const { status, code, type } = error as { status?: number; code?: string | null; type?: string };
  return (
    status === 401 ||
    status === 402 ||
    status === 403 ||
    status === 404 ||
    code === "insufficient_quota" ||
    type === "insufficient_quota"
  );
}

const isAboutForm = (error: unknown): boolean =>
  error instanceof APIError &&
  (error.status === 400 || error.status === 422 || error.status === 501) &&
  /response_format|json_schema|json_object|structured|grammar|schema/i.test(error.message);

/** As the server asked, or twice as long each time, from half a second on. */
function waitMs(error: unknown, tries: number): number {
  const headers = error instanceof APIError ? (error.headers as Headers | undefined) : undefined;
  const asked = Number(headers?.get("retry-after-ms") ?? Number(headers?.get("retry-after") ?? NaN) * 1000);
  return Math.min(longestWaitMs, Number.isFinite(asked) && asked >= 0 ? asked : 500 * 2 ** tries);
}
