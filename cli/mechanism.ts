import { basename, resolve } from "node:path";
import type { CommandModule } from "yargs";
import type { ArmChange, Trial } from "../core/index.ts";
import { answerOf, BilevelError, changeId } from "../core/index.ts";
import { count } from "../kit/text.ts";
import { evidenceText, say } from "../plugins/progress/index.ts";
import { standOf, workOf } from "../plugins/report/index.ts";
import { problemText, type Admission } from "../plugins/sandbox/index.ts";
import { adopt, type Written } from "./mechanism-adopt.ts";
import { isSound, testedLines, testMechanism } from "./mechanism-test.ts";
import type { CommonArguments } from "./run.ts";
import { findRun, readRun, type RunRecord } from "./runs.ts";

type Arguments = CommonArguments & { run?: string };

const ofRun = { type: "string", describe: "the run (default: the latest)" } as const;

export const mechanismVerb: CommandModule<object, CommonArguments> = {
  command: "mechanism",
  describe: "the mechanisms of a run, and files of your own: list, show, test, adopt",
  builder: (args) =>
    args
      .command<Arguments>(
        "list",
        "what is installed, tested or was written in a run",
        (one) => one.option("run", ofRun) as never,
        list,
      )
      .command<Arguments & { name: string }>(
        "show <name>",
        "one that was written in a run, with its record and its code",
        (one) =>
          one
            .positional("name", { type: "string", describe: "its name or its number in the list" })
            .option("run", ofRun) as never,
        show,
      )
      .command<CommonArguments & { file: string }>(
        "test <file>",
        "put a file through the checks, then on three fast tasks",
        (one) => one.positional("file", { type: "string" }) as never,
        test,
      )
      .command<Arguments & { name: string; into: string }>(
        "adopt <name>",
        "write one as a package, ready to publish",
        (one) =>
          one
            .positional("name", { type: "string", describe: "its name or its number in the list" })
            .option("run", ofRun)
            .option("into", { type: "string", default: ".", describe: "where its folder goes" }) as never,
        take,
      )
      .demandCommand(1, "one of list, show, test, adopt is needed") as never,
  handler: () => undefined,
};

/** Everything that was written in a run, let in or not, in the order of its writing. */
function writtenIn({ folder, facts, ledgers }: RunRecord): Written[] {
  const inner = ledgers[0]?.view();
  const works = inner ? workOf(inner, facts) : [];
  const recordOf = (id: string) => {
    const work = works.find(({ name }) => name === id);
    return {
      stands: (work && standOf(work)) ?? "too early",
      evidence: work?.evidence,
      inForce: work?.inForce ?? false,
    };
  };
  const found = new Map<string, Written>();
  for (const fact of facts) {
    if (fact.type !== "once" || fact.kind !== "admission") continue;
    const { code, idea, admission } = answerOf(folder, fact) as { code: string; idea: string; admission: Admission };
    const { name, standing, problems } = admission;
    const id = changeId({ of: "", install: { from: "code", name, code, idea } });
    found.set(id, {
      id,
      name,
      code,
      idea,
      standing,
      ...(standing ? {} : { refused: problems.map(problemText) }),
      ...recordOf(id),
    });
  }
  for (const ledger of ledgers.filter(({ setup }) => setup.level.kind === "arm"))
    for (const { candidate } of ledger.view().trials as Iterable<Trial<ArmChange>>) {
      const { install } = candidate;
      const id = changeId(candidate);
      if (install?.from === "code" && !found.has(id))
        found.set(id, {
          id,
          name: install.name,
          code: install.code,
          idea: install.idea,
          standing: install.standing,
          ...recordOf(id),
        });
    }
  return [...found.values()];
}

const stateOf = ({ refused, evidence, stands, standing }: Written): string =>
  refused
    ? `not let in: ${refused[0] ?? ""}`
    : `${stands}${standing === "spoken" ? ", advice only" : standing === "waiting" && !evidence?.pairs ? ", not needed yet" : ""}; ${evidence ? evidenceText(evidence) : "no pair yet"}`;

