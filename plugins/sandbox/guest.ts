/**
 * The inside of the sandbox: the only code that a mechanism meets there. It
 * gives the plugin `Taps` of its own and answers messages with text. No host
 * function is in reach, nothing is shared, and what a mechanism could bend
 * (prototypes, globals) is frozen before its file is loaded.
 */
import type { Log, Plugin, Taps, TaskChange, Trial, Turn, View } from "../../core/index.ts";
import * as kit from "../../kit/index.ts";
import type { Described, Head, Message, Reply, Start, TapName } from "./protocol.ts";

type Fn = (...args: unknown[]) => unknown;

const { canonical, deepFreeze, isObject, streamOf } = kit;
const longestError = 500;
const { parse, stringify } = JSON;
const text = String;

let plugin: Plugin | undefined;
let start: Start;
let head: Head;
const taps: [TapName, Fn][] = [];
const folds: { state: unknown; fold: (state: unknown, trial: Trial, view: View) => unknown }[] = [];
const trials: Trial[] = [];
const places = new Map<number, number>();

/** Takes the default export of a mechanism's file: a plugin, or a function that returns one. */
export function adopt(exported: unknown): string {
  return guarded(() => {
    const made: unknown = typeof exported === "function" ? (exported as () => unknown)() : exported;
    const { name, kinds = ["task"], schema } = isObject(made) ? made : {}; // read once: a getter may answer otherwise next time
    if (!isObject(made) || typeof name !== "string" || typeof made.apply !== "function")
      throw new TypeError("the file's default export is not a mechanism: export default mechanism({ … })");
    if (!Array.isArray(kinds)) throw new TypeError('kinds is a list: ["task"], ["arm"] or both');
    plugin = made as unknown as Plugin;
    const seen: TapName[] = [];
    if (isThenable(plugin.apply?.(observer(seen)))) throw new TypeError("apply answers with a promise");
    const described: Described = { name, kinds: kinds.map(text), schema, taps: seen };
    return described;
  });
}

export const receive = (message: string): string => guarded(() => answer(parse(message) as Message));

function guarded(work: () => unknown): string {
  let reply: Reply;
  try {
    const value = work();
    if (isThenable(value)) throw new TypeError("answered with a promise; mechanisms answer at once");
    reply = { value };
  } catch (error) {
    reply = { error: tell(error) };
  }
  try {
    return stringify(reply);
  } catch (error) {
    return stringify({ error: `its answer is not JSON: ${tell(error)}` });
  }
}

const isThenable = (value: unknown): boolean => isObject(value) && typeof value.then === "function";

/** The message of whatever was thrown, with its line, cut; a hostile one must not cost more than itself. */
export function tell(error: unknown): string {
  try {
    if (!(error instanceof Error)) return text(error).slice(0, longestError);
    const line = /mechanism:(\d+)/.exec(text(error.stack))?.[1];
    return `${text(error.name)}: ${text(error.message)}`.slice(0, longestError) + (line ? ` (line ${line})` : "");
  } catch {
    return "threw something that cannot be told";
  }
}

function answer(message: Message): unknown {
  switch (message.do) {
    case "start": {
      ({ start } = message);
      // filled in place: a plugin reads its options when it is applied
      if (isObject(plugin?.options)) Object.assign(plugin.options, start.options);
      plugin?.apply?.(guestTaps());
      return undefined;
    }
    case "fold":
      return fold(message.trial, message.head);
    case "propose": {
      learn(message.head);
      const turn = turnOf(message.turn);
      return taps
        .filter(([name]) => name === message.tap)
        .reduce<unknown>((draft, [, tap]) => tap(deepFreeze(draft ?? message.draft), turn) ?? draft, undefined);
    }
    case "progress":
      learn(message.head);
      return first("progress", deepFreeze(message.trial), deepFreeze(message.progress), viewNow());
    case "select":
      learn(message.head);
      return first("select", deepFreeze(message.verdict), deepFreeze(message.trial), viewNow());
    case "probe":
      return folds.map(({ state }) => fingerprint(state)).join("\n");
  }
}

function learn(changes: Partial<Head>): void {
  head = { ...head, ...deepFreeze(changes) };
}

const first = (name: TapName, ...args: unknown[]): unknown => {
  for (const [known, tap] of taps) if (known === name) return tap(...args);
  return undefined;
};

function fold(trial: Trial, changes: Partial<Head>): void {
  learn(changes);
  places.set(trial.id, trials.length);
  trials.push(deepFreeze(trial));
  const view = viewNow();
  for (const cell of folds) cell.state = cell.fold(cell.state, trial, view);
  for (const [name, tap] of taps) if (name === "reflect") tap(trial, view);
}

/** The first trials of the guest's copy, as many as there are now. */
function viewNow(): View {
  const length = trials.length;
  const log: Log<Trial> = {
    length,
    at: (index) =>
      index < 0
        ? length + index >= 0
          ? trials[length + index]
          : undefined
        : index < length
          ? trials[index]
          : undefined,
    last: (count) => trials.slice(Math.max(0, length - count), length),
    *[Symbol.iterator]() {
      for (let index = 0; index < length; index++) yield trials[index] as Trial;
    },
  };
  const trial = (id: number): Trial | undefined => {
    const place = places.get(id);
    return place !== undefined && place < length ? trials[place] : undefined;
  };
  const { incumbent, baseline, noiseFloor, budget, ...rest } = head;
  const best = incumbent ? trial(incumbent.id) : undefined;
  return {
    ...rest,
    level: start.level,
    trials: log,
    trial,
    budget: { used: budget.used, trials: budget.trials ?? Infinity },
    catalogue: [],
    struck: [],
    space: start.space,
    objective: start.objective,
    baseline: baseline ?? undefined,
    noiseFloor: noiseFloor ?? undefined,
    ...(incumbent && best
      ? {
          incumbent: {
            trial: best,
            value: incumbent.value ?? NaN,
            se: incumbent.se ?? NaN,
            repeats: incumbent.repeats,
          },
        }
      : {}),
    evidence: new Map(),
  };
}

