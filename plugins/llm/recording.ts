import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { BilevelError, canonical, digest, messageOf, writeAtomically, type Question } from "../../core/index.ts";
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
export function record(file: string, question: Question, exchange: Exchange, answeredBy: string, key?: string): void {
  if (!existsSync(file)) writeFileSync(file, `${JSON.stringify({ recording: 1, answeredBy } satisfies Header)}\n`);
  const whole = asked(question, exchange.model);
  const line: Line = { hash: hashOf(whole), question: { ...whole, prompt: redacted(whole.prompt, key) }, exchange };
  appendFileSync(file, `${JSON.stringify(line)}\n`);
}

/** Takes out what an earlier process wrote down and was killed before it was journaled: it will be asked again. */
export function keepJournaled(file: string, journaled: readonly Exchange[]): void {
  if (!existsSync(file)) return;
  const [header = "", ...lines] = readFileSync(file, "utf8").trimEnd().split("\n");
  const left = journaled.map((exchange) => canonical(exchange));
  const kept = lines.filter((line) => {
    const at = left.indexOf(exchangeIn(line));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
  if (kept.length < lines.length) writeAtomically(file, `${[header, ...kept].join("\n")}\n`);
}

/** Of a line that may be torn. */
function exchangeIn(line: string): string {
  try {
    return canonical((JSON.parse(line) as Line).exchange);
  } catch {
    return "";
  }
}

function lineIn(text: string, index: number): Line {
  try {
    const line = JSON.parse(text) as Line;
    if (line.question.purpose && line.exchange.purpose) return line;
  } catch {
    // told below, with its number
  }
  throw new Error(`line ${index + 2} holds no question and its answer: ${text.slice(0, 80)}`);
}

/** Answers from a recording: by the question, or one after the other to those of one purpose. */
export class Recording {
  /** Who answered: a model's name, or "written by hand". */
  readonly answeredBy: string;
  readonly #file: string;
  readonly #lines: Line[];
  readonly #isSequence: boolean;
  #given = new Set<Line>();

  /** @throws E_MODEL where the file is no recording */
  constructor(file: string, isSequence: boolean) {
    this.#file = file;
    this.#isSequence = isSequence;
    try {
      const [header, ...lines] = readFileSync(file, "utf8").trimEnd().split("\n");
      const { recording, answeredBy } = JSON.parse(header ?? "") as Header;
      if (recording !== 1) throw new Error("its first line is not that of a recording");
      this.answeredBy = answeredBy;
      this.#lines = lines.map(lineIn);
    } catch (error) {
      throw new BilevelError("E_MODEL", "the recording cannot be read", {
        path: file,
        received: messageOf(error),
        allowed: "the llm.jsonl of a run",
        cause: error,
      });
    }
  }

  /** The next answer; to a question that was asked several times, each of its answers once, then the last. @throws E_MODEL where the recording has none, with what differs from the nearest question in it */
  answer(question: Question, model: string): Exchange {
    const whole = asked(question, model);
    const hash = hashOf(whole);
    const fits = this.#lines.filter((line) =>
      this.#isSequence ? line.question.purpose === whole.purpose : line.hash === hash,
    );
    const found = fits.find((line) => !this.#given.has(line)) ?? (this.#isSequence ? undefined : fits.at(-1));
    if (found) {
      this.#given.add(found);
      return found.exchange;
    }
    if (this.#isSequence)
      throw new BilevelError(
        "E_MODEL",
        `the recording has no further answer to such a question (${question.purpose})`,
        {
          path: this.#file,
          received: `question ${fits.length + 1} of this kind`,
          allowed: `${fits.length}`,
        },
      );
    throw new BilevelError("E_MODEL", `the recording has no answer to this question (${question.purpose})`, {
      path: this.#file,
      ...this.#difference(whole),
      hint: "the task, the config or the version has changed since it was made; --replay-sequence answers questions of a kind in their order, whatever they say",
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
