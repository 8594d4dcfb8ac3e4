import { type Group, refining, none } from "./file.ts";

/** Redraws a parameter that is not frozen, and has this method besides. */
const besides = (method: string): string =>
  refining(
    `const name = ["a", "b", "c"].find((one) => !turn.view.policy.frozen.includes(one)) ?? "a";
    return { values: { ...draft.candidate.values, [name]: turn.random() } };`,
  ).replace(/,\n\}\);\n$/, `,\n  ${method},\n});\n`);

/** Files that keep state or chance where they must not, or search badly on purpose. */
export const conduct: readonly Group[] = [
  [
    "clocks, dice and hidden state",
    [
      {
        name: "Date.now",
        code: refining("return Date.now() > 0 ? undefined : undefined;"),
        refused: "imports",
        inside: none,
      },
      {
        name: "new Date under another name",
        code: refining(
          "const D = Object.getOwnPropertyDescriptor(this ?? {}, 'Date'); return D ? undefined : { values: { ...draft.candidate.values } };",
        ),
        refused: "live",
      },
      {
        name: "performance.now",
        code: refining("return performance.now() > 0 ? undefined : undefined;", {
          top: "declare const performance: { now(): number };",
        }),
        refused: "contract",
        inside: none,
      },
      {
        name: "Math.random",
        code: refining("return Math.random() > 2 ? { refuse: 'x' } : undefined;"),
        refused: "imports",
        inside: /turn\.random/,
      },
      {
        name: "Math.random by another name",
        code: refining("const { random } = Math; return random() > 2 ? { refuse: 'x' } : undefined;"),
        refused: "contract",
        inside: /turn\.random/,
      },
      {
        name: "a variable at the top",
        code: refining("n++; return n % 2 ? { refuse: 'odd' } : undefined;", { top: "let n = 0;" }),
        refused: "state",
      },
      {
        name: "a list at the top",
        code: refining("seen.push(1); return seen.length % 2 ? { refuse: 'odd' } : undefined;", {
          top: "const seen: number[] = [];",
        }),
        refused: "state",
      },
      {
        name: "a static field",
        code: refining("C.n++; return C.n % 2 ? { refuse: 'odd' } : undefined;", { top: "class C { static n = 0; }" }),
        refused: "state",
      },
      {
        name: "a closure",
        code: refining("return next() % 2 ? { refuse: 'odd' } : undefined;", {
          top: "const next = (() => { let n = 0; return () => ++n; })();",
        }),
        refused: "state",
      },
      {
        name: "the state itself, in refine",
        code: refining("state.n++; return state.n % 2 ? { refuse: 'odd' } : undefined;"),
        refused: "state",
      },
      {
        name: "a map in the state, in refine",
        code: refining("state.list.push(1); return undefined;"),
        refused: "state",
      },
      {
        name: "a weak map",
        code: refining(
          "const n = (memory.get(state) ?? 0) + 1; memory.set(state, n); return n % 2 ? { refuse: 'odd' } : undefined;",
          { top: "const memory = new WeakMap<object, number>();" },
        ),
        refused: "state",
      },
      {
        name: "turn.once",
        code: refining("void turn.once('x', 1, (() => 1) as never); return undefined;"),
        refused: "contract",
        inside: /may not call once/,
      },
    ],
  ],
  [
    "bad conduct",
    [
      { name: "refuses everything", code: refining("return { refuse: 'no' };"), refused: "contract" },
      {
        name: "proposes one point for ever",
        code: refining("return { values: { ...draft.candidate.values, a: 0.5, b: 0.5, c: 0.5 } };")
          .replace("refine(state, draft, turn)", "propose(state: unknown, turn: never)")
          .replace("...draft.candidate.values, ", ""),
        refused: "contract",
      },
      { name: "repeats its parent", code: refining("return turn.parent.candidate;"), refused: "contract" },
      {
        name: "moves frozen parameters",
        code: refining(
          "const values: Record<string, number> = {}; for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) values[name] = turn.random(); return { values };",
        ),
        refused: "contract",
      },
      { name: "is inert", code: refining("return undefined;"), refused: "live" },
      {
        name: "computes and says nothing",
        code: refining("state.list.length; return draft.candidate;", {
          reflect: "state.list.push(trial.id); return state;",
        }),
        refused: "live",
      },
      {
        name: "only stops",
        code: `import { mechanism } from "bilevel/kit";\nexport default mechanism({ name: "x", init: () => 0, reflect: (state) => state, prune: () => true });`,
        refused: "contract",
      },
      {
        name: "only judges",
        code: `import { mechanism } from "bilevel/kit";\nexport default mechanism({ name: "x", init: () => 0, reflect: (state) => state, select: () => undefined });`,
        refused: "contract",
      },
      { name: "stops everything", code: besides("prune: () => true"), refused: "contract" },
      {
        name: "has everything measured again",
        code: besides('select: (_state, verdict) => ({ ...verdict, decision: "repeat" as const })'),
        refused: "contract",
      },
      {
        name: "keeps what crashed",
        code: besides('select: (_state, verdict) => ({ ...verdict, decision: "keep" as const })'),
        refused: "contract",
      },
      {
        name: "discards whatever gains",
        code: besides('select: (_state, verdict) => ({ ...verdict, decision: "discard" as const })'),
        refused: "contract",
      },
      {
        name: "only stops, beside a refine that does nothing",
        code: refining("return undefined;").replace(
          /,\n\}\);\n$/,
          ",\n  prune: (_state, trial) => trial.id % 2 === 0,\n});\n",
        ),
        refused: "live",
      },
      {
        name: "throws in reflect",
        code: refining("return undefined;", { reflect: "throw new Error('boom');" }),
        refused: "contract",
        inside: /boom/,
      },
      {
        name: "throws now and then",
        code: refining("if (turn.number === 20) throw new Error('now'); return undefined;"),
        refused: "contract",
      },
    ],
  ],
];
