import { join } from "node:path";
import type { Answered, Model, Question, Recorder, Run } from "../../core/index.ts";
import { BilevelError, journalFile, readJournal } from "../../core/index.ts";
import { Client } from "./client.ts";
import { readAnswer } from "./form.ts";
import { modelFor, schema, type LlmOptions, type SetOptions } from "./options.ts";
import { outlookOf } from "./outlook.ts";
import { mostOf, Purse } from "./purse.ts";
import { keepJournaled, record, Recording } from "./recording.ts";
import { redacted, valueWithoutKeys } from "../../kit/text.ts";
import { costOf, exchangesIn, sum, type Exchange, type Price, type Usage } from "./usage.ts";

export type { LlmOptions, ModelChoice, Purpose } from "./options.ts";
export {
  askedIn,
  exchangesIn,
  costOf,
  costText,
  totalOf,
  type Asked,
  type Cost,
  type Exchange,
  type Price,
  type Usage,
} from "./usage.ts";

/** An invalid answer goes back with its errors so often. */
const mends = 2;
/** Seconds in which the first question is tried again: a server that hangs would hold the run back for each try. */
const longestGreeting = 10;
/** Characters of an invalid answer that it is reminded of. */
const remembered = 4000;

/** A model that can be answered for by what another run recorded. */
export interface RecordedModel extends Model {
  /** From now on the file answers, and no server: by the question, or in the order of the recording. @throws E_MODEL */
  replay(file: string, isSequence: boolean): void;
}

type Message = { role: "system" | "user" | "assistant"; content: string };

const ready = {
  type: "object",
  required: ["ready"],
  properties: { ready: { type: "boolean" } },
  additionalProperties: false,
};

/**
 * A language model behind an OpenAI-compatible server. Every answer is checked
 * against its form; an invalid one goes back with the errors, twice at most.
 * What a question came to is journaled before it is used, so that no answer is
 * paid for twice. A budget that is reached, a spent quota and a rejected key end
 * the asking, and the run only where `onBudget` says so: callers go on without
 * the model.
 */
