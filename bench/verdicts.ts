import { fork } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import measure from "../examples/karpathy-surrogate/objective.ts";
import { space } from "../examples/karpathy-surrogate/space.ts";
import {
  execute,
  resolveConfig,
  type Config,
  type Evidence,
  type Plugin,
  type TaskChange,
  type Trial,
} from "../core/index.ts";
import { integer, median, streamOf, type Values } from "../kit/index.ts";
import { evaluateFunction } from "../plugins/evaluate-function/index.ts";
import { innerLoop } from "../plugins/inner-loop/index.ts";
import { proposeLocal } from "../plugins/propose-local/index.ts";
import { outerLoop } from "../plugins/outer-loop/index.ts";
import { countOf, flagsOf } from "./flags.ts";
import { kinds, planted, truth } from "./planted.ts";

/**
 * How often the verdict is right, measured through the real loop on planted
 * mechanisms (the surrogate of Karpathy's benchmark, propose-local, one slot,
 * nothing repeated, 100 trials): bench:verdicts [--json] [--seeds N].
 */
const flags = flagsOf({
  json: { type: "boolean" },
  seeds: { type: "string", default: "400" },
  kinds: { type: "string" },
});
const seeds = countOf("seeds", flags.seeds);

/** One run to do: its planted kinds, five of them in 300 trials for a sequence. */
interface Job {
  kind: string;
  seed: number;
  /** As configured by default: noise repeats on. */
  usual?: boolean;
}

interface Done extends Job {
  kept: string[];
  dropped: boolean;
  pairs: number;
  /** Value of the best without noise. */
  final: number;
}

/** The plugins of a job. A sequence: four placebos and one best of two, in a random place. */
function catalogueOf({ kind, seed }: Job): Plugin[] {
  if (kind === "none") return [];
  if (kind !== "sequence") return [planted(kind, kinds[kind] as (typeof kinds)[string])];
  const helper = integer(streamOf("place of the helper", seed), 5);
  return Array.from({ length: 5 }, (_, place) =>
    place === helper
      ? planted("best-of-2", kinds["best-of-2"] as never)
      : planted(`placebo-${place}`, kinds.placebo as never),
  );
}

async function work(job: Job): Promise<Done> {
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "bilevel-verdicts-"));
  const config: Config = {
    objective: { metric: "val_bpb", direction: "minimize", ...(job.usual ? {} : { noise: "none" as const }) },
    space,
    evaluator: evaluateFunction({
      function: (values: Values, { seed }: { seed: number }) => measure(values, { seed: seed + 10_000 * job.seed }),
      thread: false,
    }),
    levels: [innerLoop({ confirm: 0 }), outerLoop({ name: "research", changes: "mechanisms", every: 10 })],
    proposer: proposeLocal(),
    plugins: catalogueOf(job),
    budget: { trials: job.kind === "sequence" ? 300 : 100 },
    seed: `verdicts ${job.seed}`,
  };
  const end = await execute(resolveConfig(config, join(folder, "bilevel.config.ts")), folder);
  rmSync(folder, { recursive: true });
  const inner = end.levels.get("inner");
  const evidence: Evidence | undefined = inner?.evidence.get(job.kind);
  const best = inner?.incumbent?.trial as Trial<TaskChange> | undefined;
  const kept = [...(inner?.evidence ?? [])].filter(([, { decision }]) => decision === "keep").map(([id]) => id);
  return {
    ...job,
    kept,
    dropped: evidence?.decision === "revert",
    pairs: evidence?.pairs ?? 0,
    final: truth(best?.candidate.values ?? {}),
  };
}

const wanted = flags.kinds?.split(",");
const isWanted = ({ kind }: Job): boolean => !wanted || wanted.includes(kind) || kind === "none";
const jobs: Job[] = ["none", "sequence", ...Object.keys(kinds)]
  .flatMap((kind) =>
    Array.from({ length: kind === "placebo" ? 4 * seeds : seeds }, (_, index): Job => ({ kind, seed: index + 1 })),
  )
  .concat(
    ["placebo", "best-of-2"].flatMap((kind) =>
      Array.from({ length: Math.ceil(seeds / 4) }, (_, index): Job => ({ kind, seed: index + 1, usual: true })),
    ),
  )
  .filter(isWanted);

