import { canonical } from "../kit/json.ts";
import type { ArmChange, Level, Model, Objective, Plugin, Policy, Space, Taps, Task, Trial, View } from "./contract.ts";
import { Stage } from "./contract.ts";
import type { Hooks, TapWatch } from "./hooks.ts";
import { failure, makeHooks } from "./hooks.ts";
import { digest } from "./journal.ts";

/** What a level is told to do when nothing has been changed. */
export const openPolicy: Policy = Object.freeze({ frozen: [], focus: [], guidance: "", strategy: "balanced" });

/** The name of a change: equal changes have equal names, in every segment and after every resume. */
export function changeId(change: ArmChange): string {
  if (change.install)
    return change.install.from === "plugin"
      ? change.install.name
      : `${change.install.name}@${digest(change.install.code).slice(0, 8)}`;
  if (change.remove !== undefined) return `without ${change.remove}`;
  if (change.policy)
    return Object.entries(change.policy)
      .map(([key, value]) => `${key}=${typeof value === "string" ? value : value.join("+") || "none"}`)
      .sort()
      .join(" ");
  return "no change";
}

/** True where the change changes nothing: its segment runs the arm that is. */
export const isEmpty = (change: ArmChange): boolean => !change.install && change.remove === undefined && !change.policy;

/** The changes in force after one more is kept. Removing an installed mechanism gives back exactly the arm that was; a policy takes the place of earlier ones that it overrides whole. */
export function enforce(
  inForce: readonly string[],
  id: string,
  changes: ReadonlyMap<string, ArmChange>,
): readonly string[] {
  const change = changes.get(id);
  if (!change || isEmpty(change)) return inForce;
  const removed = inForce.find((known) => {
    const install = changes.get(known)?.install;
    return install?.from === "plugin" ? install.name === change.remove : known === change.remove;
  });
  if (removed) return inForce.filter((known) => known !== removed);
  const { policy } = change;
  const overridden = (known: string): boolean => {
    const earlier = changes.get(known)?.policy;
    return !!policy && !!earlier && Object.keys(earlier).every((key) => key in policy);
  };
  return [...inForce.filter((known) => known !== id && !overridden(known)), id];
}

/** What a level is told and which mechanisms shape it, with these changes on top of its own mechanisms. */
export function inEffect(
  ids: readonly string[],
  changes: ReadonlyMap<string, ArmChange>,
  own: readonly string[],
): { policy: Policy; mechanisms: readonly string[] } {
  let [policy, mechanisms] = [openPolicy, own];
  for (const id of ids) {
    const change = changes.get(id);
    if (!change) throw new Error(`change ${id} is not in the journal`);
    policy = { ...policy, ...change.policy };
    const installed = change.install?.from === "plugin" ? [change.install.name] : change.install ? [id] : [];
    mechanisms = [...mechanisms.filter((name) => name !== change.remove && !installed.includes(name)), ...installed];
  }
  return { policy, mechanisms };
}

/** A set of changes in force, and the hooks built from them. Immutable: to change anything, another arm is built. */
export interface Arm<C> {
  readonly ids: readonly string[];
  readonly policy: Policy;
  readonly mechanisms: readonly string[];
  readonly hooks: Hooks<C>;
}

/** What an arm is built from: everything of a level but the changes. */
export interface ArmParts {
  readonly level: string;
  readonly seed: string;
  readonly base: readonly Plugin[];
  readonly catalogue: ReadonlyMap<string, Plugin>;
  /** Makes the plugins of generated mechanisms. */
  readonly generate?: Level["generate"];
  readonly task?: Task;
  readonly space?: Space;
  readonly objective: Objective;
  readonly model?: Model;
  readonly watch: TapWatch;
}

/** A plugin's state in a level: a fold of the finished trials, brought up to date when it is read. */
export interface StateLog<C> {
  readonly length: number;
  entry(index: number): { trial: Trial<C>; view: View<C> };
}

/**
 * Builds the arms of one level and keeps them. State belongs to the level and the plugin, never to an arm, and is
 * folded lazily: trial by trial in the order of their verdicts, each with the view of its own moment, so it does not
 * matter when it is read.
 */
