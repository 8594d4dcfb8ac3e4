import type { Generated, Objective, Space, TaskChange, View } from "../../core/index.ts";
import { isObject } from "../../core/index.ts";
import { rehearsedConduct } from "./conduct.ts";
import { GuestFailure, Machine } from "./machine.ts";
import { rehearse, type Rehearsal } from "./rehearsal.ts";
import type { Sandbox } from "./sandbox.ts";
import { checks, scan, type Check, type Problem } from "./scan.ts";
import { ownTrace, madeUpTraces, type Trace } from "./trace.ts";
import type { TypeCheck } from "./type-check.ts";

/** What the line of checks says of a file: let in with its standing, or refused with the first check's problems. */
export interface Admission {
  name: string;
  standing?: Generated["standing"];
  /** The file's own account, completed: the hooks that it taps and its options with their defaults. */
  taps?: readonly string[];
  options?: object;
  passed: readonly Check[];
  problems: readonly Problem[];
  /** Turns of this run and of made-up searches in which it did something, of those it was asked in. */
  acted: { own: [number, number]; shipped: [number, number] };
}

/** For all calls of all checks together. */
const mostMs = 60_000;

/**
 * Checks a generated file from its characters to its effect on a search. Costs
 * no trial and no call of a model. The sandbox is the checks' own: what hangs in
 * it costs nothing that is in force.
 */
export async function admit(
  { sandbox, types }: { sandbox: Sandbox; types: TypeCheck },
  code: string,
  {
    space,
    objective,
    view,
    withinMs = mostMs,
  }: { space: Space; objective: Objective; view?: View<TaskChange>; withinMs?: number },
): Promise<Admission> {
  const found: Admission = { name: "unnamed", passed: [], problems: [], acted: { own: [0, 0], shipped: [0, 0] } };
  const passed: Check[] = [];
  const refused = (problems: readonly Problem[]): Admission => ({ ...found, passed, problems });
  const form = scan(code);
  if (form.length > 0) return refused(form);
  passed.push("size");
  const typed = await types.problems(code);
  if (!typed.some(({ check }) => check === "imports")) passed.push("imports");
  if (typed.length > 0) return refused(typed);
  passed.push("types");
  sandbox.allow(withinMs);
  const described = await describe(sandbox, code, { space, objective });
  if ("check" in described) return refused([described]);
  passed.push("loads");
  Object.assign(found, described);
  const source: Generated = {
    from: "code",
    name: found.name,
    code,
    idea: "",
    taps: found.taps,
    options: found.options,
  };
  const own = view ? [ownTrace(view)] : [];
  const shipped = madeUpTraces(space, objective);
  const seen: [Trace, Rehearsal][] = [];
  for (const trace of [...own, ...shipped]) {
    const rehearsal = await rehearse(sandbox, source, trace, { probing: true });
    if (rehearsal.problem) return refused([rehearsal.problem]);
    seen.push([trace, rehearsal]);
  }
  const told = rehearsedConduct(seen.map(([, rehearsal]) => rehearsal));
  if (told) return refused([told]);
  passed.push("contract");
  for (const [trace, first] of seen.slice(0, 2)) {
    const again = await repeated(sandbox, source, { ...trace, advance: undefined }, first);
    if (again) return refused([again]);
  }
  passed.push("deterministic", "state", "limits");
  const sum = (rehearsals: readonly Rehearsal[]): [number, number] => [
    rehearsals.reduce((total, { acted }) => total + acted, 0),
    rehearsals.reduce((total, { turns }) => total + turns, 0),
  ];
  const all = seen.map(([, rehearsal]) => rehearsal);
  found.acted = { own: sum(all.slice(0, own.length)), shipped: sum(all.slice(own.length)) };
  const spoke = all.some((rehearsal) => rehearsal.spoke > 0);
  const standing =
    found.acted.own[0] > 0 || (found.acted.own[1] === 0 && found.acted.shipped[0] > 0)
      ? "live"
      : found.acted.shipped[0] > 0
        ? "waiting"
        : spoke
          ? "spoken"
          : undefined;
  if (!standing) return refused([{ check: "live", message: inertText(found.acted, all) }]);
  return { ...found, standing, passed: checks };
}

function inertText({ own, shipped }: Admission["acted"], all: readonly Rehearsal[]): string {
  const turns = `in ${own[1] + shipped[1]} turns, ${own[1]} of them of this run`;
  return all.some(({ stopped, repeated, overruled }) => stopped + repeated + overruled > 0)
    ? `it judged or stopped trials and changed no draft ${turns}: no pair can tell what that is worth`
    : `it changed nothing ${turns}: no value, no refusal, no word; what it computes must reach the draft`;
}

type Described = Pick<Admission, "name" | "taps" | "options">;

/** Loads the file and starts it once, with the defaults of its options. */
async function describe(
  sandbox: Sandbox,
  code: string,
  { space, objective }: { space: Space; objective: Objective },
): Promise<Described | Problem> {
  const start = { level: "inner", seed: "admission", space: { parameters: space.parameters }, objective };
  const bare = new Machine(sandbox, code, start);
  try {
    const { name, kinds, schema, taps } = await bare.describe();
    if (!/^[a-z][a-z0-9-]{0,39}$/.test(name))
      return {
        check: "contract",
        message: `its name is ${JSON.stringify(name.slice(0, 60))}: small letters, digits and hyphens are allowed, 40 at most`,
      };
    if (!kinds.includes("task"))
      return { check: "contract", message: "it shapes no loop whose candidates are changes to the task" };
    if (taps.includes("propose:SOURCE"))
      return { check: "contract", message: "a mechanism takes a turn at TURN; SOURCE is the proposer's place" };
    if (!taps.some((tap) => tap.startsWith("propose:")))
      return {
        check: "contract",
        message: "it only judges or stops: without brief, propose or refine no pair can tell its worth",
      };
    const options = optionsOf(schema);
    const machine = new Machine(sandbox, code, { ...start, options });
    await machine.call(() => ({ do: "probe" }), undefined, { fuel: 1000, patienceMs: 10_000 });
    await machine.drop();
    return { name, taps, options };
  } catch (error) {
    const check = error instanceof GuestFailure && !["error", "gone"].includes(error.kind) ? "limits" : "loads";
    return { check, message: error instanceof Error ? error.message : String(error) };
  } finally {
    await bare.drop();
  }
}

/** The defaults that a schema names; it comes from the guest, so nothing here compiles it. */
function optionsOf(schema: unknown): object {
  const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {};
  return Object.fromEntries(
    Object.entries(properties).flatMap(([key, one]) => (isObject(one) && "default" in one ? [[key, one.default]] : [])),
  );
}

/** Twice the same calls, then with fewer calls between: the answers must not differ. */
async function repeated(
  sandbox: Sandbox,
  source: Generated,
  trace: Trace,
  first: Rehearsal,
): Promise<Problem | undefined> {
  const differs = (other: Rehearsal) => [...other.answers].find(([turn, answer]) => first.answers.get(turn) !== answer);
  const again = await rehearse(sandbox, source, trace);
  const other = differs(again)?.[0];
  if (other !== undefined)
    return { check: "deterministic", message: `asked the same twice, it answered otherwise at turn ${other}` };
  const sparse = await rehearse(sandbox, source, trace, { sparsely: true });
  const alone = differs(sparse)?.[0];
  if (alone !== undefined)
    return {
      check: "state",
      message: `asked without the calls between, it answered otherwise at turn ${alone}: it keeps state outside reflect`,
    };
  return again.problem ?? sparse.problem;
}
