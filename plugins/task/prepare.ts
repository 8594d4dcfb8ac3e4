import { constants } from "node:fs";
import { chmod, copyFile, mkdir, readFile, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { createTwoFilesPatch } from "diff";
import type { Task, TaskChange, Value, Values } from "../../core/index.ts";
import { BilevelError, messageOf } from "../../core/index.ts";
import { languageOf, rewriteConstants } from "./constants.ts";
import { applyEdits, isOutside, matcher } from "./edits.ts";
import { frozenText, hashFile, taskFolder, type FrozenTask } from "./snapshot.ts";

/** How to start a prepared trial. `env` holds only what the task adds. */
export interface PreparedTrial {
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  cwd: string;
}

const channelText = (value: Value): string => (typeof value === "object" ? JSON.stringify(value) : String(value));

/** Everything a candidate and a seed put into a trial's files, environment and arguments. */
export interface Delivery {
  /** Whole files, by their paths. */
  texts: ReadonlyMap<string, string>;
  env: Record<string, string>;
  args: string[];
}

/**
 * Makes `folder/work` from the frozen task with the candidate in it, from
 * scratch: copied files (never links into the store, since programs write),
 * links for the rest, the values and the seed by their channels.
 * @throws E_TASK_INVALID where values or seed cannot be delivered
 */
export async function prepareTrial(
  frozen: FrozenTask,
  task: Task,
  candidate: TaskChange,
  seed: number,
  folder: string,
): Promise<PreparedTrial | { refused: string }> {
  const delivery = await deliver(frozen, task, candidate, seed);
  if ("refused" in delivery) return delivery;
  const cwd = join(folder, "work");
  await rm(cwd, { recursive: true, force: true });
  await mkdir(cwd, { recursive: true });
  for (const { path, hash, mode } of frozen.files) {
    const target = join(cwd, path);
    await mkdir(dirname(target), { recursive: true });
    const text = delivery.texts.get(path);
    if (text === undefined) await copyFile(join(frozen.store, hash), target, constants.COPYFILE_FICLONE);
    else await writeFile(target, text);
    await chmod(target, mode | 0o200);
  }
  for (const [path, text] of delivery.texts)
    if (!frozen.files.some((file) => file.path === path)) {
      await mkdir(dirname(join(cwd, path)), { recursive: true });
      await writeFile(join(cwd, path), text);
    }
  const own = await ownedPaths(frozen);
  for (const link of frozen.links) await linkInto(frozen.folder, cwd, link.path, own);
  return { command: [...task.command, ...delivery.args], env: delivery.env, cwd };
}

/**
 * Puts a candidate and a seed into the task, by their channels; or says why its edits cannot be made.
 * @throws E_TASK_INVALID where values or seed cannot be delivered
 */
export async function deliver(
  frozen: FrozenTask,
  task: Task,
  candidate: TaskChange,
  seed: number,
): Promise<Delivery | { refused: string }> {
  const values = candidate.values ?? {};
  const texts = new Map<string, string>();
  const delivery: Delivery = { texts, env: {}, args: [] };
  const edited = await editedTexts(frozen, task, candidate);
  if ("refused" in edited) return edited;
  for (const [path, text] of edited.files) texts.set(path, text);
  const channel = task.values;
  if (!channel && Object.keys(values).length > 0)
    throw new BilevelError(
      "E_TASK_INVALID",
      "the space has parameters, and the task does not say how they reach the program",
      { path: "task.values", hint: 'values: { via: "constants", file: "train.py" }' },
    );
  const taken = seedName(task);
  if (taken !== undefined && Object.hasOwn(values, taken))
    throw new BilevelError("E_TASK_INVALID", `the trial's seed would take the place of the parameter ${taken}`, {
      path: "task.seed",
      received: JSON.stringify(task.seed),
      allowed: "a name of its own",
      hint: `leave ${taken} out of the space, or give the seed another name, such as SEED`,
    });
  const seedConstant = typeof task.seed === "object" && "constant" in task.seed ? task.seed.constant : undefined;
  if (channel?.via === "constants") {
    const source = texts.get(channel.file) ?? (await frozenText(frozen, channel.file));
    if (source === undefined)
      throw new BilevelError("E_TASK_INVALID", "there is no such file among the task's copied files", {
        path: "task.values.file",
        received: channel.file,
        hint: "the path is relative to task.folder; the file must be neither linked nor ignored",
      });
    const wanted: Values = { ...values, ...(seedConstant === undefined ? {} : { [seedConstant]: seed }) };
    try {
      texts.set(channel.file, rewriteConstants(source, languageOf(channel.file), wanted));
    } catch (error) {
      if (!texts.has(channel.file)) throw error;
      return { refused: `with its edits, ${channel.file} cannot take the values: ${messageOf(error)}` };
    }
  } else if (seedConstant !== undefined)
    throw new BilevelError("E_TASK_INVALID", "a seed constant needs values that are constants too", {
      path: "task.seed",
      received: `constant ${seedConstant}`,
      allowed: '{ env: "SEED" }, { arg: "--seed" } or "none" here',
    });
  if (channel?.via === "json") {
    const file = normalize(channel.file);
    if (isOutside(file) || frozen.links.some(({ path }) => file === path || file.startsWith(`${path}/`)))
      throw new BilevelError("E_TASK_INVALID", "does not lie in the trial's own folder, so all trials would share it", {
        path: "task.values.file",
        received: channel.file,
        allowed: "a path relative to task.folder, inside it and not linked, such as values.json",
      });
    texts.set(channel.file, `${JSON.stringify(values, null, 2)}\n`);
  }
  if (channel?.via === "env")
    for (const [name, value] of Object.entries(values)) delivery.env[name] = channelText(value);
  if (channel?.via === "args")
    delivery.args.push(...Object.entries(values).map(([name, value]) => `--${name}=${channelText(value)}`));
  if (typeof task.seed === "object" && "env" in task.seed) delivery.env[task.seed.env] = String(seed);
  if (typeof task.seed === "object" && "arg" in task.seed)
    delivery.args.push(`--${task.seed.arg.replace(/^--/, "")}=${seed}`);
  return delivery;
}

/** The name by which the seed reaches the program, where the values go the same way. */
function seedName({ seed, values }: Task): string | undefined {
  if (typeof seed !== "object") return undefined;
  if ("constant" in seed) return seed.constant;
  if ("env" in seed) return values?.via === "env" ? seed.env : undefined;
  return values?.via === "args" ? seed.arg.replace(/^--/, "") : undefined;
}

/** The files that edits may touch, as they stand with this candidate's edits. */
export async function editableTexts(
  frozen: FrozenTask,
  task: Task,
  candidate: TaskChange,
): Promise<ReadonlyMap<string, string>> {
  const [isEditable, isProtected] = [matcher(task.editable), matcher(task.protected)];
  const texts = new Map<string, string>();
  for (const { path } of frozen.files)
    if (isEditable(path) && !isProtected(path)) texts.set(path, (await frozenText(frozen, path)) ?? "");
  const edited = await editedTexts(frozen, task, candidate);
  return "refused" in edited ? texts : new Map([...texts, ...edited.files]);
}

/** Why this candidate's edits cannot be made, or its values not be delivered with them; undefined where they can. */
export async function editProblem(frozen: FrozenTask, task: Task, candidate: TaskChange): Promise<string | undefined> {
  const delivery = await deliver(frozen, task, candidate, 0);
  return "refused" in delivery ? delivery.refused : undefined;
}

async function editedTexts(
  frozen: FrozenTask,
  task: Task,
  { edits = [] }: TaskChange,
): Promise<ReturnType<typeof applyEdits>> {
  const texts = new Map<string, string>();
  for (const path of new Set(edits.map(({ file }) => file))) {
    const text = await frozenText(frozen, path);
    if (text !== undefined) texts.set(path, text);
  }
  return applyEdits(texts, edits, { editable: task.editable ?? [], protected: task.protected ?? [] });
}

/** Links a path, but gives the trial a folder of its own where others would write through the link. */
async function linkInto(from: string, to: string, path: string, own: readonly string[]): Promise<void> {
  const source = join(from, path);
  const found = await stat(source).catch(() => undefined);
  if (!found) return;
  const isOpened = own.some((one) => one === path || one.startsWith(`${path}/`));
  await mkdir(dirname(join(to, path)), { recursive: true });
  if (!isOpened) return symlink(source, join(to, path));
  if (!found.isDirectory()) return copyFile(source, join(to, path), constants.COPYFILE_FICLONE);
  await mkdir(join(to, path), { recursive: true });
  for (const entry of await readdir(source)) await linkInto(from, to, `${path}/${entry}`, own);
}

const ownFile = (frozen: FrozenTask): string => join(taskFolder(frozen), "own.json");

/** Linked paths of which every trial gets its own. */
async function ownedPaths(frozen: FrozenTask): Promise<readonly string[]> {
  const text = await readFile(ownFile(frozen), "utf8").catch(() => "[]");
  return JSON.parse(text) as string[];
}

/** From now on every trial gets these linked paths as its own, instead of sharing them. */
export const giveEachItsOwn = (frozen: FrozenTask, paths: readonly string[]): Promise<void> =>
  writeFile(ownFile(frozen), JSON.stringify(paths));

/** Files that no trial may change: copied ones, without that which takes the values, and those behind links. */
export function protectedPaths(
  frozen: FrozenTask,
  task: Task,
): { files: FrozenTask["files"]; linked: FrozenTask["links"][number]["held"] } {
  const isProtected = matcher(task.protected);
  const rewritten = task.values && "file" in task.values ? task.values.file : undefined;
  return {
    files: frozen.files.filter(({ path }) => isProtected(path) && path !== rewritten),
    linked: frozen.links.flatMap(({ held }) => held.filter(({ path }) => isProtected(path))),
  };
}

/** Protected files that the program changed or removed in the trial's folder, or through a link. */
export async function verifyProtected(frozen: FrozenTask, task: Task, folder: string): Promise<string[]> {
  const { files, linked } = protectedPaths(frozen, task);
  const bad: string[] = [];
  for (const { path, hash } of files) {
    const now = await hashFile(join(folder, "work", path)).catch(() => undefined);
    if (now !== hash) bad.push(path);
  }
  for (const { path, size, mtimeMs } of linked) {
    const now = await stat(join(frozen.folder, path)).catch(() => undefined);
    if (now?.size !== size || now.mtimeMs !== mtimeMs) bad.push(path);
  }
  return bad;
}

/** The candidate as a patch that `git apply` takes in the user's folder; empty where no file changes. */
export async function patchOf(frozen: FrozenTask, task: Task, candidate: TaskChange): Promise<string> {
  const isConstant = typeof task.seed === "object" && "constant" in task.seed;
  const delivery = await deliver(frozen, isConstant ? { ...task, seed: undefined } : task, candidate, 0);
  if ("refused" in delivery) return "";
  let patch = "";
  for (const [path, text] of delivery.texts) {
    const before = await frozenText(frozen, path);
    if (before === undefined || before === text) continue;
    const hunks = createTwoFilesPatch(`a/${path}`, `b/${path}`, before, text, "", "", { context: 3 });
    patch += `diff --git a/${path} b/${path}\n${hunks.replace(/^=+\n/, "")}`;
  }
  return patch;
}
