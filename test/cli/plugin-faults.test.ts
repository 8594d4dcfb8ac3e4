import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { emptyFolder } from "../support/run.ts";

interface Fault {
  /** What `use` names; default: the file `./faulty.js`. */
  use?: string;
  /** The text of that file, or of the package's `index.js`. */
  source?: string;
  /** Other files, such as a package's. */
  files?: Record<string, string>;
  place?: "plugins" | "evaluator" | "proposer" | "selector";
  options?: object;
  code: string;
  /** What the message says: the plugin, its fault, the remedy. */
  told: string[];
}

const packageFile = (extra: object): string => JSON.stringify({ name: "bilevel-faulty", version: "1.0.0", ...extra });
const inPackage = "node_modules/bilevel-faulty/package.json";
const esm = { [inPackage]: packageFile({ type: "module", exports: "./index.js" }) };

/** A plugin with this `apply`. */
const tapping = (body: string): string =>
  `export default () => ({ name: "faulty", contract: 1, role: "mechanism", apply(taps) { ${body} } });`;
const mechanism = (methods: string): string => `import { mechanism } from "bilevel/kit";
export default mechanism({ name: "faulty", init: () => ({ n: 0 }), reflect: (state) => state, ${methods} });`;

const faults: Record<string, Fault> = {
  "a package that is not installed": {
    use: "bilevel-mechanism-nowhere",
    code: "E_PLUGIN_MISSING",
    told: ["bilevel-mechanism-nowhere cannot be found", "npm install bilevel-mechanism-nowhere"],
  },
  "a path that leads nowhere": {
    use: "./nowhere.js",
    code: "E_PLUGIN_MISSING",
    told: ["./nowhere.js cannot be found", "relative to the config file", "/nowhere.js"],
  },
  "a misspelt name of a shipped one": {
    use: "bilevel/mechanisms/taboo",
    code: "E_PLUGIN_MISSING",
    told: ["bilevel/mechanisms/taboo cannot be found", "docs/config.md"],
  },
  "a package that lacks one of its own": {
    source: 'import "left-out"; export default () => ({});',
    code: "E_PLUGIN_INVALID",
    told: ["./faulty.js cannot be loaded", "npm install left-out"],
  },
  "a syntax error": {
    source: "export default () => ({ name: ;",
    code: "E_PLUGIN_INVALID",
    told: ["./faulty.js cannot be loaded: Unexpected token ';'", "faulty.js:1", "mend the file"],
  },
  "a throw while it is loaded": {
    source: 'throw new Error("no licence");',
    code: "E_PLUGIN_INVALID",
    told: ["./faulty.js cannot be loaded: no licence", "run it with node"],
  },
  "no default export": {
    source: "export const cooling = () => ({});",
    code: "E_PLUGIN_INVALID",
    told: ["./faulty.js has no export default", "exports cooling", 'use: "./faulty.js#cooling"'],
  },
  "no such export": {
    use: "./faulty.js#warming",
    source: "export const cooling = () => ({});",
    code: "E_PLUGIN_INVALID",
    told: ["./faulty.js has no export warming", "allowed   cooling"],
  },
  "a misspelt export": {
    use: "bilevel#evaluateProces",
    place: "evaluator",
    code: "E_PLUGIN_INVALID",
    told: ["bilevel has no export evaluateProces", "did you mean bilevel#evaluateProcess?"],
  },
  "CommonJS in a package of ES modules": {
    use: "bilevel-faulty",
    files: { ...esm, "node_modules/bilevel-faulty/index.js": "module.exports = () => ({});" },
    code: "E_PLUGIN_INVALID",
    told: ["bilevel-faulty cannot be loaded: module is not defined", "use import and export"],
  },
  "CommonJS only, which requires what is only there for import": {
    use: "bilevel-faulty",
    files: {
      [inPackage]: packageFile({ main: "index.js" }),
      "node_modules/bilevel-faulty/index.js":
        'const { missing } = require("bilevel/kit").nested; module.exports = missing;',
    },
    code: "E_PLUGIN_INVALID",
    told: ["bilevel-faulty cannot be loaded"],
  },
  "TypeScript in a package": {
    use: "bilevel-faulty",
    files: {
      [inPackage]: packageFile({ type: "module", exports: "./index.ts" }),
      "node_modules/bilevel-faulty/index.ts": "export default () => ({});",
    },
    code: "E_PLUGIN_INVALID",
    told: ["bilevel-faulty cannot be loaded", "compile it: a package holds JavaScript"],
  },
  "an export that is a class": {
    source: "export default class Cooling { name = 'faulty'; contract = 1; }",
    code: "E_PLUGIN_INVALID",
    told: ["./faulty.js exports a class", "export default (options) => new Cooling(options)"],
  },
  "an export that is the plugin itself": {
    source: 'export default { name: "faulty", contract: 1 };',
    code: "E_PLUGIN_INVALID",
    told: ["./faulty.js does not export a plugin", "export a function that returns it"],
  },
  "a mechanism that nobody made a plugin": {
    source: 'export default { name: "faulty", init: () => 0, reflect: () => 0 };',
    code: "E_PLUGIN_INVALID",
    told: ["./faulty.js does not export a plugin", "export default mechanism({ … })"],
  },
  "a function that throws": {
    source: 'export default (options) => { throw new Error("no key for " + options.service); };',
    options: { service: "x" },
    code: "E_PLUGIN_INVALID",
    told: ["./faulty.js failed when its plugin was made: no key for x", '{"service":"x"}', "tell its author"],
  },
  "a function that answers a promise": {
    source: 'export default async () => ({ name: "faulty", contract: 1 });',
    code: "E_PLUGIN_INVALID",
    told: ["./faulty.js made no plugin", "a promise", "open()"],
  },
  "a function that gives nothing back": {
    source: "export default () => {};",
    code: "E_PLUGIN_INVALID",
    told: ["./faulty.js made no plugin", "received  nothing"],
  },
  "a plugin without a name": {
    source: "export default () => ({ contract: 1 });",
    code: "E_PLUGIN_INVALID",
    told: ["plugins[0]", "is not a plugin"],
  },
  "a wrong contract version": {
    source: 'export default () => ({ name: "faulty", contract: 2 });',
    code: "E_PLUGIN_INVALID",
    told: [
      "faulty was written for another version",
      "contract 2",
      "allowed   contract 1",
      "install a version of faulty",
    ],
  },
  "a misspelt option": {
    use: "bilevel/mechanisms/tabu",
    options: { tenur: 3 },
    code: "E_OPTIONS_INVALID",
    told: ["plugins[0].tenur", "did you mean tenure?"],
  },
  "an option out of range": {
    use: "bilevel/mechanisms/tabu",
    options: { tenure: 0 },
    code: "E_OPTIONS_INVALID",
    told: ["plugins[0].tenure", "received  0", "1 or more"],
  },
  "options where none are taken": {
    source: tapping(""),
    options: { size: 3 },
    code: "E_OPTIONS_INVALID",
    told: ["./faulty.js takes no options", "leave options out"],
  },
  "options where a mechanism takes none": {
    source: mechanism(""),
    options: { size: 3 },
    code: "E_OPTIONS_INVALID",
    told: ["plugins[0].size", "allowed   no options"],
  },
  "a schema that is none": {
    source: 'export default (options) => ({ name: "faulty", contract: 1, schema: { type: "objekt" }, options });',
    options: { size: 3 },
    code: "E_PLUGIN_INVALID",
    told: ["plugins[0]", "the schema of its options is none", "tell its author"],
  },
  "a duplicate name": {
    source: 'export default () => ({ name: "evaluate-function", contract: 1 });',
    code: "E_PLUGIN_INVALID",
    told: ["there is a plugin named evaluate-function already, at evaluator", "a name of its own"],
  },
  "a mechanism without reflect": {
    source: 'import { mechanism } from "bilevel/kit"; export default mechanism({ name: "faulty", init: () => 0 });',
    code: "E_PLUGIN_INVALID",
    told: ["mechanism faulty has no reflect()"],
  },
  "an error in the words of another bilevel, as a folder may have one beside the command's": {
    source: `import { BilevelError } from "${new URL("../../core/errors.ts", import.meta.url).href}?another";
export default () => ({ name: "faulty", contract: 1, open() {
  throw new BilevelError("E_TASK_INVALID", "there is no such folder", { path: "task.folder" });
} });`,
    code: "E_TASK_INVALID",
    told: ["task.folder", "problem   there is no such folder"],
  },
  "a throw in open": {
    source: 'export default () => ({ name: "faulty", contract: 1, open() { throw new Error("port taken"); } });',
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in open: port taken", "mend the plugin"],
  },
  "a plugin whose apply nobody would call": {
    source: 'export default () => ({ name: "faulty", contract: 1, apply() {} });',
    code: "E_PLUGIN_INVALID",
    told: ["plugins[0]", "faulty has an apply that is never called", 'role: "mechanism"'],
  },
  "a throw in apply": {
    source: tapping('throw new Error("no space")'),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in apply: no space", "mend the plugin"],
  },
  "an apply that answers later": {
    source: 'export default () => ({ name: "faulty", contract: 1, role: "mechanism", async apply() {} });',
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in apply: it answered a promise", "belongs into open"],
  },
  "a stage that is none": {
    source: tapping('taps.propose("LATE", () => undefined);'),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in apply", "BRIEF, TURN, SOURCE, SHAPE, GUARD"],
  },
  "a throw in propose": {
    source: tapping('taps.propose("SHAPE", () => { throw new Error("oops"); });'),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in propose: oops", "then resume"],
  },
  "a candidate in the place of a draft": {
    source: tapping('taps.propose("SHAPE", () => ({ values: { X: 1 } }));'),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in propose: answered", "{ ...draft, candidate: { values } }"],
  },
  "null in the place of no answer": {
    source: tapping('taps.propose("SHAPE", () => null);'),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in propose: answered null", "or undefined is allowed"],
  },
  "a number from evaluate": {
    place: "evaluator",
    source: tapping("taps.evaluate(() => 0.3);"),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in evaluate: answered 0.3", 'status: "measured", metric: 1.2'],
  },
  "an outcome whose metric is text": {
    place: "evaluator",
    source: tapping('taps.evaluate(() => ({ status: "measured", metric: "0.3", metrics: {}, seconds: 1 }));'),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in evaluate", '"metric":"0.3"', "an outcome"],
  },
  "an evaluator that evaluates nothing": {
    place: "evaluator",
    source: tapping(""),
    code: "E_PLUGIN_INVALID",
    told: ["no evaluator answered for trial 0", "must tap evaluate"],
  },
  "a word other than stop from progress": {
    source: tapping('taps.progress(() => "halt");'),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in progress: answered", '"halt"', '"stop" or undefined'],
  },
  "a decision that is none from select": {
    source: tapping('taps.select((verdict) => ({ ...verdict, decision: "accept" }));'),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in select: answered", "keep, discard, repeat"],
  },
  "a throw in reflect": {
    source: tapping('taps.reflect(() => { throw new Error("disk is full"); });'),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in reflect: disk is full"],
  },
  "a draft that is changed in place": {
    source: tapping('taps.propose("SHAPE", (draft) => { draft.candidate.values.X = 1; });'),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in propose: Cannot", "give back a changed copy"],
  },
  "a verdict that is changed in place": {
    source: tapping('taps.select((verdict) => { verdict.decision = "keep"; return verdict; });'),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in select: Cannot assign to read only property", "give back a changed copy"],
  },
  "a finished trial that is changed in place": {
    source: tapping("taps.reflect((trial) => { trial.candidate.values.X = 1; });"),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in reflect: Cannot", "give back a changed copy"],
  },
  "a mechanism that answers a promise": {
    source: mechanism("refine: async () => undefined"),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in propose: refine answered with a promise"],
  },
  "a mechanism whose state gets lost": {
    source: mechanism("refine: (state) => void state.n, reflect() {}"),
    code: "E_PLUGIN_FAILED",
    told: ["plugin faulty failed in propose: reflect gave back no state"],
  },
};

