import type { Draft, Plugin, TaskChange, Taps, Trial, Turn, View } from "../../core/index.ts";
import { axesOf, candidateKey, describeMove, valuesAt, violation, type Values } from "../../kit/index.ts";
import { drawn, lengths } from "../propose-local/index.ts";
import { candidatesFrom, type Around } from "./acquisition.ts";
import { codeOf, first, isAsking, learn, movedOf, nothing, placesWith, question, withCode } from "./knowledge.ts";
import { anyPlace, sparseMove } from "./moves.ts";

/** A parameter in focus is drawn so much more often than another. */
const focusWeight = 4;
/** A parameter that a blind move took before is drawn so much more seldom by the next. */
const movedWeight = 0.01;
/** A blind move that repeats a known point is drawn again so often. */
const draws = 20;

/**
 * The default: a model-based local search for a start that is good and a budget
 * that is short; its first point asks whether the start is good. A Gaussian
 * process on the points around the best one ranks changes of few parameters by
 * expected improvement times a power of the chance not to crash; where nothing
 * was kept for a while, wider ones too. docs/search.md.
 */
export function proposeSearch(): Plugin {
  return {
    name: "propose-search",
    contract: 1,
    apply(taps: Taps<TaskChange>) {
      taps.propose("SOURCE", searchMoves(taps));
    },
  };
}

/** The moves of `proposeSearch` as another proposer's part: fills a draft that is empty. */
export function searchMoves(
  taps: Taps<TaskChange>,
): (draft: Draft<TaskChange>, turn: Turn<TaskChange>) => Draft<TaskChange> | undefined {
  const space = taps.space ?? { parameters: {} };
  const axes = axesOf(space);
  const deciding = new Set(Object.values(space.parameters).flatMap(({ when }) => Object.keys(when ?? {})));
  const switches = axes.flatMap(({ name }, axis) => (deciding.has(name) ? [axis] : []));
  const state = taps.state(nothing, (known, trial: Trial<TaskChange>, view: View<TaskChange>) =>
    learn(known, trial, view, axes),
  );
  return (draft, turn) => {
    if (draft.candidate !== undefined || !turn.view.space) return undefined;
    const known = state.value;
    const { random, refused, parent } = turn;
    const { policy, pending } = turn.view;
    const { edits, values: from = {} } = parent.candidate;
    const code = codeOf(known, parent.candidate);
    const start = placesWith(axes, from, code);
    const isAbsent = (axis: number): boolean => Number.isNaN(start[axis]);
    const free = axes.flatMap(({ name, levels }, axis) =>
      policy.frozen.includes(name) || levels.length === 1 ? [] : [axis],
    );
    const told = (values: Values, belief = describeMove(from, values)): Draft<TaskChange> => ({
      ...draft,
      candidate: { values },
      by: "propose-search",
      hypothesis: belief,
    });
    if (free.every(isAbsent)) return told(from);
    const running = pending.filter(({ repeatOf }) => repeatOf === undefined);
    const taken = new Set([
      ...running.map(({ candidate }) => candidateKey(candidate)),
      ...refused.map(({ candidate }) => candidateKey({ values: candidate?.values, edits })),
    ]);
    const placesOfAll = (trials: typeof running): number[][] =>
      trials.map(({ candidate }) => placesWith(axes, candidate.values ?? {}, codeOf(known, candidate)));
    const isNew = (values: Values): boolean => {
      const key = candidateKey({ values, edits });
      return !known.keys.has(key) && !taken.has(key) && violation(space, values) === undefined;
    };
    const around: Around = {
      axes: withCode(axes),
      start,
      reach: {
        step: known.reach * (lengths[policy.strategy] ?? 1),
        free,
        chances: free.map((axis) => (policy.focus.includes(axes[axis]?.name ?? "") ? focusWeight : 1)),
      },
      running: placesOfAll(running),
      // without what a moved choice made inactive, with defaults for what became active and has no place
      whole: (places) =>
        switches.some((axis) => places[axis] !== start[axis])
          ? placesWith(axes, valuesAt(space, axes, places, from), code)
          : free.some(isAbsent)
            ? places.map((place, axis) => (isAbsent(axis) ? NaN : place))
            : places,
      isLegal: (places) => !space.constraints || violation(space, valuesAt(space, axes, places, from)) === undefined,
    };
    if (isAsking(known, running.length)) {
      const far = drawn(() => valuesAt(space, axes, anyPlace(axes, start, random, free), from), isNew, draws);
      if (isNew(far)) return told(far, question);
    } else if (known.model && known.model.tried.length + running.length >= first)
      for (const { places, belief } of candidatesFrom(known, around, turn)) {
        const values = valuesAt(space, axes, places, from);
        if (isNew(values)) return told(values, belief());
      }
    const moved = movedOf(known, start, placesOfAll(running.filter(({ hypothesis }) => hypothesis !== question)));
    const chances = around.reach.chances.map((chance, i) =>
      moved.has(free[i] as number) ? chance * movedWeight : chance,
    );
    const near = (): Values =>
      valuesAt(space, axes, sparseMove(axes, start, random, { ...around.reach, chances }), from);
    return told(drawn(near, isNew, draws));
  };
}
