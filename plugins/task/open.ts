import { middle } from "../../kit/index.ts";
import type { Domain, Run, Space, Task, Value } from "../../core/index.ts";
import { BilevelError, messageOf, nearest } from "../../core/index.ts";
import { matcher } from "./edits.ts";
import { deliver } from "./prepare.ts";
import { changedThroughLinks, freezeTask, type FrozenTask } from "./snapshot.ts";

/**
 * Freezes a run's task, unless what the config says of it would fail a trial later, or guard nothing; and tells what is
 * not as it was, or names nothing.
 * @throws E_TASK_INVALID, E_CONFIG_INVALID; once the task is mended, the run can be resumed
 */
export async function openTask(run: Run, task: Task): Promise<FrozenTask> {
  const { objective, space } = run.config;
  checkPattern(task, objective.metric);
  const frozen = await freezeTask(task, run.home, run.folder, async (found) => {
    checkGlobs(found, task);
    await checkDelivery(found, task, space);
    if (run.view(run.config.levels[0]?.name ?? "").trials.length > 0)
      run.notice(
        "the run's copy of the task is gone: it goes on with the folder as it is now, whatever earlier trials ran",
      );
  });
  const changed = run.resumed ? await changedThroughLinks(frozen) : [];
  if (changed.length > 0) run.notice(`linked files changed since the run began: ${changed.slice(0, 5).join(", ")}`);
  const linked = frozen.links.map(({ path, kind }) => (kind === "folder" ? `${path}/` : path));
  const idle = run.resumed ? [] : (task.link ?? []).filter((glob) => !namesOne(glob, linked));
  if (idle.length > 0) run.notice(`nothing in the task's folder is named by link: ${idle.join(", ")}`);
  return frozen;
}

/** A regular expression that cannot be read, or has no group for the metric, would measure nothing. */
function checkPattern({ metrics }: Task, metric: string): void {
  if (metrics?.from !== "regex") return;
  const { pattern } = metrics;
  const invalid = (message: string): BilevelError =>
    new BilevelError("E_CONFIG_INVALID", message, {
      path: "task.metrics.pattern",
      received: pattern,
      allowed: `a regular expression whose group is the value, such as ${metric}=(\\S+)`,
    });
  let groups: RegExpExecArray | null;
  try {
    groups = new RegExp(`${new RegExp(pattern).source}|`).exec(""); // matches nothing, and tells its groups
  } catch (error) {
    throw invalid(messageOf(error));
  }
  const named = Object.keys(groups?.groups ?? {});
  if (named.length > 0 && !named.includes(metric)) throw invalid(`none of its named groups is ${metric}`);
  if (groups?.length === 1) throw invalid("has no group");
}

/** A file that is named to be guarded, or to be changed, must be there: a name misspelt would guard nothing. */
function checkGlobs({ files, links }: FrozenTask, task: Task): void {
  const copied = files.map(({ path }) => path);
  const linked = links.flatMap(({ held }) => held.map(({ path }) => path));
  for (const [key, paths] of [
    ["protected", [...copied, ...linked]],
    ["editable", copied],
  ] as const)
    for (const [index, glob] of (task[key] ?? []).entries()) {
      if (namesOne(glob, paths)) continue;
      const near = nearest(glob, paths);
      throw new BilevelError("E_TASK_INVALID", "names no file that trials get", {
        path: `task.${key}[${index}]`,
        received: glob,
        allowed: "a path or glob as in .gitignore, relative to task.folder; a file that git ignores is not copied",
        ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
      });
    }
}

/** Whether a glob, also one that takes out what others name, is about one of these paths. */
const namesOne = (glob: string, paths: readonly string[]): boolean => paths.some(matcher([glob.replace(/^!/, "")]));

/** Puts every parameter into the task once, active or not, and every value of a choice. */
async function checkDelivery(frozen: FrozenTask, task: Task, space: Space | undefined): Promise<void> {
  const tried = Object.entries(space?.parameters ?? {}).map(([name, domain]) => [name, examples(domain)] as const);
  const most = Math.max(1, ...tried.map(([, values]) => values.length));
  for (let at = 0; at < most; at++) {
    const values = tried.flatMap(([name, all]) => (at < all.length ? [[name, all[at] as Value] as const] : []));
    await deliver(frozen, task, { values: Object.fromEntries(values) }, 0);
  }
}

const examples = (domain: Domain): readonly Value[] => (domain.type === "choice" ? domain.values : [middle(domain)]);
