import type { ChatCompletion, ChatCompletionChunk } from "openai/resources/chat/completions";
import { redacted } from "../../kit/text.ts";
import { noUsage, type Usage } from "./usage.ts";

/** `isFinal`: asking again would not help; a rejected key, a spent quota, a model that is not there. */
export interface Failure {
  reason: string;
  isFinal: boolean;
}

/** What a server said. `isCut`: it stopped at the limit of tokens. */
export interface Said {
  text: string;
  isCut: boolean;
}

type Message = { content?: unknown; refusal?: unknown; tool_calls?: unknown };

/** The one choice of an answer, whole or put together from a stream, as far as it is well formed. */
export interface Completion {
  message?: Message;
  finish?: string;
  usage?: ChatCompletion["usage"] | null;
}

/** Of an answer that came in one piece; some servers stream without being asked to. */
export function fromWhole(answer: unknown): Completion {
  if (typeof answer === "string" && /^\s*(data|event|:)/.test(answer)) return fromEvents(answer);
  const { choices, usage, error } = (answer ?? {}) as Partial<ChatCompletion> & { error?: { message?: unknown } };
  // gateways that have sent their headers tell of a provider's failure in the body
  if (!choices && error) throw new Error(String(error.message ?? JSON.stringify(error)));
  const [choice] = Array.isArray(choices) ? choices : [];
  return { message: choice?.message, finish: choice?.finish_reason, usage };
}

/** Of an answer that came in pieces. */
export async function fromStream(chunks: AsyncIterable<ChatCompletionChunk>): Promise<Completion> {
  const all: ChatCompletionChunk[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return joined(all);
}

function fromEvents(text: string): Completion {
  const chunks = [...text.matchAll(/^data: *(\{.*)$/gm)].flatMap(([, json = ""]) => {
    try {
      return [JSON.parse(json) as ChatCompletionChunk];
    } catch {
      return []; // a broken piece: what it held is missing from the text, which its form will show
    }
  });
  return joined(chunks);
}

function joined(chunks: readonly ChatCompletionChunk[]): Completion {
  const deltas = chunks.flatMap(({ choices }) => (Array.isArray(choices) ? (choices[0] ?? []) : []));
  const textOf = (key: "content" | "refusal"): string | undefined => {
    const parts = deltas.flatMap(({ delta }) => (typeof delta?.[key] === "string" ? [delta[key]] : []));
    return parts.length > 0 ? parts.join("") : undefined;
  };
  return {
    ...(deltas.length > 0
      ? {
          message: {
            content: textOf("content"),
            refusal: textOf("refusal"),
            tool_calls: deltas.flatMap(({ delta }) => delta?.tool_calls ?? []),
          },
        }
      : {}),
    finish: deltas.findLast(({ finish_reason: reason }) => reason)?.finish_reason ?? undefined,
    usage: chunks.findLast(({ usage }) => usage)?.usage,
  };
}

/** What the server said, or why that is no answer. */
export function saidIn({ message, finish }: Completion): Said | Failure {
  const failure = (reason: string): Failure => ({ reason, isFinal: false });
  if (!message) return failure("the answer has no choice in it");
  const { refusal, tool_calls: tools } = message;
  const content = Array.isArray(message.content) ? textsIn(message.content) : message.content;
  if (typeof refusal === "string" && refusal !== "")
    return failure(`the model refused: ${redacted(refusal).slice(0, 200)}`);
  if (finish === "content_filter") return failure("the server's filter held the answer back");
  if (typeof content === "string" && content.trim() !== "") return { text: content, isCut: finish === "length" };
  if (Array.isArray(tools) && tools.length > 0) return failure("the model called a tool instead of answering");
  return failure(
    finish === "length" ? "the answer was cut off before it began: raise llm.maxTokens" : "the answer is empty",
  );
}

/** Of content in parts, as some servers give it: thoughts are parts of another type. */
const textsIn = (parts: readonly unknown[]): string =>
  parts
    .flatMap((part) => {
      const { type, text } = (part ?? {}) as { type?: unknown; text?: unknown };
      return type === "text" && typeof text === "string" ? [text] : [];
    })
    .join("");

/** As the server counted it; `otherwise` for what it did not count. */
export function usageIn({ usage }: Completion, otherwise: Usage): Usage {
  const count = (value: unknown): number | undefined => (typeof value === "number" && value >= 0 ? value : undefined);
  const input = count(usage?.prompt_tokens) ?? otherwise.input;
  const output = count(usage?.completion_tokens) ?? otherwise.output;
  return {
    input,
    cached: Math.min(input, count(usage?.prompt_tokens_details?.cached_tokens) ?? noUsage.cached),
    output: Math.max(output, (count(usage?.total_tokens) ?? 0) - input), // some servers count thoughts in the total alone
  };
}
