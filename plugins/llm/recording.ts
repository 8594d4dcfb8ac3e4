import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { BilevelError, canonical, digest, type Question } from "../../core/index.ts";
import { redacted } from "../../kit/text.ts";
import type { Exchange } from "./usage.ts";

/**
 * `llm.jsonl`: what a model was asked in a run and what it answered, to be
 * answered from again. The first line says what the file is and who answered;
 * each further one holds a question and its exchange.
 */
export interface Header {
  recording: 1;
  answeredBy: string;
}

interface Line {
  hash: string;
  question: Omit<Question, "context"> & { model: string };
  exchange: Exchange;
}

const asked = ({ purpose, system, prompt, form }: Question, model: string): Line["question"] => ({
  purpose,
  system,
  prompt,
  form,
  model,
});
const hashOf = (question: Line["question"]): string => digest(canonical(question));

/** Adds an exchange to the file, without keys; begins it where there is none. */
export function record(file: string, question: Question, exchange: Exchange): void {
  if (!existsSync(file))
    writeFileSync(file, `${JSON.stringify({ recording: 1, answeredBy: exchange.model } satisfies Header)}\n`);
  const whole = asked(question, exchange.model);
  appendFileSync(
    file,
    `${JSON.stringify({ hash: hashOf(whole), question: { ...whole, prompt: redacted(whole.prompt) }, exchange } satisfies Line)}\n`,
  );
}

/** Answers from a recording: by the question, or one after the other. */
export class Recording {
  readonly #file: string;
  readonly #lines: Line[];
  readonly #isSequence: boolean;
  #next = 0;

  /** @throws E_MODEL where the file is no recording */
  constructor(file: string, isSequence: boolean) {
    this.#file = file;
    this.#isSequence = isSequence;
    try {
      const [header, ...lines] = readFileSync(file, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown);
      if ((header as Header).recording !== 1) throw new Error("its first line is not that of a recording");
      this.#lines = lines as Line[];
    } catch (error) {
      throw new BilevelError("E_MODEL", "the recording cannot be read", {
        path: file,
        received: error instanceof Error ? error.message : "",
        allowed: "the llm.jsonl of a run",
        cause: error,
      });
    }
  }

  /** @throws E_MODEL where the recording has no answer, with what differs from the nearest question in it */
  answer(question: Question, model: string): Exchange {
    const whole = asked(question, model);
    const hash = hashOf(whole);
    const found = this.#isSequence ? this.#lines[this.#next++] : this.#lines.find((line) => line.hash === hash);
    if (found) return found.exchange;
    if (this.#isSequence)
      throw new BilevelError("E_MODEL", "the recording has no further answer", {
        path: this.#file,
        received: `question ${this.#next}, for ${question.purpose}`,
        allowed: `${this.#lines.length} questions`,
      });
    throw new BilevelError("E_MODEL", `the recording has no answer to this question (${question.purpose})`, {
      path: this.#file,
      ...this.#difference(whole),
      hint: "the task, the config or the version has changed since it was made; --replay-sequence answers in order, whatever is asked",
    });
  }

  /** Where the question leaves the nearest recorded one of its kind. */
  #difference(question: Line["question"]): { received?: string; allowed?: string } {
    const of = (one: Line["question"]): string => `${one.model}\n${one.system}\n${one.prompt}\n${canonical(one.form)}`;
    const text = of(question);
    const shared = (other: string): number => {
      let at = 0;
      while (at < text.length && text[at] === other[at]) at++;
      return at;
    };
    const kin = this.#lines
      .filter((line) => line.question.purpose === question.purpose)
      .map((line) => of(line.question));
    const nearest = kin.reduce<string | undefined>(
      (best, other) => (best === undefined || shared(other) > shared(best) ? other : best),
      undefined,
    );
    if (nearest === undefined) return { allowed: "no question of this kind was recorded" };
    const at = shared(nearest);
    const from = Math.max(0, at - 30);
    const around = (one: string): string => `…${one.slice(from, at + 60).replaceAll("\n", " ")}`;
    return { received: around(text), allowed: around(nearest) };
  }
}
