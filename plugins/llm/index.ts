import { join } from "node:path";
import type { Answered, Model, Question, Recorder, Run } from "../../core/index.ts";
import { BilevelError, journalFile, readJournal, answerOf } from "../../core/index.ts";
import { Client, type ClientOptions, type Failure } from "./client.ts";
import { readAnswer } from "./form.ts";
import { record, Recording } from "./recording.ts";
import { costOf, noUsage, sum, type Price, type Usage } from "./usage.ts";

export { fenced, redacted } from "./text.ts";
export { costOf, type Price, type Usage } from "./usage.ts";

export interface LlmOptions {
  /** Name of the model, as the server knows it. */
  model: string;
  /** Of any OpenAI-compatible server: OpenAI (default), DeepSeek, vLLM, Ollama, llama.cpp. */
  baseURL?: string;
  /** Name of the environment variable that holds the key; without one, no key is sent. */
  apiKeyEnv?: string;
  temperature?: number;
  maxTokens?: number;
  timeoutSeconds?: number;
  /** Further tries of a call that the server or the network failed. */
  retries?: number;
  /** Calls at the same time. */
  concurrency?: number;
  /** US dollars for a million tokens. */
  price?: Price;
  /** Other models for other purposes: `proposal`, `policy`, `explore`, `critique`, `specify`, `generate`. */
  models?: Readonly<Record<string, string>>;
}

const schema = {
  type: "object",
  additionalProperties: false,
  required: ["model"],
  properties: {
    model: { type: "string", minLength: 1 },
    baseURL: { type: "string", pattern: "^https?://" },
    apiKeyEnv: { type: "string", minLength: 1 },
    temperature: { type: "number", minimum: 0, maximum: 2 },
    maxTokens: { type: "integer", minimum: 16, default: 4000 },
    timeoutSeconds: { type: "number", exclusiveMinimum: 0, default: 120 },
    retries: { type: "integer", minimum: 0, default: 3 },
    concurrency: { type: "integer", minimum: 1, default: 4 },
    price: {
      type: "object",
      additionalProperties: false,
      required: ["input", "output"],
      properties: {
        input: { type: "number", minimum: 0 },
        cachedInput: { type: "number", minimum: 0 },
        output: { type: "number", minimum: 0 },
      },
    },
    models: { type: "object", additionalProperties: { type: "string", minLength: 1 } },
  },
};

/** Without a budget in the config a run may spend this much. */
const usual = { usd: 5, tokens: 2_000_000 };
/** An invalid answer goes back with its errors so often. */
const mends = 2;

/** What is journaled of one question. */
export interface Exchange {
  purpose: string;
  model: string;
  calls: number;
  usage: Usage;
  value?: unknown;
  failed?: string;
  /** What the server or the answers did wrong on the way. */
  faults?: readonly string[];
}

/** A model that can be answered for by what another run recorded. */
export interface RecordedModel extends Model {
  /** From now on the file answers, and no server: by the question, or in the order of the recording. @throws E_MODEL */
  replay(file: string, isSequence: boolean): void;
}

/**
 * A language model behind an OpenAI-compatible server. Every answer is checked
 * against its form; an invalid one goes back with the errors, twice at most.
 * What a question came to is journaled before it is used, so that no answer is
 * paid for twice. A budget that is reached, a spent quota and a rejected key end
 * the asking, not the run: callers go on without the model.
 */
