import { deepFreeze } from "../kit/json.ts";
import type {
  ArmChange,
  BudgetLimits,
  Estimate,
  Evidence,
  Fact,
  Level,
  Log,
  Objective,
  Outcome,
  Pair,
  Policy,
  Progress,
  Space,
  Trial,
  Verdict,
  View,
} from "./contract.ts";
import { enforce, inEffect } from "./arm.ts";
import { Budget } from "./budget.ts";

/** A change on probation in a segment: whose it is, and which level's arm it changes. */
export interface Probation {
  readonly id: string;
  readonly level: string;
  readonly of: string;
  readonly change: ArmChange;
  readonly always?: boolean;
}

/** A bounded stretch of a loop, asked for by a trial of the level above. */
export interface SegmentState {
  readonly id: string;
  /** Null: until the run has nothing left to spend. */
  readonly trials: number | null;
  readonly probation: readonly Probation[];
  /** Its own share of the level's budget. */
  readonly budget: Budget;
}

/** What is known of one turn besides its trials. */
export interface TurnState {
  readonly turn: number;
  readonly segment?: string;
  readonly tests?: string;
  readonly copied?: readonly ("with" | "without")[];
  readonly coin?: "with" | "without";
  readonly trials: readonly number[];
  /** Its evidence is in the journal. */
  isCounted?: boolean;
}

/** What a level is, before anything has happened. */
export interface LevelSetup {
  readonly name: string;
  readonly level: Level;
  readonly objective: Objective;
  readonly space?: Space;
  /** What this level may spend; without limits, only those below are limited. */
  readonly budget: BudgetLimits;
  /** Names of the mechanisms in force from the start. */
  readonly mechanisms: readonly string[];
  /** Names of the mechanisms that may be installed. */
  readonly catalogue: readonly string[];
  readonly sources?: Readonly<Record<string, string>>;
}

interface Entry<C> {
  readonly trial: Trial<C>;
  readonly view: View<C>;
}

/** Everything that one level knows: a fold of the journal's facts. Live, resumed and replayed runs change it in one way, by `apply`, so they cannot differ. */
export class Ledger<C = unknown> {
  readonly setup: LevelSetup;
  readonly below?: Ledger;
  /** The parent of first trials in a level that measures no baseline: the arm as configured. */
  readonly root: Trial<C>;
  /** What the whole run may spend; of a level that only directs others, nothing. */
  limits: BudgetLimits;
  readonly budget: Budget;
  readonly segments = new Map<string, SegmentState>();
  readonly changes = new Map<string, ArmChange>();
  readonly turns = new Map<number, TurnState>();
  /** Measurements wanted by verdicts and not planned yet: ids of their root trials, in order. */
  readonly owed: number[] = [];
  readonly handles = new Map<number, Readonly<Record<string, unknown>>>();
  readonly progress = new Map<number, Progress[]>();
  readonly losses = new Map<number, number>();
  /** How often each trial was planned again, the final comparison aside. */
  readonly repeats = new Map<number, number>();
  readonly struck = new Set<string>();
  inForce: readonly string[] = [];
  nextTurn = 0;
  nextTrial: number;
  /** Finished trials since the best last changed. */
  sinceBest = 0;
  confirms = 0;
  searching = false;
  policy: Policy;
  mechanisms: readonly string[];
  evidence: ReadonlyMap<string, Evidence> = new Map();
  readonly pairs = new Map<string, { pairs: Pair[]; turns: number }>();
  #log: Entry<C>[] = [];
  #finished = new Map<number, { trial: Trial<C>; index: number }>();
  #pending = new Map<number, Trial<C>>();
  #points = new Map<string, number>();
  #accepted = new Map<number, Estimate>();
  #incumbent?: number;
  #noiseFloor?: number;
  #strikes = new Map<string, number>();
  /** Trials that ended, and the sum of the slots that were in use at these moments. */
  #ended = 0;
  #busy = 0;
  #view?: View<C>;

