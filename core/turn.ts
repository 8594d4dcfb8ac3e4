import { canonical } from "../kit/json.ts";
import { integer, streamOf } from "../kit/random.ts";
import type { Draft, Evidence, Judging, Outcome, Test, Touch, Trial, Turn, Verdict, View } from "./contract.ts";
import type { Arm, Arms } from "./arm.ts";
import type { Ledger, Probation, SegmentState, TurnState } from "./ledger.ts";
import { pairOf } from "./ledger.ts";

/** A fact that is not in the journal yet. */
export type Entry = { type: string; level: string } & Record<string, unknown>;

/** What one level needs to take its turns: the fold of the journal, the arms, the run's seed, the recorder. */
export interface TurnContext<C> {
  readonly ledger: Ledger<C>;
  readonly arms: Arms<C>;
  readonly seed: string;
  readonly firstSeed: number;
  readonly signal: AbortSignal;
  once<T>(scope: string, kind: string, request: unknown, run: () => Promise<T>): Promise<T>;
  folderOf(trial: number): string;
  /** Trials that may still be planned. */
  left(): number;
  /** What the pairs of a change say, by the rule of the level that put it on probation. */
  judge(level: string, test: Test): Evidence | undefined;
}

/** A draft that passed the check, or why the last of them did not. */
interface Side<C> {
  candidate?: C;
  refused?: string;
  draft?: Draft<C>;
  arm: Arm<C>;
  touches: Touch[];
}

const attempts = 3;

/** The arm with these changes on top of those in force. */
export const armWith = <C>({ ledger, arms }: TurnContext<C>, ids: readonly string[]): Arm<C> =>
  arms.arm(ids, ledger.changes, ledger.struck);

/** Changes of the segment that this level can test now. */
const openTo = <C>(ledger: Ledger<C>, segment: SegmentState): Probation[] =>
  segment.probation.filter(
    ({ id, of, always }) =>
      of === ledger.setup.name &&
      !always &&
      !ledger.evidence.get(id)?.decision &&
      !ledger.inForce.includes(id) &&
      !ledger.struck.has(id),
  );

/**
 * Plans the next turn of a segment as a fact: one trial, or a pair where a
 * change on probation makes another draft of it. A pure function of the
 * journal up to now (and of recorded answers). Undefined: nothing is left to try.
 */
export async function planTurn<C>(
  context: TurnContext<C>,
  segment: SegmentState,
  seen: number,
): Promise<Entry | undefined> {
  const { ledger } = context;
  const number = ledger.nextTurn;
  const random = streamOf(context.seed, ledger.setup.name, number, "turn");
  const open = openTo(ledger, segment);
  const tested = open.length > 0 ? open[integer(random, open.length)] : undefined;
  const shared = segment.probation.filter(
    (one) => one.of === ledger.setup.name && (one.always || (open.includes(one) && one !== tested && random() < 0.5)),
  );
  const background = [...ledger.inForce, ...shared.map(({ id }) => id).filter((id) => !ledger.inForce.includes(id))];
  const plan = { type: "turn", level: ledger.setup.name, turn: number, seen, segment: segment.id };
  const view = ledger.view(); // of one moment for the whole turn, whatever else is journaled meanwhile
  const parent = view.incumbent?.trial ?? ledger.root;
  const trialOf = (side: Side<C>, id: number, extra: Partial<Trial<C>> = {}): Trial<C> => ({
    id,
    turn: number,
    parent: parent.id,
    candidate: side.candidate as C,
    by: side.draft?.by ?? "unnamed",
    ...(side.draft?.hypothesis === undefined ? {} : { hypothesis: side.draft.hypothesis }),
    arm: side.arm.ids,
    ...(tested ? { tests: tested.id } : {}),
    ...extra,
    seed: context.firstSeed,
    touches: side.touches,
  });
  const off = armWith(context, background);
  const id = ledger.nextTrial;

  if (!tested) {
    const side = await draw(context, off, view, parent);
    return side && { ...plan, trials: [trialOf(side, id)] };
  }

  const on = armWith(context, [...background, tested.id]);
  const test = { ...plan, tests: tested.id };
  if (context.left() < 2) {
    const coin = random() < 0.5 ? "with" : "without";
    const side = await draw(context, coin === "with" ? on : off, view, parent);
    if (side?.draft?.standsIn) return { ...test, trials: [trialOf(side, id)] };
    return side && { ...test, coin, trials: [trialOf(side, id, { side: coin })] };
  }

  const firstWith = random() < 0.5;
  const without = await attempt(context, off, view, parent);
  const withIt = await attempt(context, on, view, parent);
  const copied = [...(without.candidate ? [] : ["without"]), ...(withIt.candidate ? [] : ["with"])];
  if (copied.length === 2) {
    const side = await fallBack(context, without, view, parent);
    return side && { ...test, copied, trials: [trialOf(side, id)] };
  }
  if (copied.length === 1) {
    const [side, name] = withIt.candidate ? [withIt, "with" as const] : [without, "without" as const];
    return { ...test, copied, trials: [trialOf(side, id, { side: name })] };
  }
  if (canonical(without.candidate) === canonical(withIt.candidate))
    return { ...test, trials: [trialOf({ ...without, touches: withIt.touches }, id)] };
  if (!without.draft?.standsIn !== !withIt.draft?.standsIn)
    return { ...test, trials: [trialOf(without.draft?.standsIn ? withIt : without, id)] };
  const sides = [
    { ...trialOf(without, 0), side: "without" as const },
    { ...trialOf(withIt, 0), side: "with" as const },
  ];
  if (firstWith) sides.reverse();
  return { ...test, trials: sides.map((trial, index) => ({ ...trial, id: id + index })) };
}

