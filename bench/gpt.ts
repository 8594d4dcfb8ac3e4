import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loadConfig } from "../cli/config-file.ts";
import type { Config, TaskChange, Trial, View } from "../core/index.ts";
import { execute, resolveConfig } from "../core/index.ts";
import { innerLoop } from "../plugins/inner-loop/index.ts";
import { proposeRandom } from "../plugins/propose-random/index.ts";
import { confirmed } from "../plugins/select-improvement/index.ts";
import { countOf, flagsOf, refuse } from "./flags.ts";
import { searches, reportOf, rowsOf, type Search, type Row } from "./gpt/report.ts";

/**
 * The GPT example at its full budget on several seeds: the config at the top of the repository, beside random search and
 * beside the inner loop alone at the same number of trainings, and the config that starts from ordinary settings.
 * Prints the report; writes a line of JSON for each run, and does not run again what the file has.
 *
 *   npm run bench:gpt -- [--seeds 8] [--trials 30] [--search default …] [--workers N] [--rows FILE] [--report FILE]
 */
const flags = flagsOf({
  seeds: { type: "string", default: "8" },
  trials: { type: "string", default: "30" },
  search: { type: "string", multiple: true, default: [...searches] },
  workers: { type: "string", default: String(Math.max(1, Math.floor(availableParallelism() / 2))) },
  rows: { type: "string", default: ".bilevel/gpt.jsonl" },
  report: { type: "string" },
  one: { type: "string" },
});
const trials = countOf("trials", flags.trials);
const root = new URL("../", import.meta.url).pathname;
const ordinaryConfig = "examples/gpt-pretrain-cpu/ordinary.config.ts";

const changed: Readonly<Record<Search, Partial<Config>>> = {
  default: {},
  "inner loop": { levels: [innerLoop({ slots: 2 })], plugins: [] },
  random: { levels: [innerLoop({ slots: 2 })], plugins: [], proposer: proposeRandom() },
  ordinary: {},
};

/** Runs one search with one seed, and tells all of it. */
async function measure(search: Search, seed: number): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), "bilevel-gpt-"));
  const started = performance.now();
  try {
    const { config, file } = await loadConfig(root, search === "ordinary" ? ordinaryConfig : undefined);
    const whole: Config = { ...config, ...changed[search], seed: `seed-${seed}`, budget: { trials } };
    const end = await execute(resolveConfig(whole, file), join(folder, "run"));
    const view = end.levels.get("inner") as View<TaskChange>;
    const best = view.incumbent?.trial as Trial<TaskChange>;
    return {
      search,
      seed,
      seconds: Math.round((performance.now() - started) / 1000),
      baseline: view.baseline ?? NaN,
      best: view.incumbent?.value ?? NaN,
      fresh: confirmed(view),
      values: best.candidate.values ?? {},
      trials: [...view.trials].map(({ id, by, outcome, verdict, repeatOf, side, tests, confirms, seed: of }) => ({
        id,
        by,
        seed: of,
        value: outcome?.status === "measured" ? outcome.metric : null,
        ...(verdict ? { decision: verdict.decision } : {}),
        ...(repeatOf === undefined ? {} : { repeatOf }),
        ...(tests === undefined ? {} : { tests, side }),
        ...(confirms ? { confirms } : {}),
      })),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (flags.one !== undefined) {
  const [search, seed] = JSON.parse(flags.one) as [Search, number];
  appendFileSync(flags.rows, `${JSON.stringify(await measure(search, seed))}\n`);
} else {
  const unknown = flags.search.find((name) => !searches.includes(name as Search));
  if (unknown !== undefined) refuse(`--search ${unknown} is not known: ${searches.join(", ")}`);
  mkdirSync(dirname(flags.rows), { recursive: true });
  const known = existsSync(flags.rows) ? rowsOf(readFileSync(flags.rows, "utf8")) : [];
  const seeds = Array.from({ length: countOf("seeds", flags.seeds) }, (_, index) => index + 1);
  const wanted = seeds.flatMap((seed) => (flags.search as Search[]).map((search) => [search, seed] as const));
  const queue = wanted.filter(([search, seed]) => !known.some((row) => row.search === search && row.seed === seed));
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const args = [
        import.meta.filename,
        "--one",
        JSON.stringify(next),
        "--trials",
        flags.trials,
        "--rows",
        flags.rows,
      ];
      const child = spawn(process.execPath, ["--no-warnings", ...args], { stdio: ["ignore", "ignore", "inherit"] });
      const [code] = (await once(child, "exit")) as [number | null];
      if (code !== 0) throw new Error(`${next.join(" ")} ended with ${code}`);
      console.error(`${next.join(" ")}; ${queue.length} to go`);
    }
  };
  await Promise.all(Array.from({ length: countOf("workers", flags.workers) }, work));
  const report = reportOf(rowsOf(readFileSync(flags.rows, "utf8")));
  if (flags.report === undefined) console.log(report);
  else writeFileSync(flags.report, report);
}
