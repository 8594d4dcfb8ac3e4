import { mkdirSync } from "node:fs";
import type { Evaluation, Fact, Level, Outcome, Segment, SegmentResult, Touch, Trial } from "./contract.ts";
import { redacted } from "../kit/text.ts";
import { changeId, isEmpty } from "./arm.ts";
import { BilevelError, messageOf } from "./errors.ts";
import type { Probation, SegmentState, TurnState } from "./ledger.ts";
import type { Entry, TurnContext } from "./turn.ts";
import { armWith, evidenceOf, isMeasured, judgeTurn, planTurn, repeatOf } from "./turn.ts";

/** What every loop of a run shares. */
export interface Shared {
  /** Journals a fact and folds it into every level. */
  write(fact: Entry): Fact;
  /** Number of the last fact. */
  seen(): number;
  /** Aborted when the run is to stop: an interrupt, a failure. */
  readonly signal: AbortSignal;
  /** Ends the run with this error, in good order. */
  fail(error: unknown): void;
  /** Why a plugin wants the run to end, or undefined. */
  ended(): string | undefined;
  /** Hours that the run has worked, earlier processes included. */
  hours(): number;
}

const lossLimit = 3; // losses of one trial, after which the infrastructure is to blame and the run stops
const denseProgress = 100; // intermediate values; after those, only every further 2 % of a trial are journaled

/**
 * The engine: asks for turns, runs their trials in its slots, judges them. Knows no level: what a trial costs and means
 * is its evaluator's business. Evaluations run beside each other; planning and judging take their turn, so that a
 * proposal is made from one state and is a function of the journal.
 */
export class Loop<C = unknown> {
  readonly context: TurnContext<C>;
  readonly below?: Loop;
  readonly #shared: Shared;
  readonly #level: Level<C>;
  readonly #freeSlots: number[];
  readonly #ahead: number;
  #running = new Set<number>();
  #busy = 0;
  #order: Promise<unknown> = Promise.resolve();
  #wakers: (() => void)[] = [];
  #exhausted = false;

  constructor(context: TurnContext<C>, shared: Shared, below?: Loop) {
    this.context = context;
    this.below = below;
    this.#shared = shared;
    this.#level = context.ledger.setup.level as Level<C>;
    const slots = this.#level.slots ?? 1;
    this.#freeSlots = Array.from({ length: slots }, (_, slot) => slot);
    this.#ahead = this.#level.ahead ?? (slots > 1 ? 1 : 0);
  }

  get name(): string {
    return this.context.ledger.setup.name;
  }

  /** Why nothing more may be planned, or undefined. */
  get spent(): string | undefined {
    if (this.#shared.signal.aborted) return "stopped";
    const below = this.below?.spent;
    if (below !== undefined) return below;
    const ended = this.#shared.ended();
    if (ended !== undefined) return ended;
    if (this.#exhausted)
      return this.context.ledger.setup.space ? "every point of the space has been tried" : "nothing more was proposed";
    return this.#level.start ? (this.#goalReached() ?? this.#budgetSpent()) : undefined;
  }

  #goalReached(): string | undefined {
    const { ledger } = this.context;
    const { direction, target } = ledger.setup.objective;
    const { stallTrials = Infinity } = ledger.limits;
    const value = ledger.view().incumbent?.value;
    const isReached = (goal: number, best: number) => (direction === "minimize" ? best <= goal : best >= goal);
    if (value !== undefined && target !== undefined && isReached(target, value))
      return `the target of ${target} is reached`;
    return ledger.sinceBest >= stallTrials ? `no better trial in the last ${stallTrials}` : undefined;
  }

  #budgetSpent(): string | undefined {
    const { trials, hours = Infinity } = this.context.ledger.limits;
    if (this.context.left() <= 0) return `the budget of ${trials} ${trials === 1 ? "trial" : "trials"} is used up`;
    return this.#shared.hours() >= hours ? `the budget of ${hours} hours is used up` : undefined;
  }