  constructor(setup: LevelSetup, below?: Ledger) {
    this.setup = setup;
    this.below = below;
    this.limits = setup.budget;
    this.budget = new Budget(setup.budget.trials);
    ({ policy: this.policy, mechanisms: this.mechanisms } = inEffect([], this.changes, setup.mechanisms));
    const candidate = (setup.level.start?.(setup.space) ?? {}) as C;
    this.root = deepFreeze({ id: 0, turn: -1, parent: 0, candidate, by: "config", arm: [], seed: 0, touches: [] });
    this.nextTrial = setup.level.start ? 0 : 1;
  }

  get length(): number {
    return this.#log.length;
  }

  entry(index: number): Entry<C> {
    return this.#log[index] as Entry<C>; // callers stay below `length`
  }

  get pending(): ReadonlyMap<number, Trial<C>> {
    return this.#pending;
  }

  trial(id: number): Trial<C> | undefined {
    return this.#finished.get(id)?.trial ?? this.#pending.get(id) ?? (id === this.root.id ? this.root : undefined);
  }

  /** Id of the planned or finished trial with this point. */
  known(key: string): number | undefined {
    return this.#points.get(key);
  }

  /** What is known of a trial's true value: its estimate where it was accepted, else what it measured. */
  valueOf(id: number): number | undefined {
    const outcome = this.trial(id)?.outcome;
    return this.#accepted.get(id)?.value ?? (outcome?.status === "measured" ? outcome.metric : undefined);
  }

  /** What is known now. The same object until something changes. */
  view(): View<C> {
    if (this.#view && this.#view.below === this.below?.view()) return this.#view;
    const { setup } = this;
    const length = this.#log.length;
    const incumbent = this.#incumbent === undefined ? undefined : this.trial(this.#incumbent);
    const estimate = incumbent && this.#accepted.get(incumbent.id);
    this.#view = {
      level: setup.name,
      policy: this.policy,
      trials: new Window(this.#log, length),
      trial: (id) => {
        const found = this.#finished.get(id);
        return found && found.index < length ? found.trial : undefined;
      },
      pending: [...this.#pending.values()],
      budget: { trials: this.budget.limit, used: this.budget.used },
      slots: { count: setup.level.slots ?? 1, busy: this.#ended === 0 ? 0 : this.#busy / this.#ended },
      inForce: this.mechanisms.filter((name) => !this.struck.has(name)),
      catalogue: setup.catalogue,
      sources: setup.sources,
      struck: [...this.struck],
      space: setup.space,
      objective: setup.objective,
      baseline: this.#accepted.get(0)?.value,
      noiseFloor: this.#noiseFloor,
      incumbent: incumbent && { trial: incumbent, ...(estimate ?? { value: NaN, se: NaN, repeats: 0 }) },
      evidence: this.evidence,
      below: this.below?.view(),
    };
    return this.#view;
  }

  /** Takes in one fact of this level, or a change kept by another level (`enforce`). */
  apply(fact: Fact): void {
    switch (fact.type) {
      case "segment":
        return this.#applySegment(fact as unknown as SegmentState);
      case "turn":
        return this.#applyTurn(fact as unknown as Omit<TurnState, "trials"> & { trials: Trial<C>[] });
      case "handle":
        this.handles.set(fact.trial as number, fact.volatile ?? {});
        return;
      case "progress": {
        const points = this.progress.get(fact.trial as number) ?? [];
        this.progress.set(fact.trial as number, points);
        points.push({ step: fact.step as number, value: fact.value as number });
        return;
      }
      case "touch": {
        const trial = this.#pending.get(fact.trial as number);
        const touches = fact.touches as Trial["touches"];
        if (trial) this.#pending.set(trial.id, deepFreeze({ ...trial, touches: [...trial.touches, ...touches] }));
        this.#view = undefined;
        return;
      }
      case "outcome":
        return this.#applyOutcome(fact.trial as number, {
          ...(fact.outcome as Outcome),
          seconds: (fact.volatile?.seconds ?? 0) as number,
          ...(fact.volatile?.where ? { where: fact.volatile.where as Outcome["where"] } : {}),
        });
      case "verdict":
        return this.#applyVerdict(
          fact.trial as number,
          fact.verdict as Verdict,
          (fact.touches ?? []) as Trial["touches"],
        );
      case "pair": {
        const id = fact.tests as string;
        const turn = this.turns.get(fact.turn as number);
        const pair = fact.counts && turn ? pairOf(this, turn) : undefined;
        if (pair) this.pairs.get(id)?.pairs.push(pair);
        if (turn) turn.isCounted = true;
        this.evidence = new Map(this.evidence).set(id, fact.evidence as Evidence);
        this.#view = undefined;
        return;
      }
      case "strike": {
        const plugin = fact.plugin as string;
        const strikes = (this.#strikes.get(plugin) ?? 0) + 1;
        this.#strikes.set(plugin, strikes);
        if (strikes >= 3 || fact.final) this.struck.add(plugin);
        this.#view = undefined;
      }
    }
  }

  /** New limits, where a resumed run has other ones. */
  allow(limits: BudgetLimits): void {
    this.limits = limits;
    this.budget.limit = limits.trials ?? Infinity;
    this.#view = undefined;
  }

  /** A change of this level's arm was kept by an outer level. */
  enforce(id: string, change: ArmChange): void {
    this.changes.set(id, change);
    this.inForce = enforce(this.inForce, id, this.changes);
    ({ policy: this.policy, mechanisms: this.mechanisms } = inEffect(
      this.inForce,
      this.changes,
      this.setup.mechanisms,
    ));
    this.#view = undefined;
  }

  #applySegment(segment: SegmentState): void {
    this.segments.set(segment.id, { ...segment, budget: new Budget(segment.trials ?? Infinity, this.budget) });
    for (const { id, change } of segment.probation) this.changes.set(id, change);
  }

