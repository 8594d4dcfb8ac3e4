import { existsSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { CommandModule } from "yargs";
import type { ArmChange, Fact, HookName, ResolvedConfig, Stack } from "../core/index.ts";
import { BilevelError, buildStack, Stage } from "../core/index.ts";
import { count } from "../kit/text.ts";
import { changeNamed, say } from "../plugins/progress/index.ts";
import { loadConfig } from "./config-file.ts";
import type { CommonArguments } from "./run.ts";
import { readRun, runWithConfig } from "./runs.ts";

/** One place of a plugin in an arm's hooks. */
interface Tap {
  hook: HookName;
  /** Of `propose`. */
  stage?: string;
  plugin: string;
  /** Of all its taps on this hook in this level, over the whole run. */
  calls: number;
  ms: number;
}

interface ArmTaps {
  level: string;
  /** The changes in force in it. */
  changes: readonly string[];
  /** Whether it is the level's arm as it stands; else one that a change makes of it. */
  isInForce: boolean;
  taps: readonly Tap[];
}

export const pluginsVerb: CommandModule<object, CommonArguments & { of?: string }> = {
  command: "plugins [of]",
  describe: "what taps which hook, by level and stage, and how long it took",
  builder: (args) =>
    args.positional("of", {
      type: "string",
      describe: "a config file or a run (default: the config here, or the latest run)",
    }) as never,
  async handler({ cwd, config, of, json }) {
    const home = resolve(cwd);
    const isFile = of !== undefined && existsSync(resolve(home, of)) && statSync(resolve(home, of)).isFile();
    const { resolved, facts, folder } =
      of === undefined ? await here(home, config) : isFile ? await ofConfig(home, of) : await ofRun(home, config, of);
    const arms = armsOf(resolved, folder, facts);
    if (json) return console.log(JSON.stringify(arms));
    for (const line of [`# ${basename(folder || resolved.file)}`, ...linesOf(arms)]) say(line);
  },
};

interface Subject {
  resolved: ResolvedConfig;
  /** Of a run; nothing of a config. */
  facts: readonly Fact[];
  folder: string;
}

const ofConfig = async (home: string, file?: string): Promise<Subject> => ({
  resolved: await loadConfig(home, file),
  facts: [],
  folder: "",
});

async function ofRun(cwd: string, config?: string, run?: string): Promise<Subject> {
  const { resolved, folder } = await runWithConfig({ cwd, config, run });
  return { resolved, folder, facts: readRun(folder).facts };
}

/** The config here; in a folder without one, the latest run, which may have been started without. */
async function here(home: string, config?: string): Promise<Subject> {
  try {
    return await ofConfig(home, config);
  } catch (error) {
    const isNone = config === undefined && error instanceof BilevelError && error.code === "E_CONFIG_MISSING";
    if (!isNone) throw error;
    return ofRun(home);
  }
}

/** Of every level the arm in force, then one for each change that was tested or may be. */
function armsOf({ config }: ResolvedConfig, folder: string, facts: readonly Fact[]): ArmTaps[] {
  const once = <T>(_scope: string, _kind: string, _request: unknown, run: () => Promise<T>): Promise<T> => run();
  const stack = buildStack(config, folder, once, new AbortController().signal, () => undefined);
  for (const fact of facts) stack.fold(fact);
  return stack.contexts.flatMap(({ ledger, arms }) => {
    const { name, catalogue } = ledger.setup;
    const installs: [string, ArmChange][] = catalogue.map((one) => [
      one,
      { of: name, install: { from: "plugin", name: one } },
    ]);
    const changes = new Map([...installs, ...ledger.changes]);
    const { inForce, struck } = ledger;
    const armWith = (ids: readonly string[], isInForce: boolean): ArmTaps => ({
      level: name,
      changes: ids.map((id) => changeNamed(id, changes)),
      isInForce,
      taps: tapsOf(arms.arm(ids, changes, struck).hooks, name, facts),
    });
    const others = [...changes].flatMap(([id, { of }]) => (of === name && !inForce.includes(id) ? [id] : []));
    return [armWith(inForce, true), ...others.map((id) => armWith([...inForce, id], false))];
  });
}

type Hooks = ReturnType<Stack["contexts"][number]["arms"]["arm"]>["hooks"];

function tapsOf(hooks: Hooks, level: string, facts: readonly Fact[]): Tap[] {
  const stages = Object.entries(Stage);
  return (Object.keys(hooks) as HookName[]).flatMap((hook) =>
    hooks[hook].taps.map(({ name, stage }): Tap => {
      const named = hook === "propose" ? stages.find(([, number]) => number === stage)?.[0] : undefined;
      return { hook, ...(named ? { stage: named } : {}), plugin: name, ...costOf(`${level} ${name} ${hook}`, facts) };
    }),
  );
}

/** The last count of every session, all sessions together. */
function costOf(key: string, facts: readonly Fact[]): { calls: number; ms: number } {
  const sessions: { calls: number; ms: number }[] = [];
  for (const { type, volatile } of facts) {
    if (type === "run" || type === "session") sessions.push({ calls: 0, ms: 0 });
    const cost = (volatile?.taps as Record<string, { calls: number; ms: number }> | undefined)?.[key];
    if (cost) sessions[sessions.length - 1] = cost;
  }
  const sum = (of: "calls" | "ms"): number => sessions.reduce((total, cost) => total + cost[of], 0);
  return { calls: sum("calls"), ms: Number(sum("ms").toFixed(1)) };
}

/** The arm in force with all its taps; of the others, what they have more or less than that one. */
function linesOf(arms: readonly ArmTaps[]): string[] {
  const width = Math.max(...arms.flatMap(({ taps }) => taps.map(({ plugin }) => plugin.length)));
  const lineOf = ({ hook, stage = "", plugin, calls, ms }: Tap): string =>
    `${hook.padEnd(8)}  ${stage.padEnd(6)}  ${plugin.padEnd(width)}  ${calls > 0 ? `${count(calls, "call")}, ${ms} ms` : ""}`.trimEnd();
  return arms.flatMap(({ level, changes, isInForce, taps }) => {
    if (isInForce)
      return [
        `${level}${changes.length > 0 ? ` with ${changes.join(", ")}` : ""}`,
        ...taps.map((tap) => `  ${lineOf(tap)}`),
      ];
    const lines = taps.map(lineOf);
    const usual = (arms.find((arm) => arm.level === level)?.taps ?? []).map(lineOf);
    const more = lines.filter((line) => !usual.includes(line)).map((line) => `  + ${line}`);
    const less = usual.filter((line) => !lines.includes(line)).map((line) => `  - ${line}`);
    return [
      `${level}, under test: ${changes.at(-1)}`,
      ...more,
      ...less,
      ...(more.length + less.length === 0 ? ["  the same taps"] : []),
    ];
  });
}
