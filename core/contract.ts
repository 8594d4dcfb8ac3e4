/**
 * The types that everything else hangs on. A loop searches over candidates; the inner loop's are changes to the task,
 * an outer loop's are changes to the arm of a loop below it, whose segment its evaluator runs. Both are one engine.
 */

import type { Space, Values } from "../kit/space.ts";

export type { Domain, Parameter, Space, Value, Values } from "../kit/space.ts";

/** What `bilevel.config.ts` exports. */
export interface Config {
  /** A preset by name or value: a plain config under this one; objects are merged, arrays replaced. */
  extends?: string | Config;
  /** Name of the run's folder in `.bilevel/`. Default: `run`. */
  name?: string;
  task?: Task;
  objective: Objective;
  space?: Space;
  /** The language model of all levels: `llm({...})`. Without it everything runs on classical search. */
  llm?: Model;
  /** Runs the inner loop's trials: `evaluateProcess({...})`, `evaluateFunction({...})`. One line to swap. */
  evaluator: Plugin;
  /** Fills what no mechanism proposed. Default: `proposeSearch()`, with `llm` `proposeHybrid()`. */
  proposer?: Plugin;
  /** Decides what is kept. Default: `selectImprovement()`. */
  selector?: Plugin;
  /** Innermost first. */
  levels: readonly Level[];
  /** Mechanisms here are the catalogue that research draws on (in force at once where no level does research); the rest observe. */
  plugins?: readonly Plugin[];
  budget: BudgetLimits;
  /** Everything random is a function of it. Default: `"bilevel"`. */
  seed?: string;
}

/** `stallTrials`: end after that many finished trials without a new best. */
export type BudgetLimits = { trials?: number; hours?: number; tokens?: number; usd?: number; stallTrials?: number };

export interface Objective {
  metric: string;
  direction: "minimize" | "maximize";
  /** Declares that equal candidates measure equal: nothing is repeated. */
  noise?: "none";
  /** The run ends once the best reaches it. */
  target?: number;
  /** Bounds on other metrics. A breach is a discard with its reason. */
  limits?: Readonly<Record<string, { min?: number; max?: number }>>;
  /** Command run in the trial's folder before a keep; a failure is a discard with its reason. */
  check?: readonly string[];
}

/** The user's folder and how a candidate's values reach the program in it. */
export interface Task {
  /** Relative to the config file. */
  folder: string;
  command: readonly string[];
  values?: { via: "constants"; file: string } | { via: "env" } | { via: "args" } | { via: "json"; file: string };
  /** Where the trial's seed goes. `"none"` declares the program free of noise: nothing is repeated. */
  seed?: { constant: string } | { env: string } | { arg: string } | "none";
  /** The seed of the baseline and of every search trial. Default 42. */
  firstSeed?: number;
  /** Globs: of the files that edits may touch; that must be unchanged after a trial; that are linked into its folder instead of copied; that are neither. */
  editable?: readonly string[];
  protected?: readonly string[];
  link?: readonly string[];
  ignore?: readonly string[];
  /** How the metric is read. Default: `key: value` lines of the output. */
  metrics?:
    { from: "lines" } | { from: "regex"; pattern: string } | { from: "json-lines" } | { from: "file"; file: string };
  /** Set when the program stops by itself after so many seconds, so that its result depends on the machine's load. */
  secondsBudget?: number;
}

/** Text replaced in one file; `find` must occur exactly once. */
export type Edit = { file: string; find: string; replace: string };

/** Candidate of an inner loop. A draft may name only what differs from its parent; a trial's is whole: all active values, all edits since the frozen task. */
export type TaskChange = { values?: Values; edits?: readonly Edit[] };

/** Candidate of an outer loop: a change to the arm of the loop named `of`; with nothing else in it, a segment without a change. */
export interface ArmChange {
  of: string;
  policy?: Partial<Policy>;
  install?: MechanismSource;
  /** Name of a mechanism in force. */
  remove?: string;
}