  #applyTurn(turn: Omit<TurnState, "trials"> & { trials: Trial<C>[] }): void {
    const { trials, ...rest } = turn;
    const segment = turn.segment === undefined ? undefined : this.segments.get(turn.segment);
    this.turns.set(turn.turn, { ...rest, trials: trials.map(({ id }) => id) });
    this.nextTurn = turn.turn + 1;
    if (segment) this.searching = true;
    const charged = trials.filter((trial) => segment || trial.confirms || (trial.id !== 0 && trial.repeatOf !== 0));
    (segment?.budget ?? this.budget).charge(charged.length);
    for (const trial of trials) {
      this.#pending.set(trial.id, deepFreeze(trial));
      this.nextTrial = trial.id + 1;
      if (trial.confirms) this.confirms++;
      else if (trial.repeatOf !== undefined) {
        if (this.owed.includes(trial.repeatOf)) this.owed.splice(this.owed.indexOf(trial.repeatOf), 1);
        this.repeats.set(trial.repeatOf, (this.repeats.get(trial.repeatOf) ?? 0) + 1);
      } else if (this.setup.level.key) this.#points.set(this.setup.level.key(trial.candidate), trial.id);
    }
    if (turn.tests !== undefined) {
      const tested = this.pairs.get(turn.tests) ?? { pairs: [], turns: 0 };
      tested.turns++;
      this.pairs.set(turn.tests, tested);
    }
    this.#view = undefined;
  }

  #applyOutcome(id: number, outcome: Outcome): void {
    const trial = this.#pending.get(id);
    if (!trial) return;
    if (outcome.status === "lost") this.losses.set(id, (this.losses.get(id) ?? 0) + 1);
    if (outcome.status === "lost" || outcome.status === "cancelled") {
      this.handles.delete(id); // what it stood for is gone: the trial is owed again from its start
      this.progress.delete(id);
      const touches = trial.touches.filter(({ hook }) => hook !== "progress");
      this.#pending.set(id, deepFreeze({ ...trial, touches }));
      this.#view = undefined;
      return;
    }
    const running = [...this.#pending.values()].filter((one) => !one.outcome).length;
    this.#busy += Math.min(running, this.setup.level.slots ?? 1);
    this.#ended++;
    this.#pending.set(id, deepFreeze({ ...trial, outcome }));
    this.#view = undefined;
  }

  #applyVerdict(id: number, verdict: Verdict, touches: Trial["touches"]): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    const trial = deepFreeze({ ...pending, verdict, touches: [...pending.touches, ...touches] });
    const before = this.#incumbent;
    const root = trial.repeatOf ?? id;
    if (verdict.noiseFloor !== undefined) this.#noiseFloor = verdict.noiseFloor;
    if (!trial.confirms) {
      if (verdict.decision === "keep")
        this.#accepted.set(root, verdict.estimate ?? { value: NaN, se: NaN, repeats: 1 });
      else if (verdict.decision === "discard" && trial.repeatOf !== undefined) this.#accepted.delete(root);
      const wanted = verdict.repeats ?? (verdict.decision === "repeat" && this.setup.level.start ? 1 : 0);
      for (let n = 0; n < wanted; n++) this.owed.push(verdict.again ?? root);
      this.#incumbent = this.#best(root);
    }
    this.#pending.delete(id);
    this.#finished.set(id, { trial, index: this.#log.length });
    this.sinceBest = this.#incumbent === before ? this.sinceBest + 1 : 0;
    this.handles.delete(id);
    this.progress.delete(id);
    this.#log.push(undefined as never); // counted before its own view is made, filled right after
    this.#view = undefined;
    this.#log[this.#log.length - 1] = { trial, view: this.view() };
  }

  /** The accepted trial with the best estimate, of equal ones the last; where nothing is estimated, the last one that was kept. */
  #best(latest: number): number | undefined {
    const sign = this.setup.objective.direction === "minimize" ? 1 : -1;
    let best: number | undefined;
    for (const [id, { value }] of this.#accepted) {
      if (Number.isNaN(value)) {
        if (id === latest) return id;
        continue;
      }
      const leader = best === undefined ? Infinity : sign * (this.#accepted.get(best)?.value ?? Infinity);
      if (sign * value <= leader) best = id;
    }
    return best ?? this.#incumbent;
  }
}

