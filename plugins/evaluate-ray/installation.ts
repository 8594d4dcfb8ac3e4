import type { JobInfo } from "#ray-node-client";
import { BilevelError, type View } from "../../core/index.ts";
import type { Options } from "./options.ts";

/**
 * Throws where a job failed because pip or uv could not install what the config asks for, and nothing of the run was
 * measured yet: asking again would fail again. Later on it is a node's trouble, since others have installed the same.
 * @throws E_OPTIONS_INVALID
 */
export function checkInstallation(job: JobInfo | undefined, { runtimeEnv }: Options, view: View): void {
  if (job?.errorType !== "RUNTIME_ENV_SETUP_FAILURE") return;
  const failure = installFailure(job.message ?? "");
  if (failure === undefined || [...view.trials].some(({ outcome }) => outcome?.status === "measured")) return;
  const { tool, said } = failure;
  throw new BilevelError("E_OPTIONS_INVALID", `${tool} could not install on the cluster what this asks for`, {
    path: `evaluator.runtimeEnv.${tool}`,
    received: JSON.stringify(runtimeEnv?.[tool]),
    hint: `${tool} said: ${said}`,
  });
}

/** What an installer said, in what Ray tells of a runtime environment that could not be made. */
function installFailure(message: string): { tool: "pip" | "uv"; said: string } | undefined {
  const [command, output] = message.split(/^Last \d+ lines of stdout:$/m);
  const [, tool] = /'-m', '(pip|uv)', [^\n]*'install'[^\n]* returned non-zero/.exec(command ?? "") ?? [];
  if ((tool !== "pip" && tool !== "uv") || output === undefined) return undefined;
  const lines = output.split("\n").flatMap((line) => line.trim() || []);
  const telling = lines.filter((line) => /^error:|^cause:|because/i.test(line));
  return { tool, said: (telling.length > 0 ? telling : lines.slice(-1)).join(" ").slice(0, 600) };
}