/** Shares the jobs out to a process per core; each asks for the next. */
async function all(): Promise<Done[]> {
  const waiting = [...jobs];
  const done: Done[] = [];
  await Promise.all(
    Array.from({ length: availableParallelism() }, () => {
      const child = fork(import.meta.filename, process.argv.slice(2), {
        env: { ...process.env, BILEVEL_BENCH: "worker" },
      });
      return new Promise<void>((resolve, reject) => {
        const next = (): void => {
          const job = waiting.shift();
          if (job) child.send(job);
          else child.kill();
        };
        child.on("message", (result: Done) => {
          done.push(result);
          next();
        });
        child.once("exit", (code) => (code ? reject(new Error(`a worker ended with ${code}`)) : resolve()));
        next();
      });
    }),
  );
  return done;
}

const share = (list: readonly Done[], test: (one: Done) => boolean): number =>
  list.length === 0 ? NaN : Number((list.filter(test).length / list.length).toFixed(4));

async function main(): Promise<void> {
  const done = await all();
  const of = (kind: string, usual = false) => done.filter((one) => one.kind === kind && !!one.usual === usual);
  const kept = (kind: string, usual = false) => share(of(kind, usual), (one) => one.kept.includes(kind));
  const final = (kind: string): number => median(of(kind).map((one) => one.final));
  const paired = of("placebo")
    .filter(({ seed }) => seed <= seeds)
    .map((one) => one.final);
  const figures = {
    placeboKept: kept("placebo"),
    harmfulKept: Math.max(kept("worst-of-2"), kept("veto-of-gains")),
    standstillKept: Math.max(kept("repeat-the-parent"), kept("fine-steps-only")),
    helpful3Kept: kept("best-of-3"),
    helpful2Kept: kept("best-of-2"),
    weak2Kept: kept("weak-best-of-2"),
    inertNamed: share(of("inert"), ({ pairs, kept: all }) => pairs === 0 && all.length === 0),
    regretCost: Number((median(paired) - final("none")).toExponential(2)),
    anyPlaceboKeptPerRun: share(of("sequence"), (one) => one.kept.some((id) => id.startsWith("placebo"))),
    helperKeptPerRun: share(of("sequence"), (one) => one.kept.includes("best-of-2")),
  };
  if (flags.json) return console.log(JSON.stringify(figures));
  const aims: Record<string, [sign: 1 | -1, aim: number]> = {
    placeboKept: [1, 0.08],
    harmfulKept: [1, 0.01],
    standstillKept: [1, 0.01],
    helpful3Kept: [-1, 0.97],
    helpful2Kept: [-1, 0.97],
    weak2Kept: [-1, 0.85],
    inertNamed: [-1, 1],
    regretCost: [1, 2e-4],
    anyPlaceboKeptPerRun: [1, 0.12],
    helperKeptPerRun: [-1, 0.85],
  };
  console.log(`${seeds} seeds (placebo ${4 * seeds}), surrogate, 100 trials; kept, dropped, median final value`);
  for (const kind of ["none", ...Object.keys(kinds)])
    console.log(
      `  ${kind.padEnd(18)} ${String(kept(kind)).padEnd(7)} ${String(share(of(kind), (one) => one.dropped)).padEnd(7)} ${final(kind).toFixed(5)}`,
    );
  console.log(
    `  as configured by default: placebo ${kept("placebo", true)}, best-of-2 ${kept("best-of-2", true)} of ${of("placebo", true).length} seeds`,
  );
  for (const [name, value] of Object.entries(figures)) {
    const [sign, aim] = aims[name] ?? [1, Infinity];
    console.log(
      `${name.padEnd(22)} ${String(value).padEnd(10)} aim ${sign > 0 ? "at most" : "at least"} ${aim}${sign * (value - aim) > 0 ? ", missed" : ""}`,
    );
  }
}

if (process.env.BILEVEL_BENCH === "worker")
  process.on("message", (job: Job) => void work(job).then((result) => process.send?.(result)));
else await main();