/** What a loop is told to do, short of new code. */
export interface Policy {
  /** Parameters that keep their parent's value. */
  frozen: readonly string[];
  /** Parameters to prefer when there is a choice; empty: all alike. */
  focus: readonly string[];
  /** For proposers that read. */
  guidance: string;
  /** `explore`: longer steps; `exploit`: shorter ones; `balanced`. */
  strategy: string;
}

export type MechanismSource = { from: "plugin"; name: string } | Generated;

/** The file of a mechanism that was written for this run. What follows `idea` is added by its admission: the hooks that it taps, its options with their defaults, and whether it changes decisions of this run (`live`), only gives advice (`spoken`), or is not needed yet (`waiting`). */
export interface Generated {
  from: "code";
  name: string;
  code: string;
  idea: string;
  taps?: readonly string[];
  options?: object;
  standing?: "live" | "spoken" | "waiting";
}

/** A candidate on its way through propose. */
export interface Draft<C> {
  candidate?: C;
  /** Who proposed: a proposer's or a mechanism's name. */
  by?: string;
  hypothesis?: string;
  /** Why it stands in for a draft that could not be made: of a pair, such a side compares with nothing. */
  standsIn?: string;
  /** Set by GUARD taps and by core's check: this draft must not run, because. */
  refused?: string;
  /** What mechanisms have to say to a proposer that reads. */
  brief: readonly { from: string; text: string }[];
}

export interface Trial<C = unknown> {
  readonly id: number;
  readonly turn: number;
  /** Id of the trial whose candidate this one changed; the baseline is its own parent. */
  readonly parent: number;
  readonly candidate: C;
  readonly by: string;
  readonly hypothesis?: string;
  /** A repeat of that trial with another seed: not proposed, not a duplicate. */
  readonly repeatOf?: number;
  /** Part of the final comparison on seeds that the search never used. */
  readonly confirms?: boolean;
  /** Ids of the changes whose arm made and judges it; with `side`, which half of a pair it is. */
  readonly arm: readonly string[];
  readonly side?: "with" | "without";
  /** The change that this trial's turn tested. */
  readonly tests?: string;
  readonly seed: number;
  /** Every tap that changed something on the way, and what. */
  readonly touches: readonly Touch[];
  readonly outcome?: Outcome;
  readonly verdict?: Verdict;
}

export interface Touch {
  /** Name of the plugin whose tap it was. */
  tap: string;
  hook: HookName;
  did: "spoke" | "proposed" | "changed" | "refused" | "stopped" | "decided" | "failed";
  detail?: string;
  /** What would have been without it, where that is known: the draft, or the decision, before. */
  instead?: unknown;
}

export type HookName = "propose" | "evaluate" | "progress" | "select" | "reflect";

/** `seconds` and `where` may differ between equal runs. */
export type Outcome = {
  seconds: number;
  where?: { host: string; slot: number; device?: string; queuedSeconds?: number };
} & (
  | { status: "measured"; metric: number; metrics: Readonly<Record<string, number>> }
  | { status: "pruned"; metric?: number; reason: string }
  /** The candidate's own fault; counts as a trial. Kinds: oom, diverged, no-metric, exit, signal, timeout, tampered, refused, and a plugin's own. */
  | { status: "crashed"; kind: string; reason: string }
  /** Nobody's fault: infrastructure, an interrupt. Owed again, the budget is not charged. */
  | { status: "lost" | "cancelled"; reason: string }
);

export interface Verdict {
  /** Of a task change: keep, discard, or repeat. Of a change to an arm: keep, revert, undecided, or repeat (go on collecting). */
  decision: "keep" | "discard" | "repeat" | "revert" | "undecided";
  /** Improvement over the trial's own parent in the metric's unit; positive is better whatever the direction. For learning only. */
  gain?: number;
  /** How many more measurements are wanted; with `repeat` 1 by default. */
  repeats?: number;
  /** The trial whose candidate is to be measured again, where it is not this one's. */
  again?: number;
  /** What is known of the candidate's true value, all its repeats together. */
  estimate?: Estimate;
  /** Of the task, as known at this verdict; same unit as the metric. */
  noiseFloor?: number;
  evidence?: Evidence;
  reason: string;
}

