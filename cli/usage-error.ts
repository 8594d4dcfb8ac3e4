import { BilevelError, nearest } from "../core/index.ts";

/** Where a config says what an option of a run without one says. */
const inConfig: Readonly<Record<string, string>> = {
  metric: "objective.metric",
  minimize: "objective.direction",
  maximize: "objective.direction",
  params: "space.parameters",
  trials: "budget.trials (bilevel resume --trials goes on with more)",
};

/** What is wrong with the words of a command line: yargs' message, with what the help of that verb says is allowed. */
export function usageError(message: string, words: readonly string[], help: string): BilevelError {
  const line = message.replace(/\s*\n\s*/g, " ").trim();
  const [usage = ""] = help.split("\n");
  const all = `${usage.replace(/ [[<].*/, "")} --help shows all`;
  const [, given, needed] = /(\S+) -> (\S+)/.exec(line) ?? [];
  if (given !== undefined)
    return new BilevelError("E_USAGE", `--${given} goes with --${needed}`, {
      path: usage,
      allowed: 'without a config: bilevel run --command "python train.py" --metric NAME --minimize',
      hint: inConfig[given] && `with a config: its ${inConfig[given]}`,
    });
  const [, value = "", choices] = /Given: "(.*)", Choices: (.*)/.exec(line) ?? [];
  if (choices !== undefined)
    return new BilevelError("E_USAGE", "is not known here", { path: usage, received: value, allowed: choices });
  const unknown = /^Unknown arguments?: ([^,]+)/.exec(line)?.[1];
  const isOption = unknown !== undefined && !words.includes(unknown);
  const verbs = [...help.matchAll(/^ {2}bilevel (?:mechanism )?(\w+)/gm)].map(([, name = ""]) => name);
  const options = [...help.matchAll(/^ +(?:-\w, )?(--[\w-]+)/gm)].map(([, name = ""]) => name);
  const allowed = isOption ? options.join(", ") : verbs.length > 0 ? `one of ${verbs.join(", ")}` : usage;
  const near = unknown && nearest(isOption ? `--${unknown}` : unknown, isOption ? options : verbs);
  return new BilevelError("E_USAGE", line, {
    allowed: `${allowed}; ${all}`,
    hint: near && `did you mean ${isOption ? near : `${usage.replace(/ <.*/, "")} ${near}`}?`,
  });
}
