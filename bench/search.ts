import { fork } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { CannotInstall } from "../ray-node-client/test/environment.ts";
import { countOf, flagsOf, refuse } from "./flags.ts";
import { packages, python } from "./search/install.ts";
import { own, others } from "./search/methods.ts";
import { closeBridge, play, type Game, type Played } from "./search/play.ts";
import { reportOf, summarise, type Made, type Speeds } from "./search/report.ts";
import { speedOf } from "./search/speed.ts";
import { tasks } from "./search/tasks.ts";

/**
 * The proposers beside Optuna, Nevergrad and SMAC, on the tasks that ours was not tuned on.
 *
 *   npm run bench:search -- --json            the fast tasks: 20 seeds (ours 40), 30 and 100 trials, and 4 slots
 *   npm run bench:search -- --json --quick    a small part of them
 *   npm run bench:search -- --json --real     tasks that train models: 8 seeds, 30 trials
 *
 * --tasks a,b  --methods a,b  --trials 30,100  --slots 1,4  --seeds N (or from-to)  --workers N
 * --raw FILE   every game as a line of JSON, added to what is there
 * --from FILE,FILE   plays nothing: reports what these files hold
 * --report FILE      the report as Markdown
 */
const flags = flagsOf({
  json: { type: "boolean" },
  quick: { type: "boolean" },
  real: { type: "boolean" },
  tasks: { type: "string" },
  methods: { type: "string" },
  trials: { type: "string" },
  slots: { type: "string" },
  seeds: { type: "string" },
  workers: { type: "string" },
  raw: { type: "string" },
  from: { type: "string" },
  report: { type: "string" },
  "no-speed": { type: "boolean" },
});
const isWorker = process.env.BILEVEL_BENCH === "worker";

interface Plan {
  /** From 1 on: of each method, and of all that are not named. */
  seeds: Readonly<Record<string, number>> & { readonly others: number };
  trials: string;
  methods: readonly string[];
}

/**
 * What is played without further flags. Ours plays more seeds: how four slots do beside one is a difference between its own
 * games. A game of SMAC takes twenty times as long as one of the others, and Optuna's multivariate TPE is its default by
 * another name.
 */
const plans: Readonly<Record<"fast" | "quick" | "real", Plan>> = {
  fast: {
    seeds: { search: 40, others: 20, smac: 4, "optuna-multivariate": 4 },
    trials: "30,100",
    methods: ["search", "local", "random", "tpe", "cma", ...others],
  },
  quick: { seeds: { others: 4 }, trials: "30", methods: ["search", "local", "random", "optuna"] },
  real: { seeds: { others: 8, smac: 4 }, trials: "30", methods: ["search", "local", "random", ...others] },
};
/** Of longer games SMAC has none: each takes most of a minute. */
const longestOfSmac = 30;
/** Games of 100 trials are played with four slots as well, and longer: what they take to the same value has to be seen. */
const withFourSlots = { slots: 4, trials: 150 };
const quickTasks = ["karpathy-surrogate", "bbob-mixint f8 d10", "bbob-mixint f18 d10"];
const plan = plans[flags.quick ? "quick" : flags.real ? "real" : "fast"];

const numbers = (flag: string, text: string): number[] => text.split(",").map((one) => countOf(flag, one));

