import { isAbsolute, normalize } from "node:path";
import ignore from "ignore";
import type { Edit } from "../../core/index.ts";

/** True for the paths that one of these globs names; the globs are those of .gitignore. */
export function matcher(globs: readonly string[] = []): (path: string) => boolean {
  const rules = ignore().add([...globs]);
  return (path) => globs.length > 0 && rules.ignores(path);
}

/** True for a path that leads out of the task's folder. */
export const isOutside = (path: string): boolean => isAbsolute(path) || /^\.\.([\\/]|$)/.test(normalize(path));

export interface EditRules {
  editable: readonly string[];
  protected: readonly string[];
}

/**
 * The files with these edits applied one after the other, or the reason why one
 * of them must not or cannot be. Each `find` must occur exactly once, in an
 * editable file inside the folder that is not protected.
 */
export function applyEdits(
  files: ReadonlyMap<string, string>,
  edits: readonly Edit[],
  rules: EditRules,
): { files: ReadonlyMap<string, string> } | { refused: string } {
  const [isEditable, isProtected] = [matcher(rules.editable), matcher(rules.protected)];
  const edited = new Map(files);
  for (const [index, { file, find, replace }] of edits.entries()) {
    const refuse = (reason: string) => ({ refused: `edit ${index + 1} of ${file}: ${reason}` });
    if (isOutside(file)) return refuse("the file lies outside the task's folder");
    const path = normalize(file).replaceAll("\\", "/");
    if (isProtected(path)) return refuse("the file is protected");
    if (!isEditable(path)) return refuse(`the file is not editable (${rules.editable.join(", ") || "no file is"})`);
    const text = edited.get(path);
    if (text === undefined) return refuse("there is no such file");
    if (find === "") return refuse("there is nothing to find");
    const times = text.split(find).length - 1;
    if (times !== 1) return refuse(`the text to find occurs ${times} times, and must occur once`);
    edited.set(
      path,
      text.replace(find, () => replace),
    );
  }
  return { files: edited };
}
