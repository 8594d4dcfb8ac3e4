import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Task } from "../../../core/index.ts";
import {
  applyEdits,
  changedThroughLinks,
  createMetricReader,
  freezeTask,
  giveEachItsOwn,
  patchOf,
  prepareTrial,
  verifyProtected,
} from "../../../plugins/task/index.ts";
import { emptyFolder } from "../../support/run.ts";

const task: Task = {
  folder: "task",
  command: ["python3", "train.py"],
  values: { via: "constants", file: "train.py" },
  protected: ["prepare.py"],
  link: ["data"],
  editable: ["model.py"],
};

function userFolder(files: Record<string, string> = {}): { home: string; folder: string; run: string } {
  const home = emptyFolder();
  const folder = join(home, "task");
  mkdirSync(join(folder, "data"), { recursive: true });
  const all = {
    "train.py": "LR = 0.1\nSEED = 1\n",
    "prepare.py": "x = 1\n",
    "model.py": "a = 1\nb = 2\n",
    "data/big.bin": "",
    ...files,
  };
  for (const [path, text] of Object.entries(all)) writeFileSync(join(folder, path), text);
  return { home, folder, run: join(home, "run") };
}

describe("the task's folder", () => {
  it("is frozen: later edits of the user reach neither trials nor a resumed run", async () => {
    const { home, folder, run } = userFolder();
    await freezeTask(task, home, run);
    writeFileSync(join(folder, "train.py"), "LR = 9\n");
    const again = await freezeTask(task, home, run);
    const prepared = await prepareTrial(again, task, { values: { LR: 0.2 } }, 7, join(run, "trials", "1"));
    expect(prepared).toMatchObject({ command: ["python3", "train.py"], cwd: join(run, "trials", "1", "work") });
    expect(readFileSync(join(run, "trials", "1", "work", "train.py"), "utf8")).toBe("LR = 0.2\nSEED = 1\n");
  });

  it("is copied but for links, so that 50 GB of data are never copied", async () => {
    const { home, folder, run } = userFolder();
    truncateSync(join(folder, "data", "big.bin"), 50e9);
    const frozen = await freezeTask(task, home, run);
    await prepareTrial(frozen, task, {}, 7, join(run, "trials", "1"));
    expect(lstatSync(join(run, "trials", "1", "work", "data")).isSymbolicLink()).toBe(true);
    expect(frozen.files.map(({ path }) => path)).toEqual(["model.py", "prepare.py", "train.py"]);
  });

  it("that holds a link to a folder elsewhere has it in every trial", async () => {
    const { home, folder, run } = userFolder();
    mkdirSync(join(home, "elsewhere"));
    writeFileSync(join(home, "elsewhere", "table.txt"), "t");
    symlinkSync(join(home, "elsewhere"), join(folder, "more"));
    await prepareTrial(await freezeTask(task, home, run), task, {}, 7, join(run, "t"));
    expect(readFileSync(join(run, "t", "work", "more", "table.txt"), "utf8")).toBe("t");
  });

  it("with a large file that is neither linked nor ignored is refused with the line that settles it", async () => {
    const { home, folder, run } = userFolder({ "weights.bin": "" });
    truncateSync(join(folder, "weights.bin"), 60e6);
    await expect(freezeTask(task, home, run)).rejects.toMatchObject({
      code: "E_TASK_INVALID",
      details: { hint: 'link it: link: ["weights.bin"], or leave it out: ignore: ["weights.bin"]' },
    });
  });

  it("in a git repository holds tracked and new files, dirty or not, and nothing that git ignores", async () => {
    const { home, folder, run } = userFolder({ ".gitignore": "*.log\n", "a.log": "x", "new.py": "n = 1\n" });
    const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, stdio: "ignore" });
    git("init", "-q");
    git("add", "train.py");
    const frozen = await freezeTask(task, home, run);
    expect(frozen.files.map(({ path }) => path)).toEqual([
      ".gitignore",
      "model.py",
      "new.py",
      "prepare.py",
      "train.py",
    ]);
  });

  it("gets the values and the seed by the channel that the config names", async () => {
    const { home, run } = userFolder();
    const frozen = await freezeTask(task, home, run);
    const given = async (extra: Partial<Task>) => {
      const prepared = await prepareTrial(
        frozen,
        { ...task, ...extra },
        { values: { LR: 0.2, BETAS: [1, 2], ON: true } },
        7,
        join(run, "t"),
      );
      return "refused" in prepared ? prepared : { command: prepared.command, env: prepared.env };
    };
    expect(await given({ values: { via: "env" }, seed: { env: "SEED" } })).toEqual({
      command: ["python3", "train.py"],
      env: { LR: "0.2", BETAS: "[1,2]", ON: "true", SEED: "7" },
    });
    expect(await given({ values: { via: "args" }, seed: { arg: "seed" } })).toEqual({
      command: ["python3", "train.py", "--LR=0.2", "--BETAS=[1,2]", "--ON=true", "--seed=7"],
      env: {},
    });
    await given({ values: { via: "json", file: "values.json" } });
    expect(JSON.parse(readFileSync(join(run, "t", "work", "values.json"), "utf8"))).toEqual({
      LR: 0.2,
      BETAS: [1, 2],
      ON: true,
    });
    await prepareTrial(frozen, { ...task, seed: { constant: "SEED" } }, { values: { LR: 0.2 } }, 7, join(run, "t"));
    expect(readFileSync(join(run, "t", "work", "train.py"), "utf8")).toBe("LR = 0.2\nSEED = 7\n");
    await expect(given({ values: undefined })).rejects.toMatchObject({
      code: "E_TASK_INVALID",
      details: { path: "task.values" },
    });
  });

  it("shows which protected files a program changed or removed", async () => {
    const { home, run } = userFolder();
    const frozen = await freezeTask(task, home, run);
    await prepareTrial(frozen, task, {}, 7, join(run, "t"));
    expect(await verifyProtected(frozen, task, join(run, "t"))).toEqual([]);
    writeFileSync(join(run, "t", "work", "prepare.py"), "x = 2\n");
    expect(await verifyProtected(frozen, task, join(run, "t"))).toEqual(["prepare.py"]);
  });

  it("gives each trial its own of what was written through a link", async () => {
    const { home, folder, run } = userFolder({ "data/table.txt": "t" });
    const frozen = await freezeTask(task, home, run);
    await prepareTrial(frozen, task, {}, 7, join(run, "0"));
    mkdirSync(join(run, "0", "work", "data", "cache"));
    writeFileSync(join(run, "0", "work", "data", "cache", "c.bin"), "c");
    const written = await changedThroughLinks(frozen);
    expect(written).toEqual(["data/cache/c.bin"]);
    await giveEachItsOwn(frozen, written);
    await prepareTrial(frozen, task, {}, 7, join(run, "1"));
    const own = join(run, "1", "work", "data");
    expect(lstatSync(own).isSymbolicLink()).toBe(false);
    expect(lstatSync(join(own, "table.txt")).isSymbolicLink()).toBe(true);
    writeFileSync(join(own, "cache", "c.bin"), "mine");
    expect(readFileSync(join(folder, "data", "cache", "c.bin"), "utf8")).toBe("c");
  });

  it("takes the best candidate over by `git apply`, CRLF and missing last newlines included", async () => {
    const { home, folder, run } = userFolder({
      "train.py": "# head\r\nLR = 0.1\r\nSEED = 1",
      "model.py": "a = 1\nb = 2",
    });
    const frozen = await freezeTask(task, home, run);
    const candidate = { values: { LR: 0.2 }, edits: [{ file: "model.py", find: "b = 2", replace: "b = 3\nc = 4" }] };
    writeFileSync(join(run, "best.patch"), await patchOf(frozen, { ...task, seed: { constant: "SEED" } }, candidate));
    execFileSync("git", ["init", "-q"], { cwd: folder });
    execFileSync("git", ["apply", join(run, "best.patch")], { cwd: folder });
    expect(readFileSync(join(folder, "train.py"), "utf8")).toBe("# head\r\nLR = 0.2\r\nSEED = 1");
    expect(readFileSync(join(folder, "model.py"), "utf8")).toBe("a = 1\nb = 3\nc = 4");
    expect(existsSync(join(folder, "best.patch"))).toBe(false);
  });
});