function seedsOf(text: string): number[] {
  const [from = 0, to] = text.split("-").map((one) => countOf("seeds", one));
  return to === undefined
    ? Array.from({ length: from }, (_, index) => index + 1)
    : Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function games(): Game[] {
  const named = flags.tasks?.split(",");
  const wanted = tasks.filter(({ name, role, real }) =>
    named
      ? named.includes(name)
      : flags.quick
        ? quickTasks.includes(name)
        : role !== "tuning" && real === !!flags.real && !name.endsWith("full"),
  );
  const methods = flags.methods?.split(",") ?? plan.methods;
  const unknown = [
    ...(named ?? []).filter((name) => !tasks.some((task) => task.name === name)),
    ...methods.filter((name) => !(name in own) && !others.includes(name as never)),
  ];
  if (unknown.length > 0)
    refuse(
      `not known: ${unknown.join(", ")}\ntasks: ${tasks.map(({ name }) => name).join(", ")}\nmethods: ${[...Object.keys(own), ...others].join(", ")}`,
    );
  const seedsFor = (method: string): number[] =>
    seedsOf(flags.seeds ?? String(plan.seeds[method] ?? plan.seeds.others));
  const list = numbers("trials", flags.trials ?? plan.trials).flatMap((trials) =>
    wanted
      .flatMap(({ name }) =>
        methods
          .filter((method) => flags.seeds !== undefined || method !== "smac" || trials <= longestOfSmac)
          .flatMap((method) => seedsFor(method).map((seed): Game => ({ task: name, method, seed, trials, slots: 1 }))),
      )
      .sort((a, b) => a.seed - b.seed),
  );
  if (flags.slots !== undefined)
    return numbers("slots", flags.slots).flatMap((slots) => list.map((game) => ({ ...game, slots })));
  const withSlots = list
    .filter(({ method, trials }) => method === "search" && trials === 100)
    .map((game) => ({ ...game, ...withFourSlots }));
  return [...list, ...withSlots];
}

const playOne = (game: Game): Promise<Played> => {
  const task = tasks.find(({ name }) => name === game.task);
  if (!task) throw new Error(`there is no task ${game.task}`);
  return play(game, task, own[game.method]?.());
};

/** Before the workers, who would each begin to. */
function install(list: readonly Game[]): void {
  const inPython = tasks.flatMap(({ name, inPython }) => (inPython ? [name] : []));
  if (list.every(({ task, method }) => method in own && !inPython.includes(task))) return;
  try {
    python();
  } catch (error) {
    if (!(error instanceof CannotInstall)) throw error;
    refuse(
      `what is compared with cannot be installed (Python 3.11 or newer, with venv and PyPI): ${error.message}\nwithout it: --tasks karpathy-surrogate --methods ${Object.keys(own).join(",")}`,
    );
  }
}

/** Shares the games out to processes; each asks for the next. */
async function playAll(list: readonly Game[]): Promise<Played[]> {
  install(list);
  const waiting = [...list];
  const played: Played[] = [];
  const count = Math.min(
    list.length,
    flags.workers === undefined ? availableParallelism() : countOf("workers", flags.workers),
  );
  await Promise.all(
    Array.from({ length: count }, () => {
      const child = fork(import.meta.filename, [], { env: { ...process.env, BILEVEL_BENCH: "worker" } });
      return new Promise<void>((resolve, reject) => {
        const next = (): void => {
          const game = waiting.shift();
          if (game) child.send(game);
          else child.kill();
        };
        child.on("message", (one: Played) => {
          played.push(one);
          const told = one.method === "search" ? one : { ...one, curve: [] }; // curves are long, and asked for of ours alone
          if (flags.raw) appendFileSync(flags.raw, `${JSON.stringify(told)}\n`);
          if (!flags.json && played.length % 20 === 0) console.error(`${played.length} of ${list.length} games`);
          next();
        });
        child.once("exit", (code) => (code ? reject(new Error(`a worker ended with ${code}`)) : resolve()));
        next();
      });
    }),
  );
  return played;
}

async function main(): Promise<void> {
  const files = flags.from?.split(",") ?? [];
  const missing = files.filter((file) => !existsSync(file));
  if (missing.length > 0) refuse(`--from ${missing.join(",")}: there is no such file`);
  const lines = files.flatMap((file) => readFileSync(file, "utf8").trim().split("\n"));
  const facts = lines.map((line) => JSON.parse(line) as Played | { speeds: Speeds } | Made);
  const speeds: Speeds = facts.flatMap((fact) => ("speeds" in fact ? [fact.speeds] : [])).at(-1) ?? {};
  const old = facts.filter((fact): fact is Played => "task" in fact);
  const started = performance.now();
  const played = flags.from ? old : await playAll(games());
  const minutes = (performance.now() - started) / 60_000;
  const [cores, cpu] = [availableParallelism(), cpus()[0]?.model ?? "unknown"];
  const made = flags.from
    ? facts.filter((fact): fact is Made => "minutes" in fact)
    : [{ minutes, cores, cpu, node: process.version, packages }];
  if (!flags.from && !flags["no-speed"] && !flags.real && !flags.tasks) {
    Object.assign(speeds, { search: await speedOf("search", 3000) });
    if (played.some(({ method }) => method === "optuna"))
      speeds.optuna = await speedOf("optuna", flags.quick ? 1000 : 3000);
    if (flags.raw) appendFileSync(flags.raw, `${JSON.stringify({ speeds })}\n`);
  }
  if (flags.raw && !flags.from) for (const part of made) appendFileSync(flags.raw, `${JSON.stringify(part)}\n`);
  closeBridge();
  const summary = summarise(played, speeds);
  const report = reportOf(summary, speeds, made);
  if (flags.report) writeFileSync(flags.report, report);
  console.log(flags.json ? JSON.stringify(summary) : report);
}

if (isWorker) process.on("message", (game: Game) => void playOne(game).then((one) => process.send?.(one)));
else await main();