export function llm(given: LlmOptions): RecordedModel {
  const options = { ...given } as LlmOptions &
    Required<Pick<ClientOptions, "maxTokens" | "timeoutSeconds" | "retries" | "concurrency">>;
  let client: Client | undefined;
  let spent: Usage = noUsage;
  let limits: { tokens?: number; usd?: number } = usual;
  let closed: string | undefined;
  let run: Run | undefined;
  let recording: Recording | undefined;
  /** What calls under way may still take. */
  let committed = 0;
  const modelFor = (purpose: string): string => options.models?.[purpose] ?? options.model;

  /** Why no further call may be made: what is spent and what a call may cost are more than the budget. */
  const broke = (): string | undefined => {
    const { tokens = Infinity, usd = Infinity } = limits;
    const next = options.maxTokens + committed;
    if (closed !== undefined) return closed;
    if (spent.input + spent.output + next > tokens) return `the budget of ${tokens} tokens is used up`;
    const cost = options.price ? costOf(spent, options.price) : 0;
    const more = options.price ? (next * options.price.output) / 1e6 : 0;
    return cost + more > usd ? `the budget of ${usd} dollars is used up` : undefined;
  };
  const close = (failure: Failure): void => {
    if (!failure.isFinal || closed !== undefined) return;
    closed = failure.reason;
    run?.notice(`the model is not asked any more: ${failure.reason}`);
  };

  async function exchange(question: Question): Promise<Exchange> {
    const { purpose, system, prompt, context, form } = question;
    const told = { purpose, model: modelFor(purpose) };
    const spentHere: Usage[] = [];
    const faults: string[] = [];
    const end = (rest: { value: unknown } | { failed: string }): Exchange => ({
      ...told,
      calls: spentHere.length,
      usage: sum(spentHere),
      ...rest,
      ...(faults.length > 0 ? { faults } : {}),
    });
    const asked = context === undefined ? prompt : `${context}\n\n${prompt}`;
    const messages = [
      { role: "system" as const, content: system },
      { role: "user" as const, content: asked },
    ];
    const talk: { role: "system" | "user" | "assistant"; content: string }[] = [...messages];
    for (let round = 0; round <= mends; round++) {
      const reason = broke();
      if (!client || reason !== undefined) return end({ failed: reason ?? "the model was not opened" });
      const most = options.maxTokens;
      committed += most;
      const answer = await client.call({ model: told.model, messages: talk, form, maxTokens: question.maxTokens });
      committed -= most;
      faults.push(...answer.faults);
      if (answer.usage) {
        spentHere.push(answer.usage);
        spent = sum([spent, answer.usage]);
      }
      if ("failure" in answer) {
        close(answer.failure);
        return end({ failed: answer.failure.reason });
      }
      const read = readAnswer(answer.text, form);
      if ("value" in read) return end({ value: read.value });
      faults.push(read.problem);
      talk.splice(
        messages.length,
        Infinity,
        { role: "assistant", content: answer.text.slice(0, 4000) },
        {
          role: "user",
          content: `That answer cannot be used: ${read.problem}\nAnswer again, with JSON of the form alone.`,
        },
      );
    }
    return end({ failed: `no valid answer in ${mends + 1} tries: ${faults.at(-1) ?? ""}` });
  }

  async function answerTo(question: Question): Promise<Exchange> {
    if (recording) return recording.answer(question, modelFor(question.purpose));
    const made = await exchange(question);
    if (run) record(join(run.folder, "llm.jsonl"), question, made);
    return made;
  }

  return {
    name: "llm",
    contract: 1,
    schema,
    options,
    async open(opening) {
      run = opening;
      const { budget } = opening.config;
      const isLimited = budget.tokens !== undefined || budget.usd !== undefined;
      limits = isLimited ? budget : options.price ? { usd: usual.usd } : { tokens: usual.tokens };
      const apiKey = options.apiKeyEnv === undefined ? undefined : process.env[options.apiKeyEnv];
      if (options.apiKeyEnv !== undefined && !apiKey && !recording)
        throw new BilevelError("E_MODEL", `the environment variable ${options.apiKeyEnv} is empty`, {
          path: "llm.apiKeyEnv",
          allowed: "the name of a variable that holds the key",
          hint: `export ${options.apiKeyEnv}=…`,
        });
      if (!recording) client = new Client({ ...options, apiKey });
      for (const fact of readJournal(journalFile(opening.folder)).facts)
        if (fact.type === "once" && fact.kind === "model")
          spent = sum([spent, (answerOf(opening.folder, fact) as Exchange).usage]);
      if (!isLimited && !opening.resumed)
        opening.notice(
          options.price
            ? `no budget for the model in the config: ${usual.usd} dollars`
            : `no budget for the model in the config, and no price: ${usual.tokens.toLocaleString("en")} tokens`,
        );
      if (opening.resumed || !client) return;
      const first = await client.call({
        model: options.model,
        messages: [{ role: "user", content: 'Answer with the JSON object {"ready": true}.' }],
        form: {
          type: "object",
          required: ["ready"],
          properties: { ready: { type: "boolean" } },
          additionalProperties: false,
        },
        maxTokens: Math.min(options.maxTokens, 1000),
      });
      if (first.usage) spent = sum([spent, first.usage]);
      if ("failure" in first && first.failure.isFinal)
        throw new BilevelError("E_MODEL", `the model cannot be asked: ${first.failure.reason}`, {
          path: "llm",
          received: `${options.model} at ${options.baseURL ?? "OpenAI"}`,
          hint: "mend the key, the model's name or the address; or take llm out of the config: everything runs without it",
        });
      if ("failure" in first) opening.notice(`the model did not answer the first question: ${first.failure.reason}`);
    },
    replay(file, isSequence) {
      recording = new Recording(file, isSequence);
    },
    close() {
      client = undefined;
      return Promise.resolve();
    },
    async ask<T>(recorder: Recorder, question: Question): Promise<Answered<T>> {
      const { context: _, ...request } = question;
      const { value, failed } = await recorder.once("model", { ...request, model: modelFor(question.purpose) }, () =>
        answerTo(question),
      );
      return failed === undefined ? { value: value as T } : { failed };
    },
  };
}
