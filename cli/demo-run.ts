import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ArmChange, Config, Fact, Plugin, ResolvedConfig, Run, Trial, Turn, View } from "../core/index.ts";
import { changeId, resolveConfig } from "../core/index.ts";
import { normal, shuffle, streamOf, valuesKey, type Space, type Values } from "../kit/index.ts";
import { evaluateFunction } from "../plugins/evaluate-function/index.ts";
import { innerLoop } from "../plugins/inner-loop/index.ts";
import { outerLoop } from "../plugins/outer-loop/index.ts";
import { proposeLocal } from "../plugins/propose-local/index.ts";
import type { Admission } from "../plugins/sandbox/index.ts";
import { packageRoot } from "./package-root.ts";

/** What a mechanism of the demo is in truth, how the screen says so, and what verdict it deserves. */
export const roles = {
  helps: { name: "helps", text: "was told the answer, takes the best of four", deserves: ["kept"] },
  harms: { name: "harms", text: "was told it too, takes the worst of four", deserves: ["dropped"] },
  placebo: { name: "placebo", text: "draws the proposal anew", deserves: ["too early", "dropped"] },
  inert: { name: "no effect", text: "computes, and changes nothing", deserves: ["no effect"] },
} as const;
export type Role = keyof typeof roles;

/** What the run may say of a mechanism. */
export type Said = "kept" | "dropped" | "too early" | "no effect";

/** A mechanism under its cover. */
export interface Hidden {
  letter: string;
  role: Role;
  change: ArmChange;
  id: string;
}

/** Values that look like those of a training, with their best at RATE 0.03, DECAY 0.1, DROPOUT 0.25, WARMUP 0.7, DEPTH 9, WIDTH 256. */
const space: Space = {
  parameters: {
    RATE: { type: "float", min: 1e-4, max: 1, scale: "log", default: 0.001 },
    DECAY: { type: "float", min: 0, max: 1, default: 0.8 },
    DROPOUT: { type: "float", min: 0, max: 1, default: 0.9 },
    WARMUP: { type: "float", min: 0, max: 1, default: 0.1 },
    DEPTH: { type: "int", min: 1, max: 16, default: 3 },
    WIDTH: { type: "int", min: 16, max: 2048, scale: "pow2", default: 32 },
  },
};

/** Of one measurement. */
const noise = 0.004;

/** The demo's task: a bowl over the units of each range, and noise that hangs on the seed and the values. */
export function measure(values: Values, seed: string): number {
  const { RATE, DECAY, DROPOUT, WARMUP, DEPTH, WIDTH } = values as Record<string, number>;
  const off = [
    (Math.log10(RATE as number) - Math.log10(0.03)) / 4,
    (DECAY as number) - 0.1,
    (DROPOUT as number) - 0.25,
    (WARMUP as number) - 0.7,
    ((DEPTH as number) - 9) / 15,
    (Math.log2(WIDTH as number) - 8) / 7,
  ];
  const bowl = off.reduce((sum, one) => sum + one ** 2, 0);
  return 1 + bowl + noise * normal(streamOf("demo", seed, valuesKey(values)));
}

/** The four, in the order that the seed draws, their names taken away. */
export function hiddenOf(seed: string): Hidden[] {
  const order = shuffle(streamOf("order of the demo", seed), Object.keys(roles) as Role[]);
  return order.map((role, index) => {
    const letter = "ABCD"[index] as string;
    const text = readFileSync(new URL(`examples/demo/${role}.ts`, packageRoot), "utf8");
    const code = text.replace(`name: "${role}"`, `name: "${letter.toLowerCase()}"`);
    const change: ArmChange = {
      of: "inner",
      install: { from: "code", name: letter.toLowerCase(), code, idea: "one of the demo's four" },
    };
    return { letter, role, change, id: changeId(change) };
  });
}

/** Proposes one after the other, each until it has its verdict; ends the run when all have theirs. */
function author(hidden: readonly Hidden[]): Plugin {
  return {
    name: "demo",
    contract: 1,
    kinds: ["arm"],
    open(run: Run) {
      const refused = new Set<string>();
      run.on((fact) => {
        const one = refusedIn(fact, hidden);
        if (one) refused.add(one.id);
        if (hidden.every(({ id }) => refused.has(id) || isDecided(run.view("inner"), id)))
          run.end("all four are judged");
      });
      return Promise.resolve();
    },
    apply(taps) {
      taps.propose("TURN", (draft, turn: Turn<ArmChange>) => {
        const { view } = turn;
        const admitted = new Map(
          ([...view.trials] as Trial<ArmChange>[]).map(({ candidate }) => [changeId(candidate), candidate]),
        );
        const reached = hidden.findLastIndex(({ id }) => admitted.has(id));
        const next = hidden.find(({ id }, index) => {
          const isRefused =
            (index < reached && !admitted.has(id)) ||
            turn.refused.some(({ candidate }) => candidate && changeId(candidate) === id);
          return !isRefused && !isDecided(view.below, id);
        });
        return next
          ? { ...draft, by: "demo", candidate: admitted.get(next.id) ?? next.change }
          : { ...draft, refused: "each of the four was tested" };
      });
    },
  };
}

/** True where pairs decided, or its calls failed too often. */
const isDecided = (view: View | undefined, id: string): boolean =>
  view?.evidence.get(id)?.decision !== undefined || (view?.struck.includes(id) ?? false);

/** The mechanism that the checks refused, where the fact tells of one, and in how many proposals it was seen to do nothing. */
export function refusedIn(fact: Fact, hidden: readonly Hidden[]): (Hidden & { proposals: number }) | undefined {
  if (fact.type !== "once" || fact.kind !== "admission") return undefined;
  const { code, admission } = fact.result as { code: string; admission: Admission };
  const one = hidden.find(({ change }) => change.install?.from === "code" && change.install.code === code);
  const { standing, acted } = admission;
  return one && standing === undefined ? { ...one, proposals: acted.own[1] + acted.shipped[1] } : undefined;
}

/** The demo's run: the usual loop, the usual judge, the usual sandbox. */
export function demoConfig(seed: string, folder: string): ResolvedConfig {
  const config: Config = {
    objective: { metric: "loss", direction: "minimize" },
    space,
    evaluator: evaluateFunction({ function: (values) => measure(values, seed), thread: false }),
    proposer: proposeLocal(), // plain steps, so that what a mechanism does to them is what is seen
    levels: [
      innerLoop(),
      outerLoop({ name: "research", changes: "mechanisms", every: 10, plugins: [author(hiddenOf(seed))] }),
    ],
    budget: { trials: 400 },
    seed: `demo ${seed}`,
  };
  return resolveConfig(config, join(folder, "bilevel.config.ts"));
}

const demoFile = (run: string): string => join(run, "demo.json");

/** Keeps the seed, so that the run can be looked at and replayed without a config. */
export function keepDemo(run: string, seed: string): void {
  mkdirSync(run, { recursive: true });
  writeFileSync(demoFile(run), `${JSON.stringify({ seed })}\n`);
}

/** The config of a run of the demo; undefined for any other. */
export const configOfDemo = (run: string, folder: string): ResolvedConfig | undefined =>
  existsSync(demoFile(run))
    ? demoConfig((JSON.parse(readFileSync(demoFile(run), "utf8")) as { seed: string }).seed, folder)
    : undefined;