  /** Measures the baseline, as often as the selectors ask. Returns at once when the search has begun. */
  async prepare(): Promise<void> {
    const { ledger } = this.context;
    if (!this.#level.start || ledger.searching) return;
    if (ledger.nextTurn === 0) this.#shared.write(this.#baseline());
    const together = this.#level.together?.(ledger.view()) ?? 1;
    for (;;) {
      while (ledger.nextTurn < together || ledger.owed.length > 0)
        this.#shared.write(repeatOf(this.context, 0, this.#shared.seen()));
      await this.drain();
      if (this.#shared.signal.aborted || ledger.owed.length === 0) return;
    }
  }

  #baseline(): Entry {
    const { ledger, firstSeed } = this.context;
    const trial: Trial<C> = { ...ledger.root, turn: 0, by: "baseline", seed: firstSeed };
    return { type: "turn", level: this.name, turn: 0, seen: this.#shared.seen(), trials: [trial] };
  }

  /**
   * Runs one segment: as many trials (a pair may go one beyond), or until
   * nothing is left to spend. Returns when the next segment's first turn could
   * start; trials still running then are judged all the same. Called again
   * with the id of a segment in the journal, it goes on with that one.
   */
  async run(id: string, trials: number | null, probation: readonly Probation[]): Promise<SegmentState> {
    const { ledger } = this.context;
    if (!ledger.segments.has(id)) this.#shared.write({ type: "segment", level: this.name, id, trials, probation });
    const segment = ledger.segments.get(id) as SegmentState;
    this.#fill();
    const isOpen = () => this.spent === undefined && (segment.trials === null || segment.budget.used < segment.trials);
    while (isOpen()) {
      await this.#room();
      if (isOpen()) await this.#step(segment);
    }
    if (this.spent === undefined) await this.#room();
    else await this.drain();
    return segment;
  }

  /** The measurements after the search, group by group, each on one seed that the search never used. */
  async finish(): Promise<void> {
    const { ledger, firstSeed } = this.context;
    const groups = this.#level.finish?.(ledger.view()) ?? [];
    const planned = groups.flatMap((group, index) => group.map((root) => ({ root, seed: firstSeed + 1000 + index })));
    for (const { root, seed } of planned.slice(ledger.confirms)) {
      if (this.#shared.signal.aborted) break;
      this.#shared.write(repeatOf(this.context, root, this.#shared.seen(), { confirms: true, seed }));
    }
    await this.drain();
  }

  /** Waits until nothing is planned or running. After a stop, only until nothing is running. */
  async drain(): Promise<void> {
    this.#fill();
    while (this.#busy > 0 || (!this.#shared.signal.aborted && this.#queue().length > 0)) await this.#change();
  }

  async #step(segment: SegmentState): Promise<void> {
    await this.#inOrder(async () => {
      const { ledger } = this.context;
      const seen = this.#shared.seen();
      const owed = ledger.owed[0];
      const plan =
        owed === undefined
          ? await planTurn(this.context, segment, seen)
          : repeatOf(this.context, owed, seen, { segment: segment.id });
      if (!plan) this.#exhausted = true;
      else if (!this.#shared.signal.aborted) this.#shared.write(plan);
    });
    this.#fill();
  }

  /** Planned trials that neither run nor have an outcome, in order. */
  #queue(): Trial<C>[] {
    return [...this.context.ledger.pending.values()].filter((trial) => !trial.outcome && !this.#running.has(trial.id));
  }

  /** Waits until another turn may be planned: a slot is free for it, or it is the one ahead. */
  async #room(): Promise<void> {
    for (;;) {
      if (this.#shared.signal.aborted) return;
      const queue = this.#queue();
      const isFree = this.#freeSlots.length > queue.length && (this.#level.slots ?? 1) > 1;
      if (isFree || this.#busy + queue.length === 0) return;
      if (new Set(queue.map((trial) => trial.turn)).size < this.#ahead) return;
      await this.#change();
    }
  }

  /** Judges the turns that an earlier process measured, wherever between two facts it ended. */
  recover(): void {
    const { ledger } = this.context;
    const isOpen = (turn: TurnState) =>
      turn.trials.some((id) => ledger.pending.has(id)) || (!!turn.tests && !turn.isCounted);
    for (const turn of ledger.turns.values())
      if (isOpen(turn) && isMeasured(ledger, turn)) this.#background(() => this.#settle(turn), turn.trials);
  }

  /** Starts planned trials while slots are free. */
  #fill(): void {
    if (this.#shared.signal.aborted) return;
    for (const trial of this.#queue()) {
      const slot = this.#freeSlots.shift();
      if (slot === undefined) return;
      this.#background(() => this.#runTrial(trial, slot), [trial.id]);
    }
  }

  #background(work: () => Promise<void>, ids: readonly number[]): void {
    this.#busy++;
    for (const id of ids) this.#running.add(id);
    work()
      .catch((error: unknown) => this.#shared.fail(error))
      .finally(() => {
        for (const id of ids) this.#running.delete(id);
        this.#busy--;
        this.#fill();
        this.#wake();
      });
  }

  async #runTrial(trial: Trial<C>, slot: number): Promise<void> {
    let outcome: Outcome;
    try {
      outcome = await this.#evaluate(trial, slot);
      const { seconds, where, ...rest } =
        "reason" in outcome ? { ...outcome, reason: redacted(outcome.reason) } : outcome;
      const volatile = { seconds, ...(where ? { where } : {}), at: Date.now() };
      this.#shared.write({ type: "outcome", level: this.name, trial: trial.id, outcome: rest, volatile });
    } finally {
      this.#freeSlots.push(slot);
      this.#freeSlots.sort((a, b) => a - b);
    }
    if (outcome.status === "lost" && (this.context.ledger.losses.get(trial.id) ?? 0) >= lossLimit)
      throw new BilevelError("E_INFRASTRUCTURE", `trial ${trial.id} was lost ${lossLimit} times: ${outcome.reason}`, {
        hint: "mend what runs the trials, then `bilevel resume`; a lost trial is not charged",
      });
    if (outcome.status !== "lost" && outcome.status !== "cancelled") {
      this.#fill();
      this.#wake();
      const turn = this.context.ledger.turns.get(trial.turn);
      if (turn && isMeasured(this.context.ledger, turn)) await this.#settle(turn);
    }
  }

  async #evaluate(trial: Trial<C>, slot: number): Promise<Outcome> {
    const { ledger } = this.context;
    const call = { context: () => this.#evaluation(trial, slot), touches: [] };
    const outcome = (await armWith(this.context, trial.arm).hooks.evaluate.promise(trial, call)) as Outcome | undefined;
    if (outcome) return outcome;
    throw new BilevelError(
      "E_PLUGIN_INVALID",
      `no evaluator answered for trial ${trial.id} of level ${ledger.setup.name}`,
      { hint: "the config's evaluator must tap evaluate and answer for every trial" },
    );
  }

  #evaluation(trial: Trial<C>, slot: number): Evaluation<C> {
    const { context, below } = this;
    const { ledger } = context;
    return {
      get folder() {
        const folder = context.folderOf(trial.id);
        mkdirSync(folder, { recursive: true });
        return folder;
      },
      slot,
      signal: this.#shared.signal,
      view: ledger.view(),
      handed: ledger.handles.get(trial.id),
      report: (progress) => this.#report(trial, progress.step, progress.value),
      handle: async (handle) => {
        this.#shared.write({ type: "handle", level: this.name, trial: trial.id, volatile: handle });
      },
      once: (kind, request, run) => context.once(`${this.name} trial ${trial.id}`, kind, request, run),
      ...(below ? { below: { run: (segment) => this.#runBelow(below, trial, segment) } } : {}),
    };
  }

  async #report(trial: Trial<C>, step: number, value: number): Promise<"continue" | "stop"> {
    const points = this.context.ledger.progress.get(trial.id) ?? [];
    if (points.length >= denseProgress && step < (points.at(-1)?.step ?? 0) * 1.02) return "continue";
    this.#shared.write({ type: "progress", level: this.name, trial: trial.id, step, value });
    if (trial.side !== undefined || trial.repeatOf !== undefined || trial.id === 0) return "continue";
    const { ledger } = this.context;
    const call = { context: () => ledger.view(), touches: [] as Touch[] };
    const { hooks } = armWith(this.context, trial.arm);
    const answer = (await hooks.progress.promise(trial, ledger.progress.get(trial.id) ?? [], call)) ?? "continue";
    const known = ledger.trial(trial.id)?.touches ?? [];
    const touches = call.touches.filter(({ tap, did }) => !known.some((one) => one.tap === tap && one.did === did));
    if (touches.length > 0) this.#shared.write({ type: "touch", level: this.name, trial: trial.id, touches });
    return answer;
  }

  /** Hands this trial's change down, with those handed down to it. */
  async #runBelow(below: Loop, trial: Trial<C>, segment: Segment): Promise<SegmentResult> {
    const { ledger } = this.context;
    const mine = ledger.turns.get(trial.turn)?.segment;
    const handedDown = (mine === undefined ? undefined : ledger.segments.get(mine)?.probation) ?? [];
    const { change, always } = segment.probation ?? { change: { of: "" } };
    const id = changeId(change);
    const own: Probation[] = isEmpty(change)
      ? []
      : [{ id, level: this.name, of: change.of, change, ...(always ? { always } : {}) }];
    const inherited = handedDown.filter((probation) => probation.id !== id);
    const ran = await below.run(`${this.name} ${trial.id}`, segment.trials, [...inherited, ...own]);
    const target = below.named(change.of)?.context.ledger;
    return {
      trials: ran.budget.used,
      turns: target?.pairs.get(id)?.turns ?? 0,
      evidence: target?.evidence.get(id),
      exhausted: below.spent !== undefined,
    };
  }

  named(name: string): Loop | undefined {
    return this.name === name ? (this as unknown as Loop) : this.below?.named(name);
  }

  async #settle(turn: TurnState): Promise<void> {
    const { context } = this;
    await this.#inOrder(async () => {
      for (const fact of await judgeTurn(context, turn, this.#shared.seen())) this.#shared.write(fact);
      const evidence = evidenceOf(context, turn, this.#shared.seen());
      if (evidence) this.#shared.write(evidence);
      for (const id of turn.trials) await this.#reflect(context.ledger.trial(id));
    });
  }

  async #reflect(trial: Trial<C> | undefined): Promise<void> {
    if (!trial) return;
    const { hooks } = armWith(this.context, trial.arm);
    if (hooks.reflect.isUsed())
      await hooks.reflect.promise(trial, { context: () => this.context.ledger.view(), touches: [] });
  }

  /** Planning and judging, one after the other in the order of asking. */
  #inOrder(work: () => Promise<void>): Promise<void> {
    const done = this.#order.then(work);
    this.#order = done.catch((error: unknown) => messageOf(error));
    return done;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wakers.push(resolve));
  }

  #wake(): void {
    for (const waker of this.#wakers.splice(0)) waker();
  }
}