/** One more measurement of a trial's candidate, on another seed. */
export function repeatOf<C>(
  context: TurnContext<C>,
  root: number,
  seen: number,
  extra: { segment?: string; confirms?: true; seed?: number } = {},
): Entry {
  const { ledger } = context;
  const trial = ledger.trial(root);
  if (!trial) throw new Error(`trial ${root} is not in the journal`);
  const { segment, confirms, seed } = extra;
  const repeat: Trial<C> = {
    id: ledger.nextTrial,
    turn: ledger.nextTurn,
    parent: trial.parent,
    candidate: trial.candidate,
    by: trial.by,
    repeatOf: root,
    ...(confirms ? { confirms } : {}),
    arm: trial.arm,
    seed: seed ?? context.firstSeed + 1 + (ledger.repeats.get(root) ?? 0),
    touches: [],
  };
  return {
    type: "turn",
    level: ledger.setup.name,
    turn: repeat.turn,
    seen,
    ...(segment ? { segment } : {}),
    trials: [repeat],
  };
}

/** A draft under this arm that may run; when three were refused, what the level falls back to. */
async function draw<C>(
  context: TurnContext<C>,
  arm: Arm<C>,
  now: View<C>,
  parent: Trial<C>,
): Promise<Side<C> | undefined> {
  const side = await attempt(context, arm, now, parent);
  return side.candidate === undefined ? fallBack(context, side, now, parent) : side;
}

async function attempt<C>(context: TurnContext<C>, arm: Arm<C>, now: View<C>, parent: Trial<C>): Promise<Side<C>> {
  const touches: Touch[] = [];
  const refused: { candidate?: C; reason: string }[] = [];
  for (let round = 0; round < attempts; round++) {
    const turnFor = turnMaker(context, arm, now, parent, refused, round);
    const draft = await arm.hooks.propose.promise(Object.freeze({ brief: [] }), { context: turnFor, touches });
    const checked = check(context.ledger, draft, turnFor("check"));
    if ("candidate" in checked) return { candidate: checked.candidate, draft, arm, touches };
    refused.push({ candidate: draft.candidate, reason: checked.refused });
  }
  return { arm, touches, refused: refused.at(-1)?.reason };
}

async function fallBack<C>(
  context: TurnContext<C>,
  { arm, touches, refused }: Side<C>,
  now: View<C>,
  parent: Trial<C>,
): Promise<Side<C> | undefined> {
  for (let round = attempts; round < attempts + 20; round++) {
    const turn = turnMaker(context, arm, now, parent, [], round)("fallback");
    const candidate = context.ledger.setup.level.fallback(turn) as C | undefined;
    if (candidate === undefined) return undefined;
    const draft: Draft<C> = { candidate, by: "fallback", hypothesis: `proposals were refused: ${refused}`, brief: [] };
    const checked = check(context.ledger, draft, turn);
    if ("candidate" in checked) return { candidate: checked.candidate, draft, arm, touches };
  }
  return undefined;
}

function turnMaker<C>(
  context: TurnContext<C>,
  arm: Arm<C>,
  now: View<C>,
  parent: Trial<C>,
  refused: readonly { candidate?: C; reason: string }[],
  round: number,
): (plugin: string) => Turn<C> {
  const { ledger, seed, signal } = context;
  const name = ledger.setup.name;
  const number = ledger.nextTurn;
  const view: View<C> = { ...now, policy: arm.policy };
  return (plugin) => {
    let stream: (() => number) | undefined;
    return {
      number,
      view,
      parent,
      refused,
      signal,
      random: () => (stream ??= streamOf(seed, name, number, round, plugin))(),
      once: (kind, request, run) => context.once(`${name} ${number}`, kind, request, run),
    };
  };
}

