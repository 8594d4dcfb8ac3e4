import type {
  ArmChange,
  Draft,
  Evidence,
  Level,
  Outcome,
  Plugin,
  TaskChange,
  Trial,
  Turn,
  Verdict,
  View,
} from "../../core/index.ts";
import { changeId, isEmpty } from "../../core/index.ts";
import type { Admission } from "../sandbox/index.ts";
import { admit, generated, problemText, Sandbox, TypeCheck } from "../sandbox/index.ts";
import { judge } from "./evidence.ts";
import { writeMechanism } from "../author-llm/index.ts";
import { askForPolicy } from "../policy-llm/index.ts";
import { dueForReview, mechanismChanges } from "./mechanism-changes.ts";
import { policyChanges, policyProblem } from "./policy-changes.ts";
import { pickByBandit, type Proposal } from "./bandit.ts";

export interface OuterLoopOptions {
  /** Default: `policy` or `research`, after what it changes. */
  name?: string;
  /** What its candidates change in the loop `of`. */
  changes?: "policy" | "mechanisms";
  /** The loop below whose arm it changes. Default: the inner loop. */
  of?: string;
  /** Trials of the level directly below that one of its own takes. */
  every?: number;
  /** False: a change is in force at once and stays (the paper's way). */
  probation?: boolean;
  /** In force in this loop from the start. */
  plugins?: readonly Plugin[];
}

const schema = {
  type: "object",
  additionalProperties: false,
  properties: {
    name: { type: "string", minLength: 1 },
    changes: { enum: ["policy", "mechanisms"], default: "mechanisms" },
    of: { type: "string", minLength: 1 },
    every: { type: "integer", minimum: 1, default: 10 },
    probation: { type: "boolean", default: true },
    plugins: { type: "array", default: [] },
  },
};

/** Trials of the loop below before a model is asked what to change in it. */
const leastSeen = 5;

/**
 * A loop whose candidates are changes to the arm of a loop below. Evaluating
 * one puts it on probation and runs a segment of the level directly below; the
 * verdict follows from the evidence of its pairs, which is carried over from
 * segment to segment.
 */
export function outerLoop(given: OuterLoopOptions = {}): Level<ArmChange> {
  const options = { ...given } as OuterLoopOptions & { every: number; probation: boolean; plugins: readonly Plugin[] };
  const changes = given.changes ?? "mechanisms";
  const propose = changes === "policy" ? policyChanges : mechanismChanges;
  const [sandbox, door, types] = [new Sandbox(), new Sandbox(), new TypeCheck()];
  const check = (code: string, target: View): Promise<Admission> => {
    const { space = { parameters: {} }, objective } = target;
    return admit({ sandbox: door, types }, code, { space, objective, view: target as View<TaskChange> });
  };
  return {
    name: given.name ?? (changes === "policy" ? "policy" : "research"),
    contract: 1,
    kinds: ["arm"],
    schema,
    options,
    kind: "arm",
    changes,
    of: given.of,
    get every() {
      return options.every;
    },
    get plugins() {
      return options.plugins;
    },
    admit(candidate, { view }) {
      const target = loopBelow(view, candidate.of);
      if (!target) return { refused: `there is no loop named ${candidate.of} below` };
      const refused = refusal(candidate, target);
      return refused === undefined ? { candidate } : { refused };
    },
    fallback: ({ view }) => ({ of: loopBelow(view, given.of)?.level ?? "" }),
    judge,
    generate: (name, source) => generated(sandbox, name, source),
    async close() {
      types.close();
      await door.close();
      await sandbox.close();
    },
    apply(taps) {
      taps.propose("TURN", async (draft: Draft<ArmChange>, turn: Turn<ArmChange>) => {
        const target = loopBelow(turn.view, given.of);
        const isReview = changes === "mechanisms" && !!target && dueForReview(target).length > 0;
        if (!taps.model || draft.candidate || !target || isReview || !isWorthAsking(turn.view, target))
          return undefined;
        const ask = changes === "policy" ? askForPolicy : writeMechanism;
        const asked = await ask(taps.model, turn, target);
        return asked && { ...draft, candidate: asked.change, by: "model", hypothesis: asked.why };
      });
      taps.propose("SOURCE", (draft, turn: Turn<ArmChange>) => {
        const target = loopBelow(turn.view, given.of);
        if (draft.candidate || !target) return undefined;
        const due = changes === "mechanisms" && undecided(turn.view, target).length === 0 ? dueForReview(target) : [];
        const open = due.length > 0 ? due : [...undecided(turn.view, target), ...propose(target)];
        const chosen = pickByBandit(open, target.evidence, turn.random);
        if (!chosen) return { ...draft, candidate: { of: target.level }, by: "rules", hypothesis: "nothing to test" };
        return { ...draft, candidate: chosen.change, by: "rules", hypothesis: chosen.why };
      });
      taps.propose("GUARD", async (draft: Draft<ArmChange>, turn: Turn<ArmChange>) => {
        const { install, of } = draft.candidate ?? {};
        const target = loopBelow(turn.view, of);
        if (install?.from !== "code" || install.standing || !target || draft.refused !== undefined) return undefined;
        const { code } = install;
        const { admission } = await turn.once("admission", { code }, async () => ({
          code,
          idea: install.idea,
          admission: await check(code, target),
        }));
        const { name, taps: tapped, options: defaults, standing, problems } = admission;
        if (!standing) return { ...draft, refused: problems.map(problemText).join("; ") };
        return {
          ...draft,
          candidate: {
            ...draft.candidate,
            of: target.level,
            install: { ...install, name, taps: tapped, options: defaults, standing },
          },
        };
      });
      taps.evaluate(async (trial, evaluation): Promise<Outcome | undefined> => {
        if (!evaluation.below) return undefined;
        const started = performance.now();
        const change = trial.candidate as ArmChange;
        const probation = isEmpty(change) ? undefined : { change, ...(options.probation ? {} : { always: true }) };
        const ran = await evaluation.below.run({ trials: options.every, probation });
        const seconds = (performance.now() - started) / 1000;
        if (evaluation.signal.aborted) return { status: "cancelled", reason: "the run was stopped", seconds };
        const metrics = { trials: ran.trials, pairs: ran.evidence?.pairs ?? 0 };
        return { status: "measured", metric: ran.evidence?.effect?.mean ?? 0, metrics, seconds };
      });
      taps.select((_verdict, trial, judging): Verdict => {
        const change = trial.candidate as ArmChange;
        if (isEmpty(change)) return { decision: "undecided", reason: "a stretch without a change" };
        if (!options.probation) return { decision: "keep", reason: "in force at once: probation is off" };
        const target = loopBelow(judging, change.of);
        if (target?.struck.includes(changeId(change))) return { decision: "revert", reason: "it failed in its calls" };
        return verdictOf(target?.evidence.get(changeId(change)));
      });
    },
  };
}

