import type { ArmChange, Generated, Model, TaskChange, Turn, View } from "../../core/index.ts";
import { changeId } from "../../core/index.ts";
import { fenced } from "../../kit/text.ts";
import { critique, explore, generate, specify, type Hypothesis } from "./rounds.ts";
import { situation } from "./situation.ts";

export { situation } from "./situation.ts";

/** A file to put to the test, and why. */
export interface Written {
  change: ArmChange;
  why: string;
}

/**
 * Has a mechanism written for the loop below, in four rounds (explore,
 * critique, specify, generate; the paper's level 2). Each answer is structured,
 * so what a round chose is what the next one works on. A file that a check
 * refused goes back with the reasons. Undefined: none came, or none was worth it.
 */
export async function writeMechanism(model: Model, turn: Turn<ArmChange>, target: View): Promise<Written | undefined> {
  const of = target.level;
  const last = turn.refused.at(-1);
  const before = last?.candidate?.install;
  if (last && before?.from === "code") {
    const prompt = generate.mend(before.code, last.reason);
    const mended = await model.ask<{ code: string }>(turn, { purpose: "generate", ...generate, prompt });
    return "failed" in mended
      ? undefined
      : { change: { of, install: { ...before, code: codeIn(mended.value.code) } }, why: before.idea };
  }
  const now = situation(target as View<TaskChange>);
  const ask = <T>(purpose: string, { system, form }: { system: string; form: object }, prompt: string) =>
    model.ask<T>(turn, { purpose, system, form, prompt });
  const found = await ask<{ hypotheses: Hypothesis[] }>(
    "explore",
    explore,
    explore.prompt(now, recordOf(turn, target)),
  );
  if ("failed" in found) return undefined;
  const { hypotheses } = found.value;
  const judged = await ask<{ judgements: string[]; chosen: number }>(
    "critique",
    critique,
    critique.prompt(now, hypotheses),
  );
  if ("failed" in judged) return undefined;
  const chosen = hypotheses[judged.value.chosen - 1];
  if (!chosen) return undefined;
  const judgement = judged.value.judgements[judged.value.chosen - 1] ?? "";
  const specified = await ask<{ name: string }>("specify", specify, specify.prompt(chosen, judgement));
  if ("failed" in specified) return undefined;
  const written = await ask<{ code: string }>("generate", generate, generate.prompt(specified.value));
  if ("failed" in written) return undefined;
  const install: Generated = {
    from: "code",
    name: specified.value.name,
    code: codeIn(written.value.code),
    idea: chosen.idea,
  };
  return { change: { of, install }, why: `${chosen.title}: ${chosen.why}` };
}

/** The file without a fence around it. */
const codeIn = (text: string): string =>
  (/^\s*```[a-z]*\n([\s\S]*?)\n?```\s*$/.exec(text)?.[1] ?? text).trimEnd() + "\n";

/** Characters of a generated mechanism's file that its successor's author is shown. */
const shownCode = 2500;

/** Names, sources and records of what was tried: kept, dropped, and why; of what was written for this run and is in force, the file. */
function recordOf({ view }: Turn<ArmChange>, target: View): string {
  const lines = new Map<string, string>();
  for (const name of [...target.catalogue, ...target.inForce]) {
    const source = target.sources?.[name];
    lines.set(name, `- ${name}${source ? ` (${source})` : ""}: ${stateOf(target, name)}`);
  }
  for (const { candidate } of view.trials) {
    const { install } = candidate;
    if (!install) continue;
    const id = changeId(candidate);
    const state = stateOf(target, id);
    if (install.from === "plugin") continue;
    const file = target.inForce.includes(id) ? `\n${fenced(install.code, shownCode)}` : "";
    lines.set(id, `- ${id} (${install.idea.slice(0, 200)}): ${state}${file}`);
  }
  return [...lines.values()].join("\n") || "none";
}

function stateOf({ evidence, inForce, struck }: View, id: string): string {
  if (struck.includes(id)) return "out after failures";
  const told = evidence.get(id);
  const isKept = inForce.includes(id);
  if (!told) return isKept ? "in force" : "not tested";
  const verdicts = { revert: "dropped, it did harm", undecided: "no verdict", keep: "helped" } as const;
  const state = isKept ? "in force" : told.decision ? verdicts[told.decision] : "under test";
  const effect = told.effect ? `, ${Number(told.effect.mean.toPrecision(3))} better a trial` : "";
  return `${state}, ${told.pairs} pairs${effect}`;
}
