import { basename, resolve } from "node:path";
import type { CommandModule } from "yargs";
import { execute } from "../core/index.ts";
import { say } from "../plugins/progress/index.ts";
import { report } from "../plugins/report/index.ts";
import { loadConfig } from "./config-file.ts";
import { layOutGpt } from "./demo-gpt.ts";
import { demoConfig, hiddenOf, keepDemo } from "./demo-run.ts";
import { demoScreen, reveal, revealLines } from "./demo-screen.ts";
import { go, type CommonArguments } from "./run.ts";
import { newRun } from "./runs.ts";

type DemoArguments = CommonArguments & { what?: "gpt"; seed: string; quiet: boolean };

export const demoVerb: CommandModule<object, DemoArguments> = {
  command: "demo [what]",
  describe: "four mechanisms whose worth is known, judged by a run that does not know it; gpt: a GPT to train",
  builder: (args) =>
    args
      .positional("what", { choices: ["gpt"] as const })
      .option("seed", { type: "string", default: "1", describe: "of the four: draws their order, search and noise" })
      .option("quiet", { type: "boolean", default: false, describe: "print only the end" }) as never,
  handler: (args) => (args.what === "gpt" ? trainGpt(args) : showFour(args)),
};

async function showFour({ cwd, seed, json, quiet }: DemoArguments): Promise<void> {
  const home = resolve(cwd);
  const folder = newRun(home);
  keepDemo(folder, seed);
  const hidden = hiddenOf(seed);
  const print = (line: string): void => (json ? undefined : say(line));
  print("Four mechanisms, A to D: one helps, one harms, one is a placebo, one has no effect.");
  print("The run does not know which: it tests each of them against a control.");
  const screen = demoScreen(hidden, quiet ? () => undefined : print);
  const end = await execute(demoConfig(seed, home), folder, { observers: [report(), screen] });
  const inner = end.levels.get("inner");
  if (!inner) return;
  const revealed = reveal(hidden, inner);
  if (json) console.log(JSON.stringify({ seed, run: basename(folder), trials: inner.budget.used, revealed }));
  else for (const line of revealLines(revealed, basename(folder))) print(line);
}

async function trainGpt({ cwd, json, quiet }: DemoArguments): Promise<void> {
  const { folder, isNew } = layOutGpt(resolve(cwd), (line) => (json ? undefined : console.log(line)));
  if (!json) {
    console.log(isNew ? `the example is now in ${folder}` : `the example in ${folder} is run as it is`);
    console.log(`the same again: cd ${basename(folder)}, then bilevel run`);
  }
  const resolved = await loadConfig(folder);
  await go(resolved, newRun(folder), { json, quiet, durable: false });
}
