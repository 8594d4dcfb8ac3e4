import type { ArmChange, Plugin, Run, Trial, View } from "../core/index.ts";
import { changeId } from "../core/index.ts";
import { count } from "../kit/text.ts";
import { evidenceText, short } from "../plugins/progress/index.ts";
import { refusedIn, roles, type Hidden, type Said } from "./demo-run.ts";

/** In so many of a hundred runs all four are named right: `npm run bench:demo -- --seeds 40`. */
const expected = 95;

/** Tells what the outer loop sees, as it sees it. */
export function demoScreen(hidden: readonly Hidden[], print: (line: string) => void): Plugin {
  const letterOf = (id: string): string => hidden.find((one) => one.id === id)?.letter ?? id;
  return {
    name: "demo-screen",
    contract: 1,
    open(run: Run) {
      const say = (text: string): void => {
        const { budget, incumbent } = run.view("inner");
        const best = incumbent ? `best ${short(incumbent.value)}` : "";
        print(`${count(budget.used, "trial").padStart(11)}  ${best.padEnd(11)}  ${text}`);
      };
      run.on((fact) => {
        const refused = refusedIn(fact, hidden);
        if (refused) return say(`${refused.letter}: no effect in ${count(refused.proposals, "proposal")}: not let in`);
        if (fact.level !== "research") return;
        const [planned] = fact.type === "turn" ? (fact.trials as Trial<ArmChange>[]) : [];
        const trial = planned ?? (fact.type === "verdict" ? trialOf(run.view("research"), fact.trial) : undefined);
        const id = trial ? changeId(trial.candidate) : "";
        const evidence = run.view("inner").evidence.get(id);
        if (!hidden.some((one) => one.id === id)) return;
        if (fact.type === "turn") return evidence ? undefined : say(`testing ${letterOf(id)}: no pair yet`);
        const { decision, reason } = fact.verdict as { decision: string; reason: string };
        say(`${decision === "repeat" ? "testing " : ""}${letterOf(id)}: ${evidence ? evidenceText(evidence) : reason}`);
      });
      return Promise.resolve();
    },
  };
}

const trialOf = (view: View, id: unknown): Trial<ArmChange> | undefined =>
  view.trial(id as number) as Trial<ArmChange> | undefined;

/** A mechanism with its cover taken off. */
export interface Revealed extends Pick<Hidden, "letter" | "role"> {
  said: Said;
  right: boolean;
}

/** What the run said of each mechanism, beside what it is. */
export function reveal(hidden: readonly Hidden[], inner: View): Revealed[] {
  return hidden.map(({ letter, role, id }) => {
    const evidence = inner.evidence.get(id);
    const said: Said =
      evidence?.decision === "keep"
        ? "kept"
        : evidence?.decision === "revert" || inner.struck.includes(id)
          ? "dropped"
          : !evidence || evidence.pairs === 0
            ? "no effect"
            : "too early";
    return { letter, role, said, right: (roles[role].deserves as readonly Said[]).includes(said) };
  });
}

/** The end of the demo, in words. */
export function revealLines(all: readonly Revealed[], run: string): string[] {
  const right = all.filter((one) => one.right).length;
  return [
    "",
    "who was who",
    ...all.map(
      (one) =>
        `  ${one.letter}  ${one.said.padEnd(9)}  ${one.right ? "right" : "WRONG"}  ${roles[one.role].name.padEnd(9)}  ${roles[one.role].text}`,
    ),
    `${right} of 4 right; expect all four in ${expected} of 100 runs (docs/how-mechanisms-are-judged.md)`,
    `look at it: bilevel status ${run}, bilevel show 12, bilevel replay ${run}`,
  ];
}
