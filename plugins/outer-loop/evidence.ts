import type { Evidence, Outcome, Pair, TaskChange, Test, Trial, View } from "../../core/index.ts";
import { distance } from "../../kit/index.ts";
import { mean, median, studentT, variance } from "../../kit/stats.ts";

/** Bets of the mixture: what share of the wealth stands on each pair. */
const bets = [0.35, 0.65];
/**
 * How much wealth keeps the change tested in this place: 10, 30, 60, 100, 150 …
 * A run tests nobody knows how many changes, so the error of 0.2 that it may
 * make in all is spent as 0.2 / (n (n + 1)) on the n-th: however many follow,
 * the sum never exceeds 0.2 (alpha spending; Tian and Ramdas, Online control of
 * the familywise error rate, 2021, section 2).
 */
export const wealthToKeep = (place: number): number => 5 * place * (place + 1);
const dropAt = Math.log(5);
const leastPairs = 5;
const mostPairs = 40;
const mostTurns = 80;
/** A change that made no other draft in so many turns has no effect. */
const mostIdleTurns = 40;
/** With a median step shorter than this share of the control's, a change is not kept: standing still looks good to a dense signal. */
const leastStep = 0.25;
/** Added to both steps, in shares of a parameter's range. */
const stepGuard = 0.005;
/** Trials that the slope of loss over step is shrunk by: an early one is a guess. */
const slopePrior = 8;

/**
 * What the pairs of a change say so far, and whether that decides.
 *
 * A betting test for a bounded mean (Waudby-Smith and Ramdas 2024, section 4):
 * with d = loss without - loss with, each less what a trial of its step length
 * is expected to lose, phi = tanh(d / median |d| of the earlier pairs) lies in
 * [-1, 1] and has mean zero where the change does nothing;
 * wealth = mean over the bets l of the product of 1 + l phi is then a
 * martingale, so it ever reaches W with a probability of at most 1/W (Ville),
 * whenever one looks. One crashed side counts as a full loss, both as nothing;
 * so do copies of known points. Keep when the wealth for it ever reached that
 * of its place, with 5 pairs or more and steps of at least a quarter of the control's;
 * revert when the wealth against it reached 5, which is looked at first;
 * Shorter steps lose less wherever most steps fail, so what only shortens them
 * would pass for a help; the expected loss is a slope per step, the median of
 * (loss - parent's loss) / step over the sides of the earlier pairs, shrunk
 * while they are few. It is known before the pair and the same for both sides,
 * so the mean stays zero for a change that does nothing.
 * Undecided after 40 pairs, 80 turns, or 40 turns without a pair. What was decided stays decided.
 */
export function judge({ pairs, turns, place }: Test, target: View): Evidence {
  const keepAt = Math.log(wealthToKeep(place));
  const wealth = bets.map(() => 0);
  const against = bets.map(() => 0);
  const differences: number[] = [];
  const slopes: number[] = [];
  const effects: number[] = [];
  const scores: number[] = [];
  const ratios: number[] = [];
  let counted = 0;
  let decision: Evidence["decision"];
  let reached = false;
  for (const pair of pairs) {
    const phi = pair.coin ? coinScore(pair, scores, target) : pairScore(pair, differences, slopes, target);
    if (phi === undefined) continue;
    counted++;
    const effect = effectOf(pair, target);
    if (effect !== undefined) effects.push(effect);
    bets.forEach((bet, i) => {
      wealth[i] = (wealth[i] ?? 0) + Math.log1p(bet * phi);
      against[i] = (against[i] ?? 0) + Math.log1p(-bet * phi);
    });
    const lengths = stepsOf(pair, target);
    if (lengths) ratios.push(lengths.with / lengths.without);
    reached ||= logMean(wealth) >= keepAt;
    const steps = ratios.length === 0 || median(ratios) >= leastStep;
    if (logMean(against) >= dropAt) decision = "revert";
    else if (reached && counted >= leastPairs && steps) decision = "keep";
    else if (counted >= mostPairs) decision = "undecided";
    if (decision) break;
  }
  if (!decision && (turns >= mostTurns || (counted === 0 && turns >= mostIdleTurns))) decision = "undecided";
  return {
    pairs: counted,
    turns,
    logWith: logMean(wealth),
    logAgainst: logMean(against),
    needed: wealthToKeep(place),
    ...(ratios.length > 0 ? { stepRatio: median(ratios) } : {}),
    ...interval(effects),
    ...(decision ? { decision } : {}),
  };
}