/** Undefined where both arms made the same draft: nothing was compared. */
export function pairOf<C>(ledger: Ledger<C>, turn: TurnState): Pair | undefined {
  const trials = turn.trials.map((id) => ledger.trial(id)).filter((trial) => trial !== undefined);
  const copied = turn.copied ?? [];
  if (trials.length < 2 && copied.length === 0 && !turn.coin) return undefined;
  const side = (name: "with" | "without") => trials.find((trial) => trial.side === name);
  return {
    turn: turn.turn,
    parent: trials[0]?.parent ?? 0,
    with: side("with"),
    without: side("without"),
    copied,
    ...(turn.coin ? { coin: turn.coin } : {}),
  };
}

/** The first `length` trials of a log that only grows. */
class Window<C> implements Log<Trial<C>> {
  readonly length: number;
  readonly #log: readonly Entry<C>[];

  constructor(log: readonly Entry<C>[], length: number) {
    this.#log = log;
    this.length = length;
  }

  at(index: number): Trial<C> | undefined {
    const place = index < 0 ? this.length + index : index;
    return place < this.length ? this.#log[place]?.trial : undefined;
  }

  last(count: number): readonly Trial<C>[] {
    return this.#log.slice(Math.max(0, this.length - count), this.length).map(({ trial }) => trial);
  }

  *[Symbol.iterator](): Iterator<Trial<C>> {
    for (let index = 0; index < this.length; index++) yield (this.#log[index] as Entry<C>).trial;
  }
}