describe("edits", () => {
  const files = new Map([
    ["model.py", "a = 1\nb = 1\n"],
    ["prepare.py", "x\n"],
  ]);
  const rules = { editable: ["*.py"], protected: ["prepare.py"] };
  const edit = (file: string, find: string, replace = "$& new") => applyEdits(files, [{ file, find, replace }], rules);

  it("replace text that occurs once, literally", () => {
    expect(edit("model.py", "a = 1")).toEqual({
      files: new Map([
        ["model.py", "$& new\nb = 1\n"],
        ["prepare.py", "x\n"],
      ]),
    });
  });

  it("are refused with the reason", () => {
    expect(edit("model.py", "= 1")).toEqual({
      refused: "edit 1 of model.py: the text to find occurs 2 times, and must occur once",
    });
    expect(edit("model.py", "c = 1")).toEqual({
      refused: "edit 1 of model.py: the text to find occurs 0 times, and must occur once",
    });
    expect(edit("prepare.py", "x")).toEqual({ refused: "edit 1 of prepare.py: the file is protected" });
    expect(edit("notes.md", "x")).toEqual({ refused: "edit 1 of notes.md: the file is not editable (*.py)" });
    expect(edit("missing.py", "x")).toEqual({ refused: "edit 1 of missing.py: there is no such file" });
    for (const outside of ["../a.py", "/etc/a.py", "x/../../a.py"])
      expect(edit(outside, "x")).toEqual({ refused: `edit 1 of ${outside}: the file lies outside the task's folder` });
  });
});

