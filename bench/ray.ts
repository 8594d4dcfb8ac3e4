import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { evaluateRay, execute, innerLoop, proposeRandom, resolveConfig } from "../index.ts";
import type { Fact, Plugin } from "../index.ts";
import { RayHead } from "../ray-node-client/test/ray/head.ts";
import { bin, installRay, rayVersion } from "../ray-node-client/test/ray/install.ts";
import { countOf, flagsOf } from "./flags.ts";

/**
 * Trials that sleep for a second on 16 logical CPUs, in a pool and in Ray Tune; and what a job costs, beside Python's
 * client. Installs Ray Tune beside Ray at its first run.
 *
 * `poolSeconds` and `tuneSeconds` count from the start of the first trial, start-up apart. The pool's workers are all
 * there by then (a run's baseline is measured meanwhile), while Tune starts its own as its first trials run; so
 * `poolSteady` and `tuneSteady` say, beside that, how many trials a second each began (ideal: 16) once every worker
 * had had one.
 *
 *   npm run bench:ray -- --json [--trials 1000] [--jobs 5]
 */
const flags = flagsOf({
  json: { type: "boolean" },
  trials: { type: "string", default: "1000" },
  jobs: { type: "string", default: "5" },
});
const cpus = 16;
const trials = countOf("trials", flags.trials);
const jobs = countOf("jobs", flags.jobs);

installRay();
if (spawnSync(bin("python"), ["-c", "import pandas, pyarrow"]).status !== 0) {
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `ray[tune]==${rayVersion}`];
  execFileSync(bin("python"), pip, { stdio: ["ignore", "inherit", "inherit"] });
}

/** When things happened in a run, in seconds since its start. */
interface Times {
  /** A trial was asked for. */
  handles: number[];
  outcomes: { at: number; seconds: number; queuedSeconds: number }[];
}

/** Runs trials of a shell command; the search is the cheapest there is. */
async function measure(
  head: RayHead,
  mode: "pool" | "jobs",
  command: string,
  slots: number,
  count: number,
): Promise<Times> {
  const home = mkdtempSync(join(tmpdir(), "bilevel-bench-"));
  mkdirSync(join(home, "task"));
  writeFileSync(join(home, "task", "train.sh"), `${command}\necho "loss: $X"\n`);
  const times: Times = { handles: [], outcomes: [] };
  const started = performance.now();
  const clock: Plugin = {
    name: "clock",
    contract: 1,
    open: (run) => {
      run.on(({ type, volatile }: Fact) => {
        const at = (performance.now() - started) / 1000;
        if (type === "handle") times.handles.push(at);
        if (type !== "outcome") return;
        const { seconds, where } = volatile as { seconds: number; where?: { queuedSeconds?: number } };
        times.outcomes.push({ at, seconds, queuedSeconds: where?.queuedSeconds ?? 0 });
      });
      return Promise.resolve();
    },
  };
  const config = {
    task: { folder: "task", command: ["sh", "train.sh"], values: { via: "env" as const }, seed: "none" as const },
    objective: { metric: "loss", direction: "minimize" as const, noise: "none" as const },
    space: { parameters: { X: { type: "float" as const, min: 0, max: 1, default: 0 } } },
    evaluator: evaluateRay({ address: head.address, mode }),
    proposer: proposeRandom(),
    levels: [innerLoop({ slots, confirm: 0 })],
    budget: { trials: count },
  };
  try {
    await execute(resolveConfig(config, join(home, "bilevel.config.ts")), join(home, "run"), { observers: [clock] });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  return times;
}

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
};
const rounded = (value: number): number => Number(value.toFixed(2));
/** Trials a second, from the moment at which every worker has had one to the last start. */
const steady = (starts: readonly number[]): number =>
  (starts.length - cpus) / ((starts.at(-1) ?? NaN) - (starts[cpus - 1] ?? NaN));

const head = await RayHead.start({ cpus });
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void head.stop().finally(() => process.exit(130)));
try {
  // the baseline lasts until all workers are there: what counts begins with the first trial after it
  const go = join(mkdtempSync(join(tmpdir(), "bilevel-bench-")), "go");
  const command = `if [ "$X" = 0 ]; then until [ -e ${go} ]; do sleep 0.1; done; else sleep 1; fi`;
  const began = performance.now();
  const running = measure(head, "pool", command, cpus, trials);
  while (head.processes("bilevel_pool.fork_server").length < cpus) await Promise.race([running, sleep(200)]);
  const poolStartSeconds = (performance.now() - began) / 1000;
  writeFileSync(go, "");
  const pool = await running;
  const first = pool.handles[1] ?? NaN;
  const poolSeconds = (pool.outcomes.at(-1)?.at ?? NaN) - first;
  console.error(`${trials} trials in the pool: ${rounded(poolSeconds)} s; now in Ray Tune`); // which may take long
  const python = (script: string, ...args: string[]): unknown => {
    const file = new URL(`ray/${script}`, import.meta.url).pathname;
    const env = { ...head.env, RAY_ADDRESS: head.gcsAddress };
    const told = execFileSync(bin("python"), [file, ...args], {
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return JSON.parse(told.trim().split("\n").at(-1) ?? "") as unknown;
  };
  const tune = python("tune.py", String(trials), String(cpus)) as {
    startSeconds: number;
    seconds: number;
    starts: number[];
  };
  const own = await measure(head, "jobs", "true", 1, jobs);
  const theirs = python("jobs.py", head.address, String(jobs)) as { start: number; harvest: number }[];
  const harvests = own.outcomes.map(({ at }, index) => at - (own.handles[index] ?? NaN));
  const result = {
    trials,
    cpus,
    cores: availableParallelism(),
    poolSeconds: rounded(poolSeconds),
    tuneSeconds: rounded(tune.seconds),
    idealSeconds: Math.ceil(trials / cpus),
    poolSteady: rounded(steady(pool.handles.slice(1))),
    tuneSteady: rounded(steady(tune.starts)),
    poolStartSeconds: rounded(poolStartSeconds),
    tuneStartSeconds: rounded(tune.startSeconds),
    jobStartSeconds: rounded(median(own.outcomes.map(({ queuedSeconds }) => queuedSeconds))),
    jobHarvestSeconds: rounded(median(harvests)),
    pythonJobStartSeconds: rounded(median(theirs.map(({ start }) => start))),
    pythonJobHarvestSeconds: rounded(median(theirs.map(({ harvest }) => harvest))),
  };
  if (flags.json) console.log(JSON.stringify(result));
  else console.table(result);
} finally {
  await head.stop();
}