/** A model is asked once there is something to see, and while nothing of its own is under test. */
const isWorthAsking = (view: View, target: View): boolean =>
  target.space !== undefined && target.budget.used >= leastSeen && undecided(view, target).length === 0;

/** What others than the rules proposed and pairs have not decided: it stays open. */
function undecided({ trials }: View, target: View): Proposal[] {
  const open = new Map<string, Proposal>();
  for (const { candidate, by } of trials as Iterable<Trial<ArmChange>>) {
    const id = changeId(candidate);
    const isOpen = !target.evidence.get(id)?.decision && !target.struck.includes(id) && !target.inForce.includes(id);
    if (by !== "rules" && !isEmpty(candidate) && isOpen) open.set(id, { change: candidate, why: "does it help?" });
  }
  return [...open.values()];
}

/** That loop, or the innermost one, among those below this view. */
function loopBelow(view: View, name: string | undefined): View | undefined {
  const below = view.below;
  if (!below || (name === undefined ? !below.below : below.level === name)) return below;
  return loopBelow(below, name);
}

function refusal({ policy, install, remove }: ArmChange, target: View): string | undefined {
  if (policy) return policyProblem(policy, target);
  if (install?.from === "code" && target.evidence.get(changeId({ of: target.level, install }))?.decision)
    return `${install.name} was tested before`;
  if (install?.from === "plugin") {
    if (!target.catalogue.includes(install.name)) return `${install.name} is not in the catalogue`;
    if (target.inForce.includes(install.name)) return `${install.name} is in force already`;
  }
  if (remove !== undefined && !target.inForce.includes(remove)) return `${remove} is not in force`;
  return undefined;
}

function verdictOf(evidence: Evidence | undefined): Verdict {
  const decision = evidence?.decision ?? "repeat";
  const reasons = {
    keep: "its pairs say that it helps",
    revert: "its pairs say that it harms",
    undecided: evidence?.pairs === 0 ? "it changed nothing" : "its pairs do not tell",
    repeat: "too early to tell",
  };
  return { decision, reason: reasons[decision], ...(evidence ? { evidence } : {}) };
}