function list({ cwd, run, json }: Arguments): void {
  const record = readRun(findRun(resolve(cwd), run));
  const written = writtenIn(record);
  const inner = record.ledgers[0]?.view();
  const installed = inner
    ? workOf(inner, record.facts).filter(({ name }) => !written.some(({ id }) => id === name))
    : [];
  if (json) return console.log(JSON.stringify({ written: written.map(({ code: _, ...rest }) => rest), installed }));
  if (written.length + installed.length === 0) return console.log(`run ${basename(record.folder)} has no mechanism`);
  for (const [index, one] of written.entries()) say(`${index + 1}  ${one.id}: ${stateOf(one)}`);
  for (const work of installed) {
    const { name, inForce, evidence } = work;
    say(
      `-  ${name}: ${standOf(work) ?? "installed"}; ${evidence ? evidenceText(evidence) : inForce ? "not judged" : "not tested"}`,
    );
  }
}

/** @throws E_USAGE where nothing has that name or number */
function pick(record: RunRecord, name: string): Written {
  const written = writtenIn(record);
  const named = written.filter((one) => one.name === name); // a refused file's name is that of the mended one
  const found =
    written.find((one, index) => one.id === name || String(index + 1) === name) ??
    named.find(({ inForce }) => inForce) ??
    named.findLast(({ refused }) => !refused) ??
    named.at(-1);
  if (found) return found;
  throw new BilevelError("E_USAGE", `no mechanism ${name} was written in this run`, {
    path: record.folder,
    allowed: written.map(({ id }, index) => `${index + 1} (${id})`).join(", ") || "none was written in it",
    hint: "bilevel mechanism list shows all",
  });
}

function show({ cwd, run, json, name }: Arguments & { name: string }): void {
  const record = readRun(findRun(resolve(cwd), run));
  const found = pick(record, name);
  const inner = record.ledgers[0]?.view();
  const work = inner && workOf(inner, record.facts).find((one) => one.name === found.id);
  if (json) return console.log(JSON.stringify({ ...found, work }));
  say(`${found.id}: ${stateOf(found)}`);
  if (found.idea) say(`idea: ${found.idea}`);
  for (const problem of found.refused ?? []) say(`  ${problem}`);
  if (work) {
    const touches = Object.entries(work.touches)
      .map(([kind, times]) => `${kind} ${times}`)
      .join(", ");
    say(
      `it did: ${touches || "nothing"}; ${count(work.calls, "call")}, ${work.ms} ms, fuel ${work.fuel ?? 0}, ${work.strikes} failed`,
    );
    const { effect } = work.evidence ?? {};
    if (effect)
      say(
        `effect per trial: ${effect.mean.toPrecision(3)} (95 %: ${effect.low.toPrecision(3)} to ${effect.high.toPrecision(3)}), positive helps`,
      );
  }
  console.log(`\n${found.code}`);
}

async function test({ cwd, file, json }: CommonArguments & { file: string }): Promise<void> {
  const tested = await testMechanism(resolve(cwd), file);
  if (json) console.log(JSON.stringify({ ...tested, sound: isSound(tested) }));
  else for (const line of testedLines(tested)) say(line);
  if (!isSound(tested)) process.exitCode = 1;
}

async function take({ cwd, run, json, name, into }: Arguments & { name: string; into: string }): Promise<void> {
  const record = readRun(findRun(resolve(cwd), run));
  const inner = record.ledgers[0]?.view();
  const found = pick(record, name);
  if (found.refused)
    throw new BilevelError("E_USAGE", `${found.name} was not let in, so there is nothing to adopt`, {
      received: found.refused[0],
      hint: "mend the file, then bilevel mechanism test FILE",
    });
  const folder = await adopt(resolve(cwd, into), found, {
    run: basename(record.folder),
    metric: inner?.objective.metric ?? "",
    trials: inner?.trials.length ?? 0,
  });
  console.log(
    json ? JSON.stringify({ folder }) : `written: ${folder}\nits test: npm test there; to publish: npm publish`,
  );
}
