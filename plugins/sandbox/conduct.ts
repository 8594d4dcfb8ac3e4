import type { View } from "../../core/index.ts";
import type { Rehearsal } from "./rehearsal.ts";
import type { Problem } from "./scan.ts";

/** What refuses or stops a larger share leaves the search to chance. */
const mostRefused = 0.8;
/** Of the points that it makes itself so many may be known ones; of the trials so many measured again, of those that the rule would keep so many discarded. */
const mostWasted = 0.5;
const leastTold = 5;
/** In a run the last so many proposals tell. */
const recent = 20;

/** What must not happen all the time, counted. */
interface Conduct {
  drafts: number;
  refused: number;
  trials: number;
  stopped: number;
  repeated: number;
  /** Trials that the rule would have kept, and how many of those it discarded. */
  keeps: number;
  overruled: number;
}

function problemOf({ drafts, refused, trials, stopped, repeated, keeps, overruled }: Conduct): string | undefined {
  if (refused > mostRefused * drafts)
    return `it refused ${refused} of ${drafts} drafts: what refuses nearly everything leaves the search to chance`;
  if (stopped > mostRefused * trials)
    return `it stopped ${stopped} of ${trials} trials: what is stopped is not measured`;
  if (repeated > mostWasted * trials)
    return `it had ${repeated} of ${trials} trials measured again: that is for the few that are close to the noise`;
  if (keeps >= leastTold && overruled > mostWasted * keeps)
    return `it discarded ${overruled} of ${keeps} trials that were better than the best`;
  return undefined;
}

/** What a mechanism does too often in its rehearsals. */
export function rehearsedConduct(all: readonly Rehearsal[]): Problem | undefined {
  const total = (key: Exclude<keyof Rehearsal, "problem" | "last" | "answers">): number =>
    all.reduce((sum, one) => sum + one[key], 0);
  const [turns, made, stale] = [total("turns"), total("made"), total("stale")];
  const message =
    problemOf({
      drafts: turns,
      refused: total("refused"),
      trials: turns,
      stopped: total("stopped"),
      repeated: total("repeated"),
      keeps: total("keeps"),
      overruled: total("overruled"),
    }) ??
    (made >= leastTold && stale > mostWasted * made
      ? `${stale} of the ${made} points that it made had been tried before: a known point teaches nothing`
      : undefined);
  return message === undefined ? undefined : { check: "contract", message };
}

/** The same in a run, where it may act otherwise than it rehearsed; told from the finished trials alone, so that a replay finds it too. */
export function conductProblem(name: string, { trials }: View): string | undefined {
  const proposed = trials.last(2 * recent).filter(({ id, repeatOf }) => id !== 0 && repeatOf === undefined);
  if (proposed.length < recent) return undefined;
  const last = proposed.slice(-recent).map(({ by, touches, verdict }) => {
    const own = touches.filter(({ tap }) => tap === name);
    const decided = own.find(({ did }) => did === "decided");
    const overruled = decided?.instead === "keep" && decided.detail === "discard";
    return {
      refused: by === "fallback" && own.some(({ did }) => did === "refused"),
      stopped: own.some(({ did }) => did === "stopped"),
      repeated: decided?.detail === "repeat",
      keeps: overruled || verdict?.decision === "keep",
      overruled,
    };
  });
  const count = (key: keyof (typeof last)[number]): number => last.filter((one) => one[key]).length;
  return problemOf({
    drafts: recent,
    refused: count("refused"),
    trials: recent,
    stopped: count("stopped"),
    repeated: count("repeated"),
    keeps: count("keeps"),
    overruled: count("overruled"),
  });
}
