import { existsSync } from "node:fs";
import type { Plugin, Task, TaskChange } from "../../core/index.ts";
import { fenced } from "../../kit/text.ts";
import { editableTexts, editProblem, freezeTask, frozenText, type FrozenTask } from "../task/index.ts";

/** Characters of the program that a model is shown. */
const shown = 12_000;
/** Of files that it may edit more, since it must quote them. */
const shownEditable = 24_000;
/** Lines before and after one that names a parameter. */
const around = 4;

/** The program as the run froze it: what of it a model is shown, and whether its edits can be made. */
export interface Program {
  readonly open: NonNullable<Plugin["open"]>;
  /** As it stands with this candidate's edits; undefined where there is no task folder. */
  text(candidate: TaskChange, names: readonly string[]): Promise<string | undefined>;
  /** Why a candidate's edits cannot be made, or undefined. */
  problem(candidate: TaskChange): Promise<string | undefined>;
}

/** Kept by a proposer from its opening; before that, and in a replay, it shows nothing. */
export function programOf(): Program {
  let task: Task | undefined;
  let frozen: FrozenTask | undefined;
  return {
    async open({ config, home, folder }) {
      task = config.task;
      frozen = task && (await freezeTask(task, home, folder));
    },
    async text(candidate, names) {
      if (!task || !frozen) return undefined;
      const editable = await editableTexts(frozen, task, candidate);
      const files = editable.size > 0 ? editable : await mainFile(frozen, task);
      const most = (editable.size > 0 ? shownEditable : shown) / Math.max(1, files.size);
      const parts = [...files].map(
        ([file, text]) => `${file}:\n${fenced(relevantParts(text, names, most), most + 100)}`,
      );
      return parts.length === 0 ? undefined : `The program, as far as it is shown:\n${parts.join("\n\n")}`;
    },
    problem: async (candidate) => (task && frozen ? editProblem(frozen, task, candidate) : undefined),
  };
}

/** The file whose constants are the parameters, else the first that the command names. */
async function mainFile(frozen: FrozenTask, { values, command }: Task): Promise<ReadonlyMap<string, string>> {
  const wanted = values?.via === "constants" ? [values.file] : command;
  for (const path of wanted) {
    const text = existsSync(path) && path.startsWith("/") ? undefined : await frozenText(frozen, path);
    if (text !== undefined) return new Map([[path, text]]);
  }
  return new Map();
}

/** A text cut to size: the lines around every mention of a parameter first, the rest from its beginning. */
export function relevantParts(text: string, names: readonly string[], most: number): string {
  if (text.length <= most) return text;
  const lines = text.split("\n");
  const mention = new RegExp(`\\b(${names.map((name) => name.replace(/\W/g, "\\$&")).join("|") || "(?!)"})\\b`);
  const near = new Set<number>();
  for (const [index, line] of lines.entries())
    if (mention.test(line)) for (let at = index - around; at <= index + around; at++) near.add(at);
  const order = [...lines.keys()].sort((a, b) => Number(near.has(b)) - Number(near.has(a)) || a - b);
  const taken = new Set<number>();
  let length = 0;
  for (const at of order) {
    length += (lines[at] ?? "").length + 1;
    if (length > most) break;
    taken.add(at);
  }
  return lines.flatMap((line, at) => (taken.has(at) ? [line] : taken.has(at - 1) ? ["…"] : [])).join("\n");
}
