import type { ClusterResources, JobSubmissionClient } from "#ray-node-client";
import { BilevelError, messageOf, type Outcome } from "../../core/index.ts";
import { needsOf } from "./gate.ts";
import type { EvaluateRayOptions, Options } from "./options.ts";

/** The oldest Ray whose Jobs API takes all that is asked of it here. */
const oldest = [2, 8] as const;
const patienceAtStartMs = 5000;
/** What runs on the cluster runs on while the way there is cut: a dashboard that is away is waited for. */
const patienceMs = 600_000;

/**
 * A client of the cluster, after a look whether there is one, within seconds.
 * @throws E_CLUSTER: unreachable, a token missing or refused, too old; E_OPTIONS_INVALID for an address of another protocol
 */
export async function connect({ address, tokenEnv }: EvaluateRayOptions): Promise<JobSubmissionClient> {
  const { JobSubmissionClient } = await import("#ray-node-client");
  const token = tokenEnv === undefined ? undefined : (process.env[tokenEnv] ?? "");
  if (token === "") {
    throw new BilevelError("E_CLUSTER", `the environment variable ${tokenEnv} is empty`, {
      path: "evaluator.tokenEnv",
      hint: "put the cluster's token there",
    });
  }
  const settings = token === undefined ? {} : { token: () => process.env[tokenEnv ?? ""] ?? "" };
  try {
    await using probe = new JobSubmissionClient(address, {
      ...settings,
      retryForMs: patienceAtStartMs,
      timeoutMs: 2 * patienceAtStartMs,
    });
    const { rayVersion } = await probe.getVersion();
    const [major = 0, minor = 0] = rayVersion.split(".").map(Number);
    if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
      throw new BilevelError("E_CLUSTER", "the cluster's Ray is too old", {
        path: probe.address,
        received: rayVersion,
        allowed: `${oldest.join(".")} or newer`,
      });
    }
    return new JobSubmissionClient(address, { ...settings, retryForMs: patienceMs });
  } catch (error) {
    throw explained(error);
  }
}

/** What a user can do about an error of the client, by its code. */
const hints: Readonly<Record<string, string>> = {
  TOKEN_MISSING: "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN, or name a variable: evaluateRay({ tokenEnv: … })",
  TOKEN_REFUSED: "the token is another cluster's, or has changed: set RAY_AUTH_TOKEN anew",
  UNREACHABLE: "start one (ray start --head), or lead its dashboard here: kubectl port-forward service/… 8265",
  REQUEST_TIMEOUT:
    "something takes connections there and does not answer: is it Ray's dashboard, and the way to it open?",
  PACKAGE_TOO_LARGE: "link large files (task.link), and say where they lie on the cluster: links: { … }",
  NOT_RAY: "the address must be that of Ray's dashboard, port 8265 unless it was started with another",
};

/** The option that an error of the client, by its code, comes from. */
const options: Readonly<Record<string, string>> = {
  INVALID_ADDRESS: "evaluator.address",
  INVALID_RUNTIME_ENV: "evaluator.runtimeEnv",
};

/** An error of the client as one for the user; everything else as it is. */
export function explained(error: unknown): unknown {
  const { code, kind } = error as { code?: string; kind?: string };
  if (error instanceof BilevelError || code === undefined || kind === undefined) return error;
  const option = options[code];
  return new BilevelError(option === undefined ? "E_CLUSTER" : "E_OPTIONS_INVALID", messageOf(error), {
    path: option ?? "evaluator",
    hint: hints[code],
    cause: error,
  });
}

/**
 * What an error of the client means for the trial that met it: lost, where asking again may help.
 * @throws E_CLUSTER where it will not: a token, a request that is refused
 */
export function lostTo(error: unknown, seconds: number): Outcome {
  const { code, kind } = error as { code?: string; kind?: string };
  const isPassing = kind === "infrastructure" || kind === "timeout" || kind === "setup" || code === "NOT_FOUND";
  if (!isPassing) throw explained(error);
  return { status: "lost", reason: messageOf(error), seconds };
}

/** What the cluster has, what of it is free, and what waits, in one line. */
export function describeCluster({ total, available, waiting = [], nodes }: ClusterResources): string {
  const names = ["CPU", "GPU", ...Object.keys(total).filter((name) => /^accelerator_type:/.test(name))];
  const alive = nodes.filter(({ isAlive }) => isAlive).length;
  const amounts = names.map((name) =>
    available ? `${name} ${short(available[name])} of ${short(total[name])} free` : `${name} ${short(total[name])}`,
  );
  const demand = waiting.map(({ resources, count }) => `${count} × (${amountsText(resources)})`);
  const asked = demand.length > 0 ? `; waiting there: ${demand.join(", ")}` : "";
  return `${amounts.join(", ")} on ${alive} node${alive === 1 ? "" : "s"}${asked}`;
}

/** What there was no room for in time, and what the cluster has. */
export function describeLack(options: Options, resources: ClusterResources): string {
  const labels = options.labelSelector ? ` and the labels ${JSON.stringify(options.labelSelector)}` : "";
  const needs = amountsText(needsOf(options)) + labels;
  const waited = `no node had room for it within ${options.queueSeconds} s`;
  return `${waited}; it needs ${needs}; the cluster has ${describeCluster(resources)}`;
}

/** Amounts of resources, in one line. */
export const amountsText = (amounts: Readonly<Record<string, number>>): string =>
  Object.entries(amounts)
    .map(([name, amount]) => `${name} ${short(amount)}`)
    .join(", ") || "nothing";

const short = (amount = 0): string => String(Math.round(amount * 1000) / 1000);
