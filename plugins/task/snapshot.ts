import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { copyFile, mkdir, readFile, readdir, rename, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import ignore from "ignore";
import type { Task } from "../../core/index.ts";
import { BilevelError } from "../../core/index.ts";
import { matcher } from "./edits.ts";

/** A file of the task as it was at the start; its bytes lie in the store under their hash. */
export interface FrozenFile {
  path: string;
  hash: string;
  mode: number;
  size: number;
}

/** A file or folder that trials see through a link; of a folder, what it held at the start. */
export interface FrozenLink {
  path: string;
  kind: "file" | "folder";
  held: readonly { path: string; size: number; mtimeMs: number }[];
}

/** The user's folder as it was when the run began. All paths but `folder` and `store` are relative, with `/`. */
export interface FrozenTask {
  folder: string;
  store: string;
  files: readonly FrozenFile[];
  links: readonly FrozenLink[];
}

const never = [".git", ".bilevel", "__pycache__", ".DS_Store", ".mypy_cache", ".pytest_cache", ".ipynb_checkpoints"];
/** Linked unless the config says otherwise: large, and of no interest to a search. */
const alwaysLinked = ["node_modules", ".venv", "venv"];
const largestCopy = 50e6;
/** Of a linked folder, so many files are watched for writes. */
const mostWatched = 20_000;

/**
 * Freezes the task's folder into `runFolder/task`, or reads what an earlier
 * process froze there: tracked and new files of a git repository (a dirty one
 * is fine), else all files that .gitignore does not name. What `check` throws keeps it from being frozen.
 * @throws E_TASK_INVALID: no such folder, or a large file that is neither linked nor ignored
 */
export async function freezeTask(
  task: Task,
  home: string,
  runFolder: string,
  check?: (found: FrozenTask) => Promise<void>,
): Promise<FrozenTask> {
  const folder = resolve(home, task.folder);
  const store = join(runFolder, "task", "store");
  const list = join(runFolder, "task", "files.json");
  const known = await readFile(list, "utf8").catch(() => undefined);
  if (known !== undefined) return { folder, store, ...(JSON.parse(known) as Pick<FrozenTask, "files" | "links">) };
  if (!(await stat(folder).catch(() => undefined))?.isDirectory())
    throw new BilevelError("E_TASK_INVALID", "there is no such folder", {
      path: "task.folder",
      received: folder,
      hint: "the path is relative to the config file",
    });
  const links = await findLinks(folder, task);
  const paths = await findFiles(
    folder,
    task,
    links.map(({ path }) => path),
  );
  await mkdir(store, { recursive: true });
  const files: FrozenFile[] = [];
  for (const path of paths) {
    const { size, mode } = await stat(join(folder, path));
    if (size > largestCopy)
      throw new BilevelError(
        "E_TASK_INVALID",
        `${path} has ${Math.round(size / 1e6)} MB: too much to copy for every trial`,
        {
          path: "task",
          allowed: `files up to ${largestCopy / 1e6} MB`,
          hint: `link it: link: ["${path.split("/")[0]}"], or leave it out: ignore: ["${path}"]`,
        },
      );
    const hash = await hashFile(join(folder, path));
    await copyFile(join(folder, path), join(store, hash), constants.COPYFILE_FICLONE);
    files.push({ path, hash, mode, size });
  }
  const found: FrozenTask = { folder, store, files, links };
  await check?.(found);
  await writeFile(`${list}.tmp`, JSON.stringify({ files, links }));
  await rename(`${list}.tmp`, list); // the last step: where the list is, all is
  return found;
}

async function findLinks(folder: string, task: Task): Promise<FrozenLink[]> {
  const [isLinked, isIgnored] = [matcher([...(task.link ?? []), ...alwaysLinked]), matcher(task.ignore)];
  const links: FrozenLink[] = [];
  const walk = async (at: string): Promise<void> => {
    for (const entry of await readdir(join(folder, at), { withFileTypes: true })) {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      if (never.includes(entry.name) || isIgnored(path)) continue;
      const isFolder = (await stat(join(folder, path)).catch(() => undefined))?.isDirectory() ?? false;
      if (isLinked(path) || (isFolder && (entry.isSymbolicLink() || isLinked(`${path}/`))))
        links.push({ path, kind: isFolder ? "folder" : "file", held: await heldBy(folder, path, isFolder) });
      else if (entry.isDirectory()) await walk(path);
    }
  };
  await walk("");
  return links;
}

/** Size and time of the files in a linked folder, or of a linked file. */
export async function heldBy(folder: string, path: string, isFolder: boolean): Promise<FrozenLink["held"]> {
  if (!isFolder) {
    const found = await stat(join(folder, path)).catch(() => undefined);
    return found ? [{ path, size: found.size, mtimeMs: found.mtimeMs }] : [];
  }
  const held: { path: string; size: number; mtimeMs: number }[] = [];
  const walk = async (at: string): Promise<void> => {
    for (const entry of await readdir(join(folder, at), { withFileTypes: true }).catch(() => [])) {
      if (held.length >= mostWatched) return;
      const inside = `${at}/${entry.name}`;
      if (entry.isDirectory()) await walk(inside);
      else {
        const found = await stat(join(folder, inside)).catch(() => undefined);
        if (found) held.push({ path: inside, size: found.size, mtimeMs: found.mtimeMs });
      }
    }
  };
  await walk(path);
  return held;
}

async function findFiles(folder: string, task: Task, links: readonly string[]): Promise<string[]> {
  const isIgnored = matcher([...(task.ignore ?? []), ...never]);
  const listed = (await gitFiles(folder)) ?? (await walkedFiles(folder));
  const isUnderLink = (path: string): boolean => links.some((link) => path === link || path.startsWith(`${link}/`));
  const kept = listed.filter((path) => !isIgnored(path) && !isUnderLink(path));
  const isFile = async (path: string) => (await stat(join(folder, path)).catch(() => undefined))?.isFile() ?? false;
  const present = await Promise.all(kept.map(isFile));
  return kept.filter((_, index) => present[index]).sort();
}

async function gitFiles(folder: string): Promise<string[] | undefined> {
  try {
    const { stdout } = await promisify(execFile)(
      "git",
      ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
      { cwd: folder, maxBuffer: 1e9 },
    );
    return stdout.split("\0").filter((path) => path !== "");
  } catch {
    return undefined; // no git, or no repository
  }
}

async function walkedFiles(folder: string): Promise<string[]> {
  const rules = ignore().add(await readFile(join(folder, ".gitignore"), "utf8").catch(() => ""));
  const found: string[] = [];
  const walk = async (at: string): Promise<void> => {
    for (const entry of await readdir(join(folder, at), { withFileTypes: true })) {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      if (never.includes(entry.name) || rules.ignores(entry.isDirectory() ? `${path}/` : path)) continue;
      if (entry.isDirectory() && !alwaysLinked.includes(basename(path))) await walk(path);
      else if (!entry.isDirectory()) found.push(path);
    }
  };
  await walk("");
  return found;
}

export function hashFile(file: string): Promise<string> {
  return new Promise((resolvePromise, reject) => {
    const hash = createHash("sha256");
    createReadStream(file)
      .on("error", reject)
      .on("data", (chunk) => hash.update(chunk))
      .on("end", () => resolvePromise(hash.digest("hex")));
  });
}

/** Linked files that were changed, added or taken away since the start, as far as they are watched. */
export async function changedThroughLinks(frozen: FrozenTask): Promise<string[]> {
  const changed: string[] = [];
  for (const link of frozen.links) {
    const before = new Map(link.held.map((file) => [file.path, file]));
    for (const now of await heldBy(frozen.folder, link.path, link.kind === "folder")) {
      const then = before.get(now.path);
      if (!then || then.size !== now.size || then.mtimeMs !== now.mtimeMs) changed.push(now.path);
      before.delete(now.path);
    }
    changed.push(...before.keys());
  }
  return changed.sort();
}

/** The text of a frozen file; undefined where there is none. */
export async function frozenText(frozen: FrozenTask, path: string): Promise<string | undefined> {
  const file = frozen.files.find((one) => one.path === path);
  return file && readFile(join(frozen.store, file.hash), "utf8");
}

/** The folder that holds what belongs to the frozen task. */
export const taskFolder = (frozen: FrozenTask): string => dirname(frozen.store);