describe("metrics", () => {
  const read = async (text: string | string[], from?: Task["metrics"], editable?: Task["editable"]) => {
    const reader = createMetricReader({ metrics: from, editable }, "loss");
    const progress = [text].flat().flatMap((chunk) => reader.read(chunk));
    return { ...(await reader.finish(emptyFolder())), progress };
  };

  it("are read from `key: value` lines, whatever ends them and however they are cut", async () => {
    const { metrics, problems } = await read([
      "---\r\nval_b",
      "pb:  0.9979\rloss: 1e-3\n\u001b[32mmem: 4_000\u001b[0m\nnote: 12 MB\nurl: http\nlast: -2",
    ]);
    expect(metrics).toEqual({ val_bpb: 0.9979, loss: 0.001, mem: 4000, last: -2 });
    expect(problems).toEqual([]);
  });

  it("printed once an epoch are the last, in every form", async () => {
    const last = { metrics: { loss: 1 }, problems: [] };
    expect(await read("loss: 2\nloss: 1\n")).toMatchObject(last);
    expect(await read("loss: 3\nloss: 2\nfinal loss = 1\n")).toMatchObject(last);
    expect(await read('{"loss": 2}\n{"loss": 1}\n', { from: "json-lines" })).toMatchObject(last);
    expect(await read("at 2\nat 1\n", { from: "regex", pattern: "at (\\d)" })).toMatchObject(last);
  });

  it("printed twice with different values are a problem where edits may print one; equal ones are not", async () => {
    expect((await read("loss: 1\nloss: 1\n", undefined, ["model.py"])).problems).toEqual([]);
    expect((await read("epoch: 1\nepoch: 2\n", undefined, ["model.py"])).problems).toEqual([]);
    expect((await read("loss: 1\nloss: 2\n", undefined, ["model.py"])).problems).toEqual([
      "loss was printed twice, as 1 and as 2: where files are editable print it once, at the end, and what comes before it as `progress STEP VALUE`",
    ]);
  });

  it("are not read by halves: a value that goes on like a number is none, and no older one takes its place", async () => {
    const problem = (said: string) => ({
      problems: [`it printed "${said}", which is no number as they are read here: 0.5, 1234.5, 1e-3`],
    });
    for (const said of ["loss: 0,5", "loss: 1,234.972", "loss = 1\u202f234.9", "loss: 97.5%"])
      expect(await read(`${said}\n`)).toMatchObject(problem(said));
    expect(await read("loss: 998.2\nloss: 1,023.5\n")).toMatchObject(problem("loss: 1,023.5"));
    expect(await read("at 0,5\n", { from: "regex", pattern: "at (\\S+)" })).toMatchObject(problem("at 0,5"));
    for (const said of ["loss: 0.5, acc: 0.3", "loss:0.5,acc:0.3", "loss=0.5;", "(loss: 0.5)", "loss: 0.5 % of 3,000"])
      expect(await read(`${said}\n`)).toMatchObject({ metrics: { loss: 0.5 }, problems: [] });
    expect(await read("loss: 0.5\nbest loss: 50%\n")).toMatchObject({ metrics: { loss: 0.5 }, problems: [] });
  });

  it("that stand in a sentence are the last of the metric, where no line is its own", async () => {
    const told = "epoch 1 | loss: 0.5, acc: 0.8\nepoch 2 | loss: 0.25, acc: 0.9\nnext loss: 3\nmyloss = 7\n";
    expect(await read(told)).toMatchObject({ metrics: { loss: 3 }, problems: [] });
    expect((await read("The loss is 0.5 (after 3 s)\n")).metrics).toEqual({ loss: 0.5 });
    expect((await read("\r 90%|### | 9/10 [00:01, 4.9it/s]loss: 0.5\n")).metrics).toEqual({ loss: 0.5 });
    expect((await read("epoch 1, loss=0.5\nloss: 0.4\nfinal loss = 0.3\n")).metrics).toEqual({ loss: 0.4 });
    expect((await read("  loss: 0.5  \n", undefined, ["model.py"])).metrics).toEqual({ loss: 0.5 });
    expect((await read("loss: soon\nloss = 0.5\n")).problems).toEqual([]);
    expect((await read("loss: n/a\n")).metrics).toEqual({});
    const dotted = createMetricReader({}, "val.loss");
    dotted.read("valXloss = 1\nat last val.loss = 0.5");
    expect((await dotted.finish(emptyFolder())).metrics).toEqual({ "val.loss": 0.5 });
    expect((await read("loss function: mse\nval_loss: 2\n")).metrics).toEqual({ val_loss: 2 });
  });

  it("keep NaN and infinities for the judge", async () => {
    expect((await read("loss: 1\nloss: NaN\n")).metrics).toEqual({ loss: NaN });
    expect((await read("a: info\nb: mynan\nc: nano\nd: -inf\ne: .25\nf: +1.5E+3\ng: 1e\n")).metrics).toEqual({
      d: -Infinity,
      e: 0.25,
      f: 1500,
    });
    expect((await read("loss: nan\na: inf\nb: -Infinity\n")).metrics).toEqual({ loss: NaN, a: Infinity, b: -Infinity });
  });

  it("come from a pattern, JSON lines or a file as well", async () => {
    expect(
      (await read("epoch 3 loss=0.25 acc=0.5\n", { from: "regex", pattern: "loss=(?<loss>\\S+) acc=(?<acc>\\S+)" }))
        .metrics,
    ).toEqual({ loss: 0.25, acc: 0.5 });
    expect((await read("final 0.75\n", { from: "regex", pattern: "final (\\S+)" })).metrics).toEqual({ loss: 0.75 });
    expect((await read('x\n{"loss": 0.5, "name": "a"}\n', { from: "json-lines" })).metrics).toEqual({ loss: 0.5 });
    expect((await read('{"loss": NaN, "a": -Infinity, "b": "Infinity"}\n', { from: "json-lines" })).metrics).toEqual({
      loss: NaN,
      a: -Infinity,
      b: Infinity,
    });
    expect(
      (await read('{"loss": 0.5, "note": "a \\"NaN\\" at 3", "NaN": 1, "Infinity": 2}\n', { from: "json-lines" }))
        .metrics,
    ).toEqual({ loss: 0.5, NaN: 1, Infinity: 2 });
    expect((await read('step {"loss": 1}\n["loss", 1]\n{"loss"\n', { from: "json-lines" })).metrics).toEqual({});
    const inFile = async (text?: string) => {
      const folder = emptyFolder();
      if (text !== undefined) writeFileSync(join(folder, "metrics.json"), text);
      return createMetricReader({ metrics: { from: "file", file: "metrics.json" } }, "loss").finish(folder);
    };
    expect(await inFile('{\n  "loss": 0.5,\n  "note": "late"\n}\n')).toEqual({ metrics: { loss: 0.5 }, problems: [] });
    expect((await inFile()).problems).toEqual(["the program wrote no metrics.json"]);
    for (const text of ["[0.5]", "0.5", "null", '{"loss": 0.5'])
      expect(await inFile(text)).toEqual({ metrics: {}, problems: ["metrics.json holds no JSON object"] });
  });

  it("survive a megabyte on one line, and progress lines are told", async () => {
    const { metrics, progress } = await read([`${"x".repeat(1e6)}\n`, "progress 3 0.5\nprogress 4 nan\nloss: 1\n"]);
    expect(metrics).toEqual({ loss: 1 });
    expect(progress).toEqual([
      { step: 3, value: 0.5 },
      { step: 4, value: NaN },
    ]);
    expect((await read("no progress 3 0.5\nprogress 3 soon\nprogress 3 0.5 s\n")).progress).toEqual([]);
  });
});