/** `value`: mean of the repeats, shrunk; `se`: its standard error; `repeats`: how many measurements. */
export type Estimate = { value: number; se: number; repeats: number };

/** Where in `propose` a tap stands. Named, never a bare number. */
export const Stage = { BRIEF: -200, TURN: -100, SOURCE: 0, SHAPE: 100, GUARD: 200 } as const;

export type Progress = { step: number; value: number };

/** A read-only window over the append-only log; trials in it are frozen once, when folded. */
export interface Log<T> extends Iterable<T> {
  readonly length: number;
  at(index: number): T | undefined;
  last(count: number): readonly T[];
}

/** What a tap may know: the loop's past and what is pending. Finished trials in the order of their verdicts. */
export interface View<C = unknown> {
  readonly level: string;
  readonly policy: Policy;
  readonly trials: Log<Trial<C>>;
  /** A finished trial by its id. */
  trial(id: number): Trial<C> | undefined;
  readonly pending: readonly Trial<C>[];
  /** Of this level; `trials` is Infinity where only the levels below are limited. */
  readonly budget: { trials: number; used: number };
  /** Trials that may run at a time, and how many did on average when one ended, that one included. */
  readonly slots: { count: number; busy: number };
  /** Names of the mechanisms in force. */
  readonly inForce: readonly string[];
  /** Names of the mechanisms that may be installed. */
  readonly catalogue: readonly string[];
  /** Where the methods of its mechanisms come from, by name, as far as they say. */
  readonly sources?: Readonly<Record<string, string>>;
  /** Names of generated mechanisms that failed too often and are left out. */
  readonly struck: readonly string[];
  /** Inner loops; undefined above. */
  readonly space?: Space;
  readonly objective: Objective;
  readonly baseline?: number;
  readonly noiseFloor?: number;
  readonly incumbent?: Estimate & { trial: Trial<C> };
  /** Evidence of every change that was tested in this level, by its id. */
  readonly evidence: ReadonlyMap<string, Evidence>;
  /** The level below, read-only: what an outer loop's taps diagnose. */
  readonly below?: View;
}

/** The only door for anything that is not a pure function of the journal: recorded before it returns, replayed on resume. Undefined is not recorded. */
export interface Recorder {
  once<T>(kind: string, request: unknown, run: () => Promise<T>): Promise<T>;
}

