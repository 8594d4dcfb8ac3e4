import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Task, TaskChange, Trial } from "../../core/index.ts";
import { secretNames } from "../evaluate-process/index.ts";
import { deliver, protectedPaths, type FrozenTask } from "../task/index.ts";

/** What the runner on the cluster is told, as JSON. */
export interface TrialSpec {
  /** The token that begins each frame: random, so that nothing else in a log is taken for one. */
  frame: string;
  /** The folder that holds the task on that node, as the runner sees it; the runner copies it. Default: where it was started. */
  base?: string;
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  /** The trial's change on top of the task: whole files by their paths. */
  files: Readonly<Record<string, string>>;
  /** Of files that are more than readable and writable. */
  modes: Readonly<Record<string, number>>;
  /** Linked paths, and where each lies on that node. */
  links: readonly { path: string; source: string }[];
  /** Null: no limit. */
  limitSeconds: number | null;
  /** Between SIGTERM and SIGKILL. */
  graceSeconds: number;
  /** SHA-256 of files that must be unchanged at the end; null for one behind a link, whose size and time must be. */
  protected: Readonly<Record<string, string | null>>;
  /** The file that the metrics are read from, where that is a file. */
  metricsFile?: string;
  /** Which variables of the node's environment the program must not see; null: it may see all. */
  withhold: { pattern: string; pass: readonly string[] } | null;
  /** In seconds since 1970: when the runner starts later than that, it does nothing. */
  startBefore?: number;
  /** True: the runner does nothing. */
  cancelled?: boolean;
}

/** What a spec needs to know beside the task and the trial. */
export interface SpecOptions {
  slot: number;
  limitSeconds: number | null;
  graceSeconds: number;
  /** Where linked paths lie on the cluster; false: they are left out there. Default: where they lie here. */
  links: Readonly<Record<string, string | false>>;
  /** Names of secrets that trials with edits get all the same. */
  passEnv: readonly string[];
  /** Set on top of all else. */
  env?: Readonly<Record<string, string>>;
  startBefore?: number;
}

/**
 * A trial in the form that its runner takes, or the reason why its candidate cannot be put into the task.
 * @throws E_TASK_INVALID where values or seed cannot be delivered
 */
export async function trialSpec(
  frozen: FrozenTask,
  task: Task,
  trial: Trial<TaskChange>,
  options: SpecOptions,
): Promise<TrialSpec | { refused: string }> {
  const delivery = await deliver(frozen, task, trial.candidate, trial.seed);
  if ("refused" in delivery) return delivery;
  const { files, linked } = protectedPaths(frozen, task);
  const modes = frozen.files.map(({ path, mode }) => [path, (mode & 0o777) | 0o200] as const);
  return {
    frame: `bilevel-${randomUUID()}`,
    command: [...task.command, ...delivery.args],
    env: {
      ...delivery.env,
      BILEVEL_SLOT: String(options.slot),
      BILEVEL_SEED: String(trial.seed),
      ...options.env,
    },
    files: Object.fromEntries(delivery.texts),
    modes: Object.fromEntries(modes.filter(([, mode]) => mode !== 0o644)),
    links: linksOf(frozen, options.links),
    limitSeconds: options.limitSeconds,
    graceSeconds: options.graceSeconds,
    protected: Object.fromEntries([
      ...files.map(({ path, hash }) => [path, hash] as const),
      ...linked.map(({ path }) => [path, null] as const),
    ]),
    ...(task.metrics?.from === "file" ? { metricsFile: task.metrics.file } : {}),
    withhold: trial.candidate.edits?.length ? { pattern: secretNames.source, pass: options.passEnv } : null,
    ...(options.startBefore === undefined ? {} : { startBefore: options.startBefore }),
  };
}

/** Linked paths and where they lie on the cluster. */
function linksOf(frozen: FrozenTask, given: SpecOptions["links"]): TrialSpec["links"] {
  return frozen.links.flatMap(({ path }) => {
    const source = given[path] ?? join(frozen.folder, path);
    return source === false ? [] : [{ path, source }];
  });
}
