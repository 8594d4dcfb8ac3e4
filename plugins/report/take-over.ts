import { existsSync, realpathSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/**
 * What puts a patch on a task's folder. Inside a Git repository Git takes a patch's paths from its top, and passes
 * without a word over those that are not there: so it is told where the folder lies.
 */
export function takeOverLine(home: string, taskFolder: string, patchFile: string): string {
  const folder = join(home, taskFolder);
  const real = realpathSync(folder);
  const inside = relative(repositoryOf(real) ?? real, real);
  const words = ["git", "apply", ...(inside ? [`--directory=${inside}`] : []), relative(folder, patchFile)];
  return `to take it over, in ${taskFolder}: ${words.map(inShell).join(" ")}`;
}

function repositoryOf(folder: string): string | undefined {
  if (existsSync(join(folder, ".git"))) return folder;
  return folder === dirname(folder) ? undefined : repositoryOf(dirname(folder));
}

const inShell = (word: string): string => (/^[\w./=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
