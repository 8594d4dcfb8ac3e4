import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { join } from "node:path";
import type { Config, Objective, Parameter, ResolvedConfig, Space } from "../core/index.ts";
import { BilevelError, resolveConfig } from "../core/index.ts";
import { count } from "../kit/text.ts";
import { evaluateProcess } from "../plugins/evaluate-process/index.ts";
import { say } from "../plugins/progress/index.ts";
import { discoverSpace, findConstants, languageOf } from "../plugins/task/index.ts";
import bilevel from "../presets/bilevel.ts";
import { schemaPath } from "./own-folder.ts";

/** A run without a config, as one line of options. */
export interface Line {
  command: string;
  metric: string;
  minimize?: boolean;
  maximize?: boolean;
  /** Names of the parameters, with commas between; default: what is found. */
  params?: string;
  trials: number;
}

/** What the line and the program say together: everything that the config is made of. */
export interface Found {
  command: readonly string[];
  file: string;
  /** The constant that takes the trial's seed, where there is one. */
  seed?: string;
  objective: Pick<Objective, "metric" | "direction">;
  space: Space;
  /** Numbers of the program that are no parameters. */
  left: readonly string[];
  trials: number;
}

const source = /\.(pyw?|[mc]?[tj]s)$/;
const seedName = /^((RANDOM_|MANUAL_|GLOBAL_)?SEED|RANDOM_STATE)$/i;