const config = ({ use = "./faulty.js", place = "plugins", options }: Fault): object => {
  const faulty = { use, ...(options ? { options } : {}) };
  return {
    objective: { metric: "loss", direction: "minimize", noise: "none" },
    space: { parameters: { X: { type: "float", min: 0, max: 1, default: 0.5 } } },
    evaluator: { use: "bilevel#evaluateFunction", options: { module: "./objective.js" } },
    levels: [{ use: "bilevel#innerLoop" }],
    budget: { trials: 3 },
    [place]: place === "plugins" ? [faulty] : faulty,
  };
};

/** The folder of a config in YAML that uses the plugin; JSON is YAML, too. */
function folderOf(fault: Fault): string {
  const folder = emptyFolder();
  const files: Record<string, string> = {
    "bilevel.config.yaml": JSON.stringify(config(fault)),
    "package.json": '{ "type": "module" }',
    "objective.js": "export default ({ X }, { report }) => { report(1, X); return X; };",
    ...(fault.source === undefined ? {} : { "faulty.js": fault.source }),
    ...fault.files,
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

describe("a plugin with a fault is told by name, with the fault and the remedy, and is exit code 2:", () => {
  const heard = new Map<string, { code: string; exitCode: number; text: string }>();
  beforeAll(() => {
    const host = new URL("../support/host-plugins.ts", import.meta.url).pathname;
    const folders = Object.values(faults).map(folderOf);
    const told = execFileSync(process.execPath, ["--no-warnings", host, ...folders], { encoding: "utf8" });
    const lines = told.trim().split("\n");
    Object.keys(faults).forEach((name, index) => heard.set(name, JSON.parse(lines[index] ?? "{}") as never));
  }, 300_000);

  it.each(Object.entries(faults))("%s", (name, { code, told }) => {
    const { text, ...rest } = heard.get(name) ?? { text: "" };
    expect({ ...rest, text }).toEqual({ code, exitCode: 2, text: expect.stringContaining(told[0] ?? "") as string });
    for (const part of told) expect(text).toContain(part);
  });

  it.each(["propose", "evaluate", "select", "reflect"])("%s that never answers", (hook) => {
    const never = "() => new Promise(() => undefined)";
    const source = tapping(hook === "propose" ? `taps.propose("SHAPE", ${never});` : `taps.${hook}(${never});`);
    const place = hook === "evaluate" ? "evaluator" : "plugins";
    const folder = folderOf({ source, place, code: "", told: [] });
    const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;
    const { status, stderr } = spawnSync(process.execPath, [command, "run", "--quiet"], {
      cwd: folder,
      encoding: "utf8",
      timeout: 40_000,
    });
    expect([status, stderr]).toEqual([2, expect.stringContaining(`plugin faulty does not answer in ${hook}`)]);
    expect(stderr).not.toMatch(/^ +at /m);
  });
});
