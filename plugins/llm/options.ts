import type { Price } from "./usage.ts";

/** What a question can be for. `research` stands for its four rounds together. */
export const purposes = ["proposal", "policy", "research", "explore", "critique", "specify", "generate"] as const;
export type Purpose = (typeof purposes)[number];

/** A model of the same server, with its own price where that differs. */
export type ModelChoice = string | { model: string; price?: Price };

export interface LlmOptions {
  /** Name of the model, as the server knows it. */
  model: string;
  /** Of any OpenAI-compatible server: OpenAI (default), DeepSeek, vLLM, Ollama, llama.cpp. */
  baseURL?: string;
  /** Name of the environment variable that holds the key; without one, no key is sent. */
  apiKeyEnv?: string;
  temperature?: number;
  /** Tokens of an answer, thought included. */
  maxTokens?: number;
  timeoutSeconds?: number;
  /** Further tries of a call that the server or the network failed. */
  retries?: number;
  /** Calls at the same time. */
  concurrency?: number;
  /** Answers in pieces, for servers that answer in no other way, or behind a proxy that cuts long silences. */
  stream?: boolean;
  /** US dollars for a million tokens. */
  price?: Price;
  /** Other models for other purposes. */
  models?: Readonly<Partial<Record<Purpose, ModelChoice>>>;
  /** Once the budget is used up: go on without the model, or end the run. */
  onBudget?: "continue" | "end";
}

export type SetOptions = LlmOptions &
  Required<Pick<LlmOptions, "maxTokens" | "timeoutSeconds" | "retries" | "concurrency" | "stream" | "onBudget">>;

const price = {
  type: "object",
  additionalProperties: false,
  required: ["input", "output"],
  properties: {
    input: { type: "number", minimum: 0 },
    cachedInput: { type: "number", minimum: 0 },
    output: { type: "number", minimum: 0 },
  },
};

const name = { type: "string", minLength: 1 };
const choice = {
  type: ["string", "object"],
  minLength: 1,
  additionalProperties: false,
  required: ["model"],
  properties: { model: name, price },
};

export const schema = {
  type: "object",
  additionalProperties: false,
  required: ["model"],
  properties: {
    model: name,
    baseURL: {
      type: "string",
      pattern: "^https?://[^/@]*(/|$)",
      description: "a URL without a name and a password: http://… or https://…",
    },
    apiKeyEnv: name,
    temperature: { type: "number", minimum: 0, maximum: 2 },
    maxTokens: { type: "integer", minimum: 16, default: 4000 },
    timeoutSeconds: { type: "number", exclusiveMinimum: 0, default: 120 },
    retries: { type: "integer", minimum: 0, default: 3 },
    concurrency: { type: "integer", minimum: 1, default: 4 },
    stream: { type: "boolean", default: false },
    price,
    models: {
      type: "object",
      additionalProperties: false,
      properties: Object.fromEntries(purposes.map((purpose) => [purpose, choice])),
    },
    onBudget: { enum: ["continue", "end"], default: "continue" },
  },
};

const rounds: readonly string[] = ["explore", "critique", "specify", "generate"];

/** The model that is asked for this purpose, and its price. */
export function modelFor(options: LlmOptions, purpose: string): { model: string; price?: Price } {
  const { models = {} } = options;
  const choice =
    models[purpose as Purpose] ?? (rounds.includes(purpose) ? models.research : undefined) ?? options.model;
  const { model, price } = typeof choice === "string" ? { model: choice, price: undefined } : choice;
  return { model, price: price ?? options.price };
}
