import type { Config } from "../../core/index.ts";
import { count } from "../../kit/text.ts";
import { costOf, type Price, type Usage } from "./usage.ts";

/** What one of each takes, as seen in runs: input and output tokens. */
const usual: Readonly<Record<"proposal" | "policy" | "dialogue", Usage>> = {
  proposal: { input: 2000, cached: 0, output: 300 },
  policy: { input: 1000, cached: 0, output: 300 },
  dialogue: { input: 9000, cached: 0, output: 5000 },
};

/** The share of turns that the model proposes at first, by the proposer's name. */
const shares: Readonly<Record<string, number>> = { "propose-llm": 1, "propose-hybrid": 0.3 };

/** In plain words: what the budget buys, and what the run may ask for. */
export function outlookOf(config: Config, limits: { tokens?: number; usd?: number }, price: Price | undefined): string {
  const affordable = (one: Usage): number => {
    const byTokens = (limits.tokens ?? Infinity) / (one.input + one.output);
    const byDollars = price ? (limits.usd ?? Infinity) / costOf(one, price) : Infinity;
    return Math.min(byTokens, byDollars);
  };
  const about = (n: number): string =>
    n >= 10 ? Math.floor(Number(n.toPrecision(2))).toLocaleString("en") : String(Math.floor(n));
  const buys = `buys about ${about(affordable(usual.proposal))} proposals or ${about(affordable(usual.dialogue))} research dialogues`;
  const { trials } = config.budget;
  if (trials === undefined) return buys;
  const plans = [count(Math.round(trials * (shares[config.proposer?.name ?? ""] ?? 0)), "proposal")];
  let segment = 1;
  for (const { changes, every } of config.levels) {
    segment *= every ?? 1;
    if (changes === "policy") plans.push(count(Math.floor(trials / segment), "policy", "policies"));
    if (changes === "mechanisms") plans.push(count(Math.floor(trials / segment), "research dialogue"));
  }
  return `${buys}; ${count(trials, "trial")} may ask for up to ${plans.join(", ")}`;
}