/** Looks into the folder for what the line leaves open. @throws E_USAGE, E_TASK_INVALID */
export function lookInto(folder: string, { command, metric, minimize, maximize, params, trials }: Line): Found {
  if (!Number.isInteger(trials) || trials < 1)
    throw new BilevelError("E_USAGE", "is no number of trials", {
      path: "bilevel run --trials",
      received: String(trials),
      allowed: "an integer, 1 or more",
    });
  if (!!minimize === !!maximize)
    throw new BilevelError("E_USAGE", "is the metric to be made smaller or larger?", {
      path: "bilevel run --command",
      allowed: "one of --minimize, --maximize",
    });
  const words = wordsOf(command);
  const variable = /^[A-Za-z_]\w*=/.test(words[0] ?? "") ? words[0] : undefined;
  if (variable !== undefined)
    throw new BilevelError("E_USAGE", "begins with a variable: no shell reads the command, so it is no program", {
      path: "bilevel run --command",
      received: command,
      allowed: "a program and its arguments",
      hint: `trials inherit bilevel's own environment: ${variable} bilevel run --command …`,
    });
  const [operator] = /[<>|&;]+/.exec(command.replace(/"[^"]*"|'[^']*'/g, "")) ?? [];
  if (operator !== undefined)
    throw new BilevelError("E_USAGE", `has ${operator} for a shell: none reads the command, the program would get it`, {
      path: "bilevel run --command",
      received: command,
      allowed: "a program and its arguments, with quotes around what is meant for it",
      hint: "several steps go into a script of their own; what a trial prints is kept in its folder",
    });
  const file = words.find(
    (word) => source.test(word) && existsSync(join(folder, word)) && statSync(join(folder, word)).isFile(),
  );
  if (file === undefined)
    throw new BilevelError("E_USAGE", "the command names no program whose constants could be changed", {
      path: "bilevel run --command",
      received: command,
      allowed: "a .py, .ts or .js file of this folder among its words",
      hint: "other ways to hand values over (environment, arguments, JSON) need a config: docs/config.md",
    });
  const [text, language] = [readFileSync(join(folder, file), "utf8"), languageOf(file)];
  const constants = findConstants(text, language);
  const seed = constants.find(({ name, value }) => seedName.test(name) && Number.isInteger(value))?.name;
  const wanted = params
    ?.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (wanted?.length === 0)
    throw new BilevelError("E_USAGE", "names no parameter", {
      path: "bilevel run --params",
      received: JSON.stringify(params),
      allowed: "names of constants, with commas between; without --params, those are searched that are found",
    });
  const { parameters } = discoverSpace(text, language, wanted);
  const missing = wanted?.find((name) => !parameters[name] || name === seed);
  const numbers = constants
    .filter(({ name, value }) => typeof value === "number" && name !== seed)
    .map(({ name }) => name);
  const named = numbers.filter((name) => /^[A-Z][A-Z0-9_]*$/.test(name));
  if (missing !== undefined)
    throw new BilevelError("E_USAGE", `${missing} is no constant that a range can be assumed for`, {
      path: `--params, in ${file}`,
      allowed: numbers.join(", ") || "a number at the top level of the file",
      hint: missing === seed ? `each trial has another ${seed}` : undefined,
    });
  const chosen = Object.entries(parameters).filter(
    ([name, parameter]) => name !== seed && (wanted || isAssumed(parameter)),
  );
  if (chosen.length === 0)
    throw new BilevelError("E_USAGE", `no parameter was found in ${file}`, {
      path: "bilevel run --command",
      allowed: "numbers in UPPER_CASE constants at the top level of the file, or those that --params names",
      received: named.join(", ") || "no such constant",
      hint: `${numbers.length > 0 ? `--params ${numbers.join(",")}; ` : ""}a program that takes them as arguments needs a config with values: { via: "args" }: docs/config.md`,
    });
  return {
    command: words,
    file,
    ...(seed === undefined ? {} : { seed }),
    objective: { metric, direction: minimize ? "minimize" : "maximize" },
    space: { parameters: Object.fromEntries(chosen) },
    left: named.filter((name) => !chosen.some(([one]) => one === name)),
    trials,
  };
}

/** Without being named, only what its value tells a range of: fractions, other positive floats, powers of two. */
const isAssumed = ({ type, ...domain }: Parameter): boolean =>
  type === "float" || (type === "int" && "scale" in domain && domain.scale === "pow2");

/** Words of a command line as a shell splits them: quotes, also within a word, hold blanks together. */
function wordsOf(command: string): string[] {
  const word = /(?:[^\s"']|"[^"]*"|'[^']*')+/g;
  if (/["']/.test(command.replace(word, "")))
    throw new BilevelError("E_USAGE", "has a quote that is not closed", {
      path: "bilevel run --command",
      received: command,
    });
  return (command.match(word) ?? []).map((one) =>
    one.replace(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ""),
  );
}

/** The config of a line; its runs lie in the folder, as if it were a file there. */
export function configOf({ command, file, seed, objective, space, trials }: Found, folder: string): ResolvedConfig {
  const config: Config = {
    task: {
      folder: ".",
      command,
      values: { via: "constants", file },
      ...(seed === undefined ? {} : { seed: { constant: seed } }),
    },
    objective,
    space,
    evaluator: evaluateProcess(),
    ...bilevel(),
    budget: { trials },
  };
  return resolveConfig(config, join(folder, "bilevel.config.ts"));
}

/** What was found, as lines for the screen. */
export function foundLines({ command, file, seed, objective, space, left, trials }: Found): string[] {
  const entries = Object.entries(space.parameters);
  const width = Math.max(...entries.map(([name]) => name.length));
  return [
    `found in ${file}:`,
    ...entries.map(([name, one]) => `  ${name.padEnd(width)}  ${String(one.default).padEnd(8)}  ${rangeText(one)}`),
    ...(left.length > 0 ? [`left alone: ${left.join(", ")} (--params names what is to be searched)`] : []),
    ...(seed === undefined ? [] : [`the trial's seed goes to ${seed}`]),
    `${count(trials, "trial")} of: ${command.join(" ")}; ${objective.direction} ${objective.metric}`,
  ];
}

function rangeText(parameter: Parameter): string {
  if (!("min" in parameter)) return parameter.type === "bool" ? "true or false" : "as it is written";
  const scale = parameter.scale === "pow2" ? ", powers of two" : parameter.scale === "log" ? ", on a log scale" : "";
  return `${parameter.min} to ${parameter.max}${scale}`;
}

/** The same as a config file, to go on from. */
export function configText({ command, file, seed, objective, space, trials }: Found): string {
  const parameters = Object.entries(space.parameters).map(([name, one]) => `      ${name}: ${literal(one)},`);
  return `import { defineConfig, evaluateProcess } from "bilevel";

// The ranges are assumed from the values in ${file}: make them yours.
export default defineConfig({
  extends: "bilevel", // an inner loop, two outer ones, three mechanisms
  task: {
    folder: ".",
    command: ${literal(command)},
    values: { via: "constants", file: ${literal(file)} },
${seed === undefined ? '    // seed: { constant: "SEED" }, // where a trial\'s seed goes; "none" where the program has no noise' : `    seed: { constant: ${literal(seed)} },`}
    // protected: ["prepare.py"], // files that a trial must leave unchanged
    // link: ["data"], // large files: linked into the trials instead of copied
  },
  objective: ${literal(objective)},
  space: {
    parameters: {
${parameters.join("\n")}
    },
  },
  evaluator: evaluateProcess(),
  budget: { trials: ${trials} },
});
`;
}

/** The same in YAML, which an editor completes by the schema that its first line names. */
export function configYaml({ command, file, seed, objective, space, trials }: Found): string {
  const parameters = Object.entries(space.parameters).map(([name, one]) => `    ${name}: ${literal(one)}`);
  return `# yaml-language-server: $schema=${schemaPath}
# The ranges are assumed from the values in ${file}: make them yours.
extends: bilevel # an inner loop, two outer ones, three mechanisms
task:
  folder: .
  command: ${literal(command)}
  values: { via: constants, file: ${literal(file)} }
  ${seed === undefined ? "# seed: { constant: SEED } # where a trial's seed goes; none where the program has no noise" : `seed: { constant: ${literal(seed)} }`}
  # protected: [prepare.py] # files that a trial must leave unchanged
  # link: [data] # large files: linked into the trials instead of copied
objective: ${literal(objective)}
space:
  parameters:
${parameters.join("\n")}
evaluator: { use: "bilevel#evaluateProcess" }
budget: { trials: ${trials} }
`;
}

/** A value as TypeScript and as YAML, on one line. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, one]) => `${key}: ${literal(one)}`);
  return `{ ${entries.join(", ")} }`;
}

/** @throws E_USAGE where nobody can be asked */
export async function isWanted(lines: readonly string[]): Promise<boolean> {
  for (const line of lines) say(line);
  if (!process.stdin.isTTY)
    throw new BilevelError("E_USAGE", "nobody can be asked here whether that is right", {
      path: "bilevel run --command",
      hint: "add --yes to start without being asked",
    });
  const asking = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await asking.question("start? [Y/n] ").catch(() => "no"); // ^C and ^D are answers, too
  asking.close();
  return !/^\s*n/i.test(answer);
}

const lineFile = (run: string): string => join(run, "line.json");

/** Keeps what the run was started with, so that it can be resumed without a config. */
export function keepLine(run: string, found: Found): void {
  mkdirSync(run, { recursive: true });
  writeFileSync(lineFile(run), `${JSON.stringify(found, null, 2)}\n`);
}

/** The config of a run that was started by one line; undefined for any other. */
export const configOfRun = (run: string, folder: string): ResolvedConfig | undefined =>
  existsSync(lineFile(run)) ? configOf(JSON.parse(readFileSync(lineFile(run), "utf8")) as Found, folder) : undefined;