export function llm(given: LlmOptions): RecordedModel {
  const options = { ...given } as SetOptions;
  let client: Client | undefined;
  let apiKey: string | undefined;
  let purse = new Purse({}, false);
  let closed: string | undefined;
  let run: Run | undefined;
  let recording: Recording | undefined;

  const close = (reason: string): string => {
    if (closed !== undefined) return closed;
    closed = reason;
    if (options.onBudget === "end") run?.end(reason);
    else run?.notice(`the model is not asked any more: ${reason}`);
    return reason;
  };

  async function exchange(question: Question, signal?: AbortSignal): Promise<Exchange | undefined> {
    const { purpose, system, prompt, context, form, maxTokens } = question;
    const { model, price } = modelFor(options, purpose);
    const taken: Usage[] = [];
    const faults: string[] = [];
    const end = (rest: Pick<Exchange, "value" | "failed" | "closes">): Exchange => {
      const usage = sum(taken);
      const usd = price ? { usd: costOf(usage, price) } : {};
      return { purpose, model, calls: taken.length, usage, ...usd, ...rest, ...(faults.length > 0 ? { faults } : {}) };
    };
    const asked = redacted(context === undefined ? prompt : `${context}\n\n${prompt}`, apiKey);
    const opening: Message[] = [
      { role: "system", content: system },
      { role: "user", content: asked },
    ];
    let messages = opening;
    for (let round = 0; round <= mends; round++) {
      if (closed !== undefined) return end({ failed: closed });
      if (!client) return end({ failed: "the model was not opened" });
      const most = maxTokens ?? options.maxTokens;
      const commitment = purse.commit(mostOf(messages, most), price);
      if ("broken" in commitment) return end({ failed: close(commitment.broken), closes: true });
      const answer = await client.call({ model, messages, form, maxTokens: most, signal });
      commitment.release();
      faults.push(...answer.faults);
      if (answer.usage) {
        taken.push(answer.usage);
        purse.spend(answer.usage, price && costOf(answer.usage, price));
      }
      if ("failure" in answer) {
        if (signal?.aborted && taken.length === 0) return undefined; // a resumed run asks again
        const { reason, isFinal } = answer.failure;
        return end(isFinal ? { failed: close(reason), closes: true } : { failed: reason });
      }
      const read = readAnswer(answer.text, form);
      if ("value" in read) return end({ value: valueWithoutKeys(read.value, apiKey) });
      const problem = answer.isCut ? `it was cut off after ${most} tokens: be shorter` : read.problem;
      faults.push(problem);
      messages = [
        ...opening,
        { role: "assistant", content: answer.text.slice(0, remembered) },
        { role: "user", content: `That answer cannot be used: ${problem}\nAnswer again, with JSON of the form alone.` },
      ];
    }
    return end({ failed: `no valid answer in ${mends + 1} tries: ${faults.at(-1) ?? ""}` });
  }

  async function answerTo(question: Question, signal?: AbortSignal): Promise<Exchange | undefined> {
    const made = recording
      ? recording.answer(question, modelFor(options, question.purpose).model)
      : await exchange(question, signal);
    if (recording && made?.closes) close(made.failed ?? "");
    if (run && made)
      record(join(run.folder, "llm.jsonl"), question, made, recording?.answeredBy ?? options.model, apiKey);
    return made;
  }

  /** The first call, before the baseline: what is wrong with the key or the address fails in seconds. */
  async function greet(asking: Client, { notice }: Run): Promise<void> {
    const { model, price } = modelFor(options, "first");
    const first = await asking.call({
      model,
      messages: [{ role: "user", content: 'Answer with the JSON object {"ready": true}.' }],
      form: ready,
      maxTokens: Math.min(options.maxTokens, 1000),
      signal: AbortSignal.timeout(1000 * Math.min(longestGreeting, options.timeoutSeconds)),
    });
    if (first.usage) purse.spend(first.usage, price && costOf(first.usage, price));
    if (!("failure" in first)) return;
    const { reason, isFinal } = first.failure;
    const where = `${model} at ${options.baseURL ?? "OpenAI"}`;
    if (!isFinal) return notice(`the model (${where}) did not answer the first question: ${reason}`);
    throw new BilevelError("E_MODEL", `the model cannot be asked: ${reason}`, {
      path: "llm",
      received: where,
      hint: "mend the key, the model's name or the address; or take llm out of the config: everything runs without it",
    });
  }

  return {
    name: "llm",
    contract: 1,
    schema,
    options,
    async open(opening) {
      run = opening;
      const { config, folder, resumed } = opening;
      purse = new Purse(config.budget, options.price !== undefined);
      const earlier = exchangesIn(folder, readJournal(journalFile(folder)).facts);
      for (const { usage, usd } of earlier) purse.spend(usage, usd);
      keepJournaled(join(folder, "llm.jsonl"), earlier);
      if (!resumed) opening.notice(budgetText(opening, purse, options.price));
      if (recording) return;
      apiKey = options.apiKeyEnv === undefined ? undefined : keyIn(options.apiKeyEnv);
      client = new Client({ ...options, apiKey });
      if (!resumed) await greet(client, opening);
    },
    replay(file, isSequence) {
      recording = new Recording(file, isSequence);
    },
    close() {
      client = undefined;
      return Promise.resolve();
    },
    async ask<T>(recorder: Recorder & { signal?: AbortSignal }, question: Question): Promise<Answered<T>> {
      const { context: _, ...request } = question;
      const { model } = modelFor(options, question.purpose);
      const answer = () => answerTo(question, recorder.signal);
      const { value, failed } = (await recorder.once("model", { ...request, model }, answer)) ?? {
        failed: "the run was stopped",
      };
      return failed === undefined ? { value: value as T } : { failed };
    },
  };
}

/** The key, without the end of a line that a file or a shell left at it. @throws E_MODEL */
function keyIn(variable: string): string {
  const key = process.env[variable]?.trim() ?? "";
  if (/^[!-~]+$/.test(key)) return key;
  const problem = key === "" ? "is empty" : "holds no key: there is a blank or a letter in it that no key has";
  throw new BilevelError("E_MODEL", `the environment variable ${variable} ${problem}`, {
    path: "llm.apiKeyEnv",
    allowed: "the name of a variable that holds the key",
    hint: `export ${variable}=…`,
  });
}

/** What the model may spend, and what that is enough for. */
function budgetText({ config }: Run, { limits, isGiven }: Purse, price: Price | undefined): string {
  const { tokens, usd } = limits;
  const parts = [
    ...(usd === undefined ? [] : [`${usd} dollars`]),
    ...(tokens === undefined ? [] : [`${tokens.toLocaleString("en")} tokens`]),
  ];
  const lacks = [...(isGiven ? [] : ["budget"]), ...(price ? [] : ["price"])].join(" and no ");
  const why = isGiven && (price || config.budget.usd === undefined) ? "" : ` (the config sets no ${lacks} for it)`;
  return `the model may spend ${parts.join(" and ")}${why}: ${outlookOf(config, limits, price)}`;
}
