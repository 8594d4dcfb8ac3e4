import { closeSync, openSync, readSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { Generated } from "../core/index.ts";
import { BilevelError } from "../core/index.ts";
import { count } from "../kit/text.ts";
import { admit, checks, problemText, Sandbox, Stopwatch, TypeCheck, type Admission } from "../plugins/sandbox/index.ts";
import { evidenceText } from "../plugins/progress/index.ts";
import { fastTasks, tryOn, type Tried } from "./mechanism-tasks.ts";

/** What the tester found of one file. */
export interface Tested {
  file: string;
  admission: Admission;
  /** With and without it on each of the fast tasks; empty where a check failed. */
  tasks: ({ task: string } & Tried)[];
}

/** A minute holds the start, the checks of the types, those in the sandbox, and the tasks, on a machine that is free. */
const [checksMs, allMs] = [25_000, 50_000];

/**
 * Puts a mechanism's file through the line of checks, then on probation on
 * three fast tasks. Needs no run, no model and no network, and ends within a minute.
 * @throws E_USAGE where there is no such file
 */
export async function testMechanism(cwd: string, given: string): Promise<Tested> {
  const file = resolve(cwd, given);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile())
    throw new BilevelError("E_USAGE", "there is no such file", {
      path: file,
      allowed: "the TypeScript file of one mechanism",
      hint: "bilevel mechanism test ./mine.ts",
    });
  const code = beginningOf(file);
  const parts = { sandbox: new Sandbox(), types: new TypeCheck() };
  const watch = new Stopwatch();
  try {
    const [task] = fastTasks;
    const space = fastTasks[1]?.space ?? task?.space ?? { parameters: {} };
    const objective = { metric: "loss", direction: "minimize" as const };
    const admission = await admit(parts, code, { space, objective, withinMs: checksMs });
    const { name, taps, options, standing } = admission;
    if (!standing) return { file: given, admission, tasks: [] };
    const source: Generated = { from: "code", name, code, idea: "", taps, options, standing };
    const tasks: Tested["tasks"] = [];
    for (const [index, one] of fastTasks.entries()) {
      parts.sandbox.allow((allMs - watch.ms) / (fastTasks.length - index));
      tasks.push({ task: one.name, ...(await tryOn(one, source, parts.sandbox)) });
    }
    return { file: given, admission, tasks };
  } finally {
    parts.types.close();
    await parts.sandbox.close();
  }
}

/** As much of it as the first check needs to see that it is too long. */
function beginningOf(file: string): string {
  const [opened, text] = [openSync(file, "r"), Buffer.alloc(2 ** 17)];
  try {
    return text.toString("utf8", 0, readSync(opened, text));
  } finally {
    closeSync(opened);
  }
}

/** True where every check passed, no call failed, and not every task showed harm. */
export const isSound = ({ admission, tasks }: Tested): boolean =>
  admission.standing !== undefined &&
  tasks.every(({ failures }) => failures.length === 0) &&
  !tasks.every(({ evidence }) => evidence?.decision === "revert");

const standings = {
  live: "live: it changes what is tried",
  spoken: "advice only: it says something to a proposer that reads, and changes nothing by itself",
  waiting: "not needed yet",
} as const;

/** The findings for people: a line for each check, the lines to change, the tasks in the verdict's words. */
export function testedLines({ file, admission, tasks }: Tested): string[] {
  const { passed, problems, standing, acted, name } = admission;
  const failed = problems[0]?.check;
  return [
    `${basename(file)}: ${name}`,
    ...checks.flatMap((check) => {
      if (passed.includes(check)) return [`  pass  ${check}`];
      if (check !== failed) return problems.some((one) => one.check === check) ? [] : [`  -     ${check}: not reached`];
      return problems.map((problem) => `  FAIL  ${problemText(problem)}`);
    }),
    ...(standing
      ? [`  ${standings[standing]}; it acted in ${acted.shipped[0]} of ${count(acted.shipped[1], "proposal")}`]
      : []),
    ...tasks.flatMap(({ task, evidence, failures }) => [
      `  on ${task}, with against without: ${evidence ? evidenceText(evidence) : "no effect"}`,
      ...failures.map((reason) => `  FAIL  on ${task}: ${reason}`),
    ]),
  ];
}