function check<C>(ledger: Ledger<C>, draft: Draft<C>, turn: Turn<C>): { candidate: C } | { refused: string } {
  if (draft.refused !== undefined) return { refused: draft.refused };
  if (draft.candidate === undefined) return { refused: "nothing was proposed" };
  const { level } = ledger.setup;
  const admitted = level.admit(draft.candidate, turn);
  if ("refused" in admitted) return admitted;
  const known = level.key && ledger.known(level.key(admitted.candidate));
  return known === undefined ? admitted : { refused: `the same as trial ${known}` };
}

// --------------------------------------------------------------- the verdicts

/** True once every trial of the turn has an outcome. */
export const isMeasured = <C>(ledger: Ledger<C>, turn: TurnState): boolean =>
  turn.trials.every((id) => ledger.trial(id)?.outcome !== undefined);

/** The verdicts on a measured turn, as facts. Of a pair only the better side is put to the selectors; on a tie, the one that ran first. */
export async function judgeTurn<C>(context: TurnContext<C>, turn: TurnState, seen: number): Promise<Entry[]> {
  const { ledger } = context;
  const trials = turn.trials.map((id) => ledger.trial(id)).filter((trial) => trial !== undefined);
  const [best, ...losers] = trials.toSorted((a, b) => lossOf(ledger, a.outcome) - lossOf(ledger, b.outcome));
  if (!best) return [];
  const reason = `trial ${best.id}, the other side of its pair, did better`;
  const facts = losers
    .filter(({ id }) => ledger.pending.has(id)) // a crash may have come between the verdicts of a pair
    .map((trial) => verdictFact(ledger, trial.id, seen, { decision: "discard", gain: gainOf(ledger, trial), reason }));
  if (!ledger.pending.has(best.id)) return facts;
  const touches: Touch[] = [];
  const view = ledger.view();
  const judging: Judging<C> = {
    ...view,
    folder: context.folderOf(best.id),
    once: (kind, request, run) => context.once(`${ledger.setup.name} verdict ${best.id}`, kind, request, run),
  };
  const arm = armWith(context, best.arm);
  const first: Verdict = { decision: "discard", reason: "no rule keeps it" };
  const verdict = await arm.hooks.select.promise(first, best, { context: () => judging, touches });
  return [...facts, verdictFact(ledger, best.id, seen, verdict, touches)];
}

function verdictFact<C>(
  ledger: Ledger<C>,
  trial: number,
  seen: number,
  verdict: Verdict,
  touches: Touch[] = [],
): Entry {
  const level = ledger.setup.name;
  return { type: "verdict", level, trial, seen, verdict, ...(touches.length > 0 ? { touches } : {}) };
}

/** After the verdicts of a turn that tested a change: its evidence as a fact. */
export function evidenceOf<C>(context: TurnContext<C>, turn: TurnState, seen: number): Entry | undefined {
  const { ledger } = context;
  if (turn.tests === undefined) return undefined;
  const tested = ledger.pairs.get(turn.tests);
  const segment = turn.segment === undefined ? undefined : ledger.segments.get(turn.segment);
  const probation = segment?.probation.find(({ id }) => id === turn.tests);
  if (!tested || !probation || ledger.evidence.get(turn.tests)?.decision) return undefined;
  const pair = pairOf(ledger, turn);
  const pairs = pair ? [...tested.pairs, pair] : tested.pairs;
  const kindOf = (id: string) => {
    const { policy, remove } = ledger.changes.get(id) ?? {};
    return policy ? "policy" : remove === undefined ? "install" : "remove";
  };
  const kin = [...ledger.pairs.keys()].filter((id) => kindOf(id) === kindOf(probation.id));
  const place = kin.indexOf(probation.id) + 1;
  const evidence = context.judge(probation.level, { pairs, turns: tested.turns, place });
  return (
    evidence && {
      type: "pair",
      level: ledger.setup.name,
      turn: turn.turn,
      seen,
      tests: turn.tests,
      ...(pair ? { counts: true } : {}),
      evidence,
    }
  );
}

function lossOf<C>(ledger: Ledger<C>, outcome: Outcome | undefined): number {
  if (outcome?.status !== "measured") return Number.MAX_VALUE;
  return ledger.setup.objective.direction === "minimize" ? outcome.metric : -outcome.metric;
}

function gainOf<C>(ledger: Ledger<C>, trial: Trial<C>): number | undefined {
  const parent = ledger.valueOf(trial.parent);
  if (trial.outcome?.status !== "measured" || parent === undefined) return undefined;
  return ledger.setup.objective.direction === "minimize"
    ? parent - trial.outcome.metric
    : trial.outcome.metric - parent;
}
