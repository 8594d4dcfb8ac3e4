import { constants, existsSync } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { BilevelError } from "../../core/index.ts";

/** True where a command's first word can be run: on PATH, or as a path from this folder. */
export async function isProgram(program: string, folder: string): Promise<boolean> {
  const candidates = program.includes("/")
    ? [resolve(folder, program)]
    : (process.env.PATH ?? "").split(delimiter).map((place) => join(place, program));
  for (const candidate of candidates)
    if (
      existsSync(candidate) &&
      (await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      return true;
  return false;
}

/** Of the command at this path of the config, which cannot be run. */
export const noProgram = (path: string, program: string): BilevelError =>
  new BilevelError("E_TASK_INVALID", "the program is not to be found or not executable", {
    path,
    received: program,
    allowed: program.includes("/") ? "an executable file; the path is relative to task.folder" : "a program on PATH",
    hint: "try it in a terminal in the task's folder",
  });