export class Arms<C> {
  readonly #parts: ArmParts;
  readonly #log: StateLog<C>;
  #arms = new Map<string, Arm<C>>();
  #made = new Map<string, Plugin>();
  #states = new Map<string, { value: unknown; folded: number }[]>();

  constructor(parts: ArmParts, log: StateLog<C>) {
    this.#parts = parts;
    this.#log = log;
  }

  /** The arm with exactly these changes, in this order; `struck` plugins are left out. */
  arm(ids: readonly string[], changes: ReadonlyMap<string, ArmChange>, struck: ReadonlySet<string>): Arm<C> {
    const key = canonical([ids, [...struck]]);
    const known = this.#arms.get(key);
    if (known) return known;
    const { base, catalogue } = this.#parts;
    const isMechanism = (plugin: Plugin): boolean => plugin.role === "mechanism";
    const own = new Map(base.filter(isMechanism).map((plugin) => [plugin.name, plugin]));
    const { policy, mechanisms } = inEffect(ids, changes, [...own.keys()]);
    const shaping = mechanisms.flatMap(
      (name) => own.get(name) ?? catalogue.get(name) ?? this.#generated(name, changes) ?? [],
    );
    const hooks = makeHooks<C>(this.#parts.watch);
    for (const plugin of [...base.filter((one) => !isMechanism(one)), ...shaping])
      if (!struck.has(plugin.name)) this.#apply(plugin, hooks);
    const arm = { ids, policy, mechanisms, hooks };
    if (this.#arms.size >= 64) this.#arms.delete(this.#arms.keys().next().value as string);
    this.#arms.set(key, arm);
    return arm;
  }

  #apply(plugin: Plugin, hooks: Hooks<C>): void {
    try {
      if ((plugin.apply?.(this.#taps(plugin, hooks)) as unknown) instanceof Promise)
        throw new TypeError("it answered a promise; taps are made at once, what takes time belongs into open");
    } catch (error) {
      throw failure(plugin, "apply", this.#parts.level, error);
    }
  }

  /** One plugin for each file, whatever arms it is in: its state is the level's. */
  #generated(name: string, changes: ReadonlyMap<string, ArmChange>): Plugin | undefined {
    const install = changes.get(name)?.install;
    if (install?.from !== "code" || this.#made.has(name)) return this.#made.get(name);
    const made = this.#parts.generate?.(name, install);
    if (made) this.#made.set(name, { ...made, name, origin: "generated" });
    return this.#made.get(name);
  }

  #taps(plugin: Plugin, hooks: Hooks<C>): Taps<C> {
    const { level, seed, task, space, objective, model } = this.#parts;
    const options = (stage: number | undefined) => {
      if (stage === undefined) throw new TypeError(`propose has the stages ${Object.keys(Stage).join(", ")}`);
      return { name: plugin.name, stage, plugin };
    };
    let states = 0; // `as never` below: tapable sees a call's last argument, the wrapper turns it into the tap's own
    return {
      level,
      seed,
      task,
      space,
      objective,
      model,
      state: (init, fold) => this.#state(plugin.name, states++, init, fold),
      propose: (stage, tap) => hooks.propose.tapPromise(options(Stage[stage]), tap as never),
      evaluate: (tap) => hooks.evaluate.tapPromise(options(0), tap as never),
      progress: (tap) => hooks.progress.tapPromise(options(0), tap as never),
      select: (tap) => hooks.select.tapPromise(options(0), tap as never),
      reflect: (tap) => hooks.reflect.tapPromise(options(0), tap as never),
    };
  }

  #state<S>(
    plugin: string,
    index: number,
    init: () => S,
    fold: (state: S, trial: Trial<C>, view: View<C>) => S,
  ): { readonly value: S } {
    const states = this.#states.get(plugin) ?? [];
    this.#states.set(plugin, states);
    const cell = (states[index] ??= { value: init(), folded: 0 });
    const log = this.#log;
    return {
      get value() {
        for (; cell.folded < log.length; cell.folded++) {
          const { trial, view } = log.entry(cell.folded);
          cell.value = fold(cell.value as S, trial, view);
        }
        return cell.value as S;
      },
    };
  }
}