export interface Turn<C> extends Recorder {
  readonly number: number;
  readonly view: View<C>;
  /** The trial whose candidate a proposal changes: the incumbent when the turn began. */
  readonly parent: Trial<C>;
  /** Earlier drafts of this turn that were refused, with the reason. */
  readonly refused: readonly { candidate?: C; reason: string }[];
  /** Numbers in [0, 1) from (run seed, level, turn, attempt, tap) alone; the same on both sides of a pair. */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** What a tap on `select` sees. */
export interface Judging<C> extends View<C>, Recorder {
  /** The trial's own folder, as its evaluator left it. */
  readonly folder: string;
}

export interface Evaluation<C = unknown> extends Recorder {
  /** The trial's own folder; exists. */
  readonly folder: string;
  readonly slot: number;
  readonly signal: AbortSignal;
  readonly view: View<C>;
  report(progress: Progress): Promise<"continue" | "stop">;
  /** Journaled before the work starts, so that a resumed run finds it again. */
  handle(handle: Readonly<Record<string, unknown>>): Promise<void>;
  /** The handle journaled by an earlier process for this very trial: adopt what runs, or harvest what finished. */
  readonly handed?: Readonly<Record<string, unknown>>;
  /** Outer levels: the level directly below. */
  readonly below?: { run(segment: Segment): Promise<SegmentResult> };
}

/** What a level hands to the one below: how far to go, and its own change. Those from further up go along by themselves. */
export interface Segment {
  readonly trials: number;
  /** `always`: in force for the whole segment, without a control. */
  readonly probation?: { readonly change: ArmChange; readonly always?: boolean };
}

/** `turns`: those that tested the segment's change. `exhausted`: the run has nothing left to spend. */
export type SegmentResult = { trials: number; turns: number; evidence?: Evidence; exhausted: boolean };

/**
 * Two drafts of one turn from one parent, run in a random order with one seed. A side is undefined where it was not
 * run; `copied` says whose draft was refused or repeated a known point. With `coin`, only one draft was run because a
 * second one was not affordable.
 */
export interface Pair {
  readonly turn: number;
  readonly parent: number;
  readonly without?: Trial;
  readonly with?: Trial;
  readonly copied: readonly ("with" | "without")[];
  readonly coin?: "with" | "without";
}

/** A change under test. `place`: the first of its kind to be tested in its loop is 1. */
export type Test = { pairs: readonly Pair[]; turns: number; place: number };

/**
 * What the pairs of one change say so far: natural logarithms of the wealth
 * for and against it, the median ratio of step lengths with : without, and
 * the mean difference (positive: helps) with a 95 % interval in the metric's unit.
 */
export interface Evidence {
  pairs: number;
  turns: number;
  logWith: number;
  logAgainst: number;
  /** The wealth that keeps it. */
  needed: number;
  stepRatio?: number;
  effect?: { mean: number; low: number; high: number };
  decision?: "keep" | "revert" | "undecided";
}

/**
 * A plugin is a value that you import and put into the config.
 * `schema` describes `options` (JSON Schema); core checks them when the config
 * is loaded and fills defaults in place, so a plugin reads them from `open` on.
 */
export interface Plugin {
  readonly name: string;
  /** Version of this contract that the plugin was written for. */
  readonly contract: 1;
  /** Loops that it may shape: those that change tasks, those that change arms. Default: `["task"]`. */
  readonly kinds?: readonly ("task" | "arm")[];
  readonly schema?: object;
  readonly options?: unknown;
  /** `mechanism`: shapes the search of a loop; research may install and remove it. */
  readonly role?: "mechanism";
  /** Where a mechanism's method comes from: a paper, a book. */
  readonly source?: string;
  /** False for a mechanism that only judges or stops: it makes no other draft, so no pair can tell its worth, and it is in force from the start. */
  readonly proposes?: boolean;
  /** `generated`: what fails in it is contained and counted. */
  readonly origin?: "generated";
  /** Ticks of its interpreter that a generated plugin has used so far. */
  fuel?(): number;
  /** Once per run; side effects (servers, workers, clients) belong here, and end in `close`. */
  open?(run: Run): Promise<void>;
  close?(reason: string): Promise<void>;
  /** Called anew for every arm of every level that it belongs to; free of side effects. */
  apply?(taps: Taps<any>): void; // eslint-disable-line @typescript-eslint/no-explicit-any -- one plugin may serve task and arm levels
}

/** One fact of the journal. What may differ between two equal runs stands under `volatile`. */
export interface Fact {
  readonly n: number;
  readonly type: string;
  readonly level?: string;
  readonly volatile?: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

export interface Run {
  /** Absolute; holds the journal and everything that belongs to the run. */
  readonly folder: string;
  /** Absolute; relative paths of the config start here. */
  readonly home: string;
  readonly config: Config;
  /** True where the journal held facts already. */
  readonly resumed: boolean;
  /** For observers (progress, report, dashboard, trackers): they see every fact and influence nothing. */
  on(listener: (fact: Fact) => void): void;
  /** Journaled and shown to the user once; `detail` may differ between equal runs. */
  notice(text: string, detail?: string): void;
  /** Ends the run in good order, as a budget that is used up does: nothing more is planned. */
  end(reason: string): void;
  view(level: string): View;
}

/** A question to a language model. `form` is the JSON Schema of the answer. */
export interface Question {
  /** What it is for: told with its cost. */
  readonly purpose: string;
  readonly system: string;
  readonly prompt: string;
  readonly form: object;
  /** Sent before the prompt and no part of what the answer is recorded under: files of the task, which the journal does not hold. */
  readonly context?: string;
  readonly maxTokens?: number;
}

/** An answer that fits the form, or why there is none. */
export type Answered<T> = { readonly value: T } | { readonly failed: string };

/** A language model behind a server: one client for all plugins. */
export interface Model extends Plugin {
  /** Asks, through the recorder: a resumed or replayed run is given what was answered. Never throws for what the server does. */
  ask<T>(recorder: Recorder, question: Question): Promise<Answered<T>>;
}

/** What a tap may give back, now or later; undefined: no change. */
type Answer<T> = T | undefined | Promise<T | undefined>;

/** The only way to the hooks: owns the tap's name, its stage, its attribution and its failures. */
export interface Taps<C> {
  readonly level: string;
  /** The run's: what is random over a whole run is keyed by it. */
  readonly seed: string;
  /** Inner loops; undefined above. */
  readonly task?: Task;
  readonly space?: Space;
  readonly objective: Objective;
  readonly model?: Model;
  /** State of this plugin in this level, not of the arm: folded once per finished trial, in journal order. */
  state<S>(init: () => S, fold: (state: S, trial: Trial<C>, view: View<C>) => S): { readonly value: S };
  propose(stage: keyof typeof Stage, tap: (draft: Draft<C>, turn: Turn<C>) => Answer<Draft<C>>): void;
  evaluate(tap: (trial: Trial<C>, evaluation: Evaluation<C>) => Answer<Outcome>): void;
  progress(tap: (trial: Trial<C>, progress: readonly Progress[], view: View<C>) => Answer<"stop">): void;
  select(tap: (verdict: Verdict, trial: Trial<C>, judging: Judging<C>) => Answer<Verdict>): void;
  reflect(tap: (trial: Trial<C>, view: View<C>) => void | Promise<void>): void;
}

/** One level of the search: a plugin that says how its loop runs. All methods are pure. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- levels of both kinds stand in one list
export interface Level<C = any> extends Plugin {
  /** What its candidates change. */
  readonly kind: "task" | "arm";
  readonly slots?: number;
  /** The seed of its baseline and of every search trial. Default: the task's. */
  readonly firstSeed?: number;
  /** Turns proposed while no slot is free. Default: 1 with more than one slot, else 0. */
  readonly ahead?: number;
  /** In force in this level from the start. */
  readonly plugins?: readonly Plugin[];
  /** Used where the config names none. */
  readonly defaults?: { readonly proposer: Plugin; readonly selector: Plugin; readonly withModel?: Plugin };
  /** Outer: which loop below it changes. Default: the inner loop. */
  readonly of?: string;
  readonly changes?: "policy" | "mechanisms";
  /** Outer: trials of the level directly below that one of its own takes. */
  readonly every?: number;
  /** The baseline: the first trial's candidate. Without it the first turn is asked for. */
  start?(space: Space | undefined): C;
  /** Baselines measured at the same time, on a seed each, so that they share the machine as trials will. Default 1. */
  together?(view: View<C>): number;
  /** Completes a draft's candidate, or says why it must not run. `random` proposals of the fallback pass through it too. */
  admit(candidate: C, turn: Turn<C>): { candidate: C } | { refused: string };
  /** Equal keys are the same point; without it nothing is a duplicate. */
  key?(candidate: C): string;
  /** Takes over after three refused drafts; undefined: nothing is left to try and the loop ends. */
  fallback(turn: Turn<C>): C | undefined;
  /** What the pairs of a change of this level say; `target` is the loop that was changed. */
  judge?(test: Test, target: View): Evidence;
  /** Makes the plugin of a generated mechanism, with this name. */
  generate?(name: string, source: Generated): Plugin;
  /** Trials held back for `finish`. */
  reserve?(view: View<C>): number;
  /** Ids of the trials to measure again at the end of the run, in this order, in turns of the given size on one seed each. */
  finish?(view: View<C>): readonly (readonly number[])[];
}
