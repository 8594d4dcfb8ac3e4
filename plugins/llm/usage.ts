import type { Fact } from "../../core/index.ts";
import { answerOf } from "../../core/index.ts";

/** Tokens of calls; `cached` is the part of the input that the server had at hand. */
export interface Usage {
  input: number;
  cached: number;
  output: number;
}

/** US dollars for a million tokens. Without `cachedInput`, cached ones cost as others. */
export interface Price {
  input: number;
  cachedInput?: number;
  output: number;
}

/** What is journaled of one question. */
export interface Exchange {
  purpose: string;
  model: string;
  calls: number;
  usage: Usage;
  /** US dollars, where the price is known. */
  usd?: number;
  value?: unknown;
  failed?: string;
  /** The model was not asked any more after it, for the reason in `failed`. */
  closes?: boolean;
  /** What the server or the answers did wrong on the way. */
  faults?: readonly string[];
}

/** An exchange and the step that it was for. */
export interface Asked extends Exchange {
  level: string;
  /** Number of the turn in that level. */
  turn: number;
}

export const noUsage: Usage = { input: 0, cached: 0, output: 0 };

export const sum = (all: readonly Usage[]): Usage =>
  all.reduce(
    (a, b) => ({ input: a.input + b.input, cached: a.cached + b.cached, output: a.output + b.output }),
    noUsage,
  );

/** In US dollars. */
export const costOf = (
  { input, cached, output }: Usage,
  { input: price, cachedInput = price, output: out }: Price,
): number => ((input - cached) * price + cached * cachedInput + output * out) / 1e6;

const ofModel = (facts: readonly Fact[]): Fact[] =>
  facts.filter(({ type, kind }) => type === "once" && kind === "model");

/** What a model was asked in the run in this folder, as it was journaled. */
export const exchangesIn = (folder: string, facts: readonly Fact[]): Exchange[] =>
  ofModel(facts).map((fact) => answerOf(folder, fact) as Exchange);

/** The same, with the step that each was for. */
export const askedIn = (folder: string, facts: readonly Fact[]): Asked[] =>
  ofModel(facts).map((fact) => {
    const [, level = "", turn] = /^(.*) (\d+)$/.exec(String(fact.scope)) ?? [];
    return { ...(answerOf(folder, fact) as Exchange), level, turn: Number(turn) };
  });

/** What several exchanges took together; `usd` where every price is known. */
export interface Cost {
  questions: number;
  calls: number;
  tokens: number;
  usd?: number;
}

export function totalOf(asked: readonly Exchange[]): Cost {
  const { input, output } = sum(asked.map(({ usage }) => usage));
  const isPriced = asked.length > 0 && asked.every(({ usd }) => usd !== undefined);
  return {
    questions: asked.length,
    calls: asked.reduce((total, { calls }) => total + calls, 0),
    tokens: input + output,
    ...(isPriced ? { usd: asked.reduce((total, { usd = 0 }) => total + usd, 0) } : {}),
  };
}

/** `41,210 tokens, $0.02` */
export function costText({ tokens, usd }: Cost): string {
  const dollars = usd === undefined ? "" : `, $${usd > 0 && usd < 0.1 ? usd.toPrecision(2) : usd.toFixed(2)}`;
  return `${tokens.toLocaleString("en")} tokens${dollars}`;
}
