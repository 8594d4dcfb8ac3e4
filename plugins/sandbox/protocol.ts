import type { Draft, Objective, Policy, Progress, Space, Trial, Verdict } from "../../core/index.ts";

/**
 * What crosses the boundary of the sandbox, always as JSON text. The guest keeps
 * its own copy of the finished trials, so that a message carries only what is
 * new; an interpreter of another language could stand behind it just as well.
 */

/** Bytes that one mechanism may use, of heap and of stack, and characters of a message. */
export const limits = { heap: 64 * 2 ** 20, stack: 256 * 2 ** 10, text: 64 * 2 ** 10 } as const;

/** What a view holds besides its trials; the guest keeps the last one, and a message names only what changed (null: gone). */
export interface Head {
  policy: Policy;
  budget: { trials: number | null; used: number };
  slots: { count: number; busy: number };
  inForce: readonly string[];
  pending: readonly Trial[];
  baseline: number | null;
  noiseFloor: number | null;
  incumbent: { id: number; value: number | null; se: number | null; repeats: number } | null;
}

/** First message to a guest: where it searches, with which options. */
export interface Start {
  level: string;
  seed: string;
  space: Space;
  objective: Objective;
  options?: unknown;
}

/** A turn, without its view; `draws` seeds its stream of random numbers. */
export interface TurnText {
  number: number;
  parent: number;
  refused: readonly { candidate?: unknown; reason: string }[];
  draws: readonly number[];
}

/** The hooks that a guest can tap, with the stage of `propose`. */
export type TapName = `propose:${"BRIEF" | "TURN" | "SOURCE" | "SHAPE" | "GUARD"}` | "progress" | "select" | "reflect";

export type Message =
  | { do: "start"; start: Start }
  | { do: "fold"; trial: Trial; head: Partial<Head> }
  | { do: "propose"; tap: TapName; head: Partial<Head>; turn: TurnText; draft: Draft<unknown> }
  | { do: "progress"; head: Partial<Head>; trial: Trial; progress: readonly Progress[] }
  | { do: "select"; head: Partial<Head>; trial: Trial; verdict: Verdict }
  /** A digest of the state, to see whether it changed. */
  | { do: "probe" };

/** What the default export of a mechanism's file says of itself. */
export interface Described {
  name: string;
  kinds: readonly string[];
  schema?: unknown;
  taps: readonly TapName[];
}

/** The guest's answer: a value (undefined: no opinion), or why there is none. */
export type Reply = { value?: unknown } | { error: string };

/** Text of a guest as it may be shown and sent on: cut, and without characters that a terminal would obey or nobody would see. */
export const plainText = (text: string, most: number): string => text.slice(0, most).replace(/[^\P{C}\n\t]/gu, " ");