/** Log of the mean of wealths given as logs. */
function logMean(logs: readonly number[]): number {
  const top = Math.max(...logs);
  return top + Math.log(mean(logs.map((log) => Math.exp(log - top))));
}

/** Undefined: the pair says nothing, since a side was lost. */
function pairScore(pair: Pair, differences: number[], slopes: number[], target: View): number | undefined {
  if (pair.copied.length > 0) return pair.copied.length === 2 ? 0 : pair.copied[0] === "with" ? -1 : 1;
  const [without, withIt] = [lossOf(pair.without, target), lossOf(pair.with, target)];
  if (without === undefined || withIt === undefined) return undefined;
  if (without === Infinity || withIt === Infinity) return without === withIt ? 0 : without === Infinity ? 1 : -1;
  const steps = stepsOf(pair, target);
  const parent = lossOf(target.trial(pair.parent), target);
  const slope = slopes.length === 0 ? 0 : (median(slopes) * slopes.length) / (slopes.length + slopePrior);
  const difference = without - withIt - (steps ? slope * (steps.without - steps.with) : 0);
  if (steps && parent !== undefined && Number.isFinite(parent))
    slopes.push((without - parent) / steps.without, (withIt - parent) / steps.with);
  const earlier = differences.filter((one) => one !== 0).map(Math.abs);
  const scale = earlier.length >= 3 ? median(earlier) : firstScale(target, difference);
  differences.push(difference);
  return Math.tanh(difference / scale);
}

/** Until three pairs tell a scale: the noise floor; without one, half of the difference itself, so that it counts nearly full. */
const firstScale = (target: View, difference: number): number => target.noiseFloor || Math.abs(difference) / 2 || 1;

function coinScore(pair: Pair, scores: number[], target: View): number | undefined {
  const trial = pair.coin === "with" ? pair.with : pair.without;
  const loss = lossOf(trial, target);
  if (loss === undefined) return undefined;
  const parent = lossOf(target.trial(pair.parent), target) ?? 0;
  const score = parent - loss;
  const below = scores.filter((one) => one < score).length + scores.filter((one) => one === score).length / 2;
  const rank = (below + 1) / (scores.length + 2);
  scores.push(score);
  return (2 * rank - 1) * (pair.coin === "with" ? 1 : -1);
}

/** Lower is better; Infinity for what crashed or was stopped; undefined for what was nobody's fault. */
function lossOf(trial: Trial | undefined, target: View): number | undefined {
  const outcome: Outcome | undefined = trial?.outcome;
  if (!outcome || outcome.status === "lost" || outcome.status === "cancelled") return undefined;
  if (outcome.status !== "measured") return Infinity;
  return target.objective.direction === "minimize" ? outcome.metric : -outcome.metric;
}

/** How far each side went from the parent. */
function stepsOf(pair: Pair, target: View): Record<"with" | "without", number> | undefined {
  const { space } = target;
  const valuesOf = (trial: Trial | undefined) => (trial?.candidate as TaskChange | undefined)?.values;
  const [from, without, withIt] = [target.trial(pair.parent), pair.without, pair.with].map(valuesOf);
  if (!space || !from || !without || !withIt) return undefined;
  return { without: distance(space, from, without) + stepGuard, with: distance(space, from, withIt) + stepGuard };
}

/** What the change gained in this pair, in the metric's unit. */
function effectOf({ without, with: withIt }: Pair, target: View): number | undefined {
  const effect = (lossOf(without, target) ?? NaN) - (lossOf(withIt, target) ?? NaN);
  return Number.isFinite(effect) ? effect : undefined;
}

/** Mean difference with its 95 % interval (Student); nothing of one alone, or where the squares of what diverged have no number. */
function interval(differences: readonly number[]): Pick<Evidence, "effect"> {
  if (differences.length < 2) return {};
  const middle = mean(differences);
  const half = studentT(0.975, differences.length - 1) * Math.sqrt(variance(differences) / differences.length);
  return Number.isFinite(half) ? { effect: { mean: middle, low: middle - half, high: middle + half } } : {};
}