function turnOf({ number, parent, refused, draws }: Extract<Message, { do: "propose" }>["turn"]): Turn<TaskChange> {
  const view = viewNow() as View<TaskChange>;
  const found = view.trial(parent);
  if (!found) throw new Error(`trial ${parent} is not known`);
  let stream: (() => number) | undefined;
  return {
    number,
    view,
    parent: found,
    refused: deepFreeze(refused) as Turn<TaskChange>["refused"],
    random: () => (stream ??= streamOf("turn", ...draws))(),
    signal: { aborted: false } as AbortSignal,
    once: () => {
      throw new Error("a generated mechanism may not call once");
    },
  };
}

function guestTaps(): Taps<unknown> {
  return {
    level: start.level,
    seed: start.seed,
    space: start.space,
    objective: start.objective,
    state(init, fold) {
      const cell = { state: init() as unknown, fold: fold as (state: unknown, trial: Trial, view: View) => unknown };
      folds.push(cell);
      return {
        get value() {
          return cell.state as never;
        },
      };
    },
    propose: (stage, tap) => void taps.push([`propose:${stage}`, tap as unknown as Fn]),
    progress: (tap) => void taps.push(["progress", tap as unknown as Fn]),
    select: (tap) => void taps.push(["select", tap as unknown as Fn]),
    reflect: (tap) => void taps.push(["reflect", tap as unknown as Fn]),
    evaluate: () => {
      throw new Error("a generated mechanism may not evaluate trials");
    },
  };
}

/** Taps that only note which ones there are. */
function observer(seen: TapName[]): Taps<unknown> {
  const note = (name: TapName) => () => void seen.push(name);
  return {
    level: "",
    seed: "",
    space: { parameters: {} },
    objective: { metric: "", direction: "minimize" },
    state: () => ({
      get value(): never {
        throw new Error("state is not there yet");
      },
    }),
    propose: (stage) => void seen.push(`propose:${stage}`),
    progress: note("progress"),
    select: note("select"),
    reflect: note("reflect"),
    evaluate: () => {
      throw new Error("a generated mechanism may not evaluate trials");
    },
  };
}

/** A text that differs where two states do; cut off after so many values. */
function fingerprint(state: unknown, most = 20_000): string {
  const seen = new Set<unknown>();
  const parts: string[] = [];
  const walk = (value: unknown): void => {
    if (parts.length > most) return;
    if (typeof value !== "object" || value === null)
      return void parts.push(typeof value === "function" ? "function" : `${typeof value} ${text(value)}`);
    if (seen.has(value)) return void parts.push("seen");
    seen.add(value);
    if (value instanceof Map || value instanceof Set) {
      parts.push(value instanceof Map ? "map" : "set");
      for (const one of value) walk(one);
    }
    for (const key of Object.keys(value)) {
      parts.push(key);
      walk((value as Record<string, unknown>)[key]);
    }
    parts.push("end");
  };
  walk(state);
  return canonical(parts);
}

/** Takes away what is neither repeatable nor needed, and freezes the rest: a mechanism's state lives in its fold alone. */
export function lock(): void {
  const refuse = (what: string) => () => {
    throw new Error(what);
  };
  const stray = globalThis as unknown as Record<string, unknown>;
  for (const name of [
    "eval",
    "Function",
    "Date",
    "performance",
    "SharedArrayBuffer",
    "Atomics",
    "WeakRef",
    "FinalizationRegistry",
    "navigator",
    "console",
    "print",
    "queueMicrotask",
  ])
    Reflect.deleteProperty(stray, name);
  Math.random = refuse("Math.random cannot be repeated: use turn.random()");
  for (const name of ["prepareStackTrace", "stackTraceLimit"]) Reflect.deleteProperty(Error, name);
  const makers = [function () {}, async function () {}, function* () {}, async function* () {}];
  for (const maker of makers)
    Object.defineProperty(Object.getPrototypeOf(maker), "constructor", {
      value: refuse("code cannot be made from text"),
    });
  const frozen = new Set<unknown>();
  const freeze = (value: unknown): void => {
    if ((typeof value !== "object" && typeof value !== "function") || value === null || frozen.has(value)) return;
    frozen.add(value);
    for (const key of Reflect.ownKeys(value)) {
      const property = Object.getOwnPropertyDescriptor(value, key);
      for (const inner of [property?.value, property?.get, property?.set]) freeze(inner);
    }
    freeze(Object.getPrototypeOf(value));
    Object.freeze(value);
  };
  const iterators = [
    [][Symbol.iterator](),
    new Map().entries(),
    new Set().values(),
    ""[Symbol.iterator](),
    "".matchAll(/./g),
  ];
  freeze(globalThis);
  for (const name of Object.keys(kit)) freeze((kit as Record<string, unknown>)[name]);
  for (const hidden of [...iterators, ...makers, (function* () {})()]) freeze(Object.getPrototypeOf(hidden));
}
