import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { JobSubmissionClient, type JobInfo } from "#ray-node-client";
import type { Config, Fact, Outcome } from "../../core/index.ts";
import { execute, journalFile, readJournal, resolveConfig } from "../../core/index.ts";
import { space } from "../../examples/gpt-pretrain-cpu/space.ts";
import { evaluateProcess } from "../../plugins/evaluate-process/index.ts";
import { evaluateRay, type EvaluateRayOptions } from "../../plugins/evaluate-ray/index.ts";
import { innerLoop } from "../../plugins/inner-loop/index.ts";
import { proposeLocal } from "../../plugins/propose-local/index.ts";
import { RayHead } from "../../ray-node-client/test/ray/head.ts";
import { faultyGateway, type FaultyGateway } from "../support/gateway.ts";
import { onlyInTrial } from "../support/process-run.ts";
import {
  jobIn,
  noted,
  notesIn,
  outcomesIn,
  rayProject,
  runRay,
  startRay,
  type RayProgram,
  reporting,
  stopper,
  seeing,
} from "../support/ray-run.ts";
import { emptyFolder } from "../support/run.ts";

const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;

describe("trials as jobs of a real head", () => {
  let head: RayHead;
  let client: JobSubmissionClient;
  let gateway: FaultyGateway;
  beforeAll(async () => {
    const env = { RAY_RUNTIME_ENV_TEMPORARY_REFERENCE_EXPIRATION_S: "10", RUNTIME_ENV_RETRY_TIMES: "1" };
    head = await RayHead.start({ cpus: 4, gpus: 4, env });
    client = new JobSubmissionClient(head.address);
    gateway = await faultyGateway(head.address);
  });
  afterEach(() => {
    gateway.fault = () => undefined;
    for (const child of children.splice(0)) child.kill("SIGKILL");
  });
  afterAll(async () => {
    await gateway.stop();
    await client.close();
    await head.stop();
  });

  const children: ChildProcess[] = [];
  /** The command line in a folder, as a process of its own. */
  const bilevel = (home: string, ...args: string[]): ChildProcess => {
    const child = spawn(process.execPath, ["--no-warnings", command, ...args, "--quiet", "-C", home], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    children.push(child);
    return child;
  };
  const exitOf = async (child: ChildProcess): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return child.exitCode;
  };
  /** The jobs of trials that the cluster knows. */
  const jobs = async (): Promise<JobInfo[]> => (await client.listJobs()).filter(({ metadata }) => metadata.bilevel_run);
  const run = (program: Omit<RayProgram, "address">) => runRay({ address: head.address, ...program });
  const reasonOf = (outcome: Outcome | undefined): string => (outcome && "reason" in outcome ? outcome.reason : "");
  const lasting = (outcome: Outcome | undefined): object => ({ ...outcome, seconds: 0, where: undefined });

  it("the GPT example has the same values for the same candidates as locally, by the evaluator's line alone", async () => {
    const home = emptyFolder();
    cpSync(new URL("../../examples/gpt-pretrain-cpu", import.meta.url), join(home, "task"), { recursive: true });
    const train = join(home, "task", "train.ts");
    writeFileSync(train, readFileSync(train, "utf8").replace("FLOP_BUDGET = 240e9", "FLOP_BUDGET = 2e9"));
    const common: Omit<Config, "evaluator"> = {
      task: {
        folder: "task",
        command: ["node", "train.ts"],
        values: { via: "constants", file: "train.ts" },
        seed: { constant: "SEED" },
        protected: ["*.wasm", "corpus.txt", "data.ts", "model.ts"],
      },
      objective: { metric: "val_bpb", direction: "minimize", noise: "none" },
      space,
      proposer: proposeLocal(),
      levels: [innerLoop({ slots: 2, confirm: 0 })],
      budget: { trials: 2 },
    };
    const outcomes = async (evaluator: Config["evaluator"], name: string): Promise<object[]> => {
      const resolved = resolveConfig({ ...common, evaluator }, join(home, "bilevel.config.ts"));
      const { levels } = await execute(resolved, join(home, name));
      const trials = [...(levels.get("inner")?.trials ?? [])].sort((a, b) => a.id - b.id);
      return trials.map(({ candidate, outcome }) => ({ candidate, outcome: lasting(outcome) }));
    };
    const here = await outcomes(evaluateProcess(), "here");
    expect(here).toMatchObject([1, 2, 3].map(() => ({ outcome: { status: "measured" } })));
    const withoutTime = (list: object[]): unknown =>
      JSON.parse(JSON.stringify(list), (key, value: unknown) =>
        /seconds|per_sec|flops/i.test(key) ? undefined : value,
      );
    expect(withoutTime(await outcomes(evaluateRay({ address: head.address, mode: "jobs" }), "there"))).toEqual(
      withoutTime(here),
    );
  });

  const seenBy = (folder: string, trial: number): string =>
    /sees \[(.*)\]/.exec(readFileSync(join(folder, "trials", String(trial), "output.log"), "utf8"))?.[1] ??
    "nothing told";

  it("four trials at a time see four GPUs, one each", async () => {
    const options = { numGpus: 1 };
    const { folder, outcomes } = await run({ source: onlyInTrial(seeing(4)), slots: 4, trials: 4, options });
    expect([1, 2, 3, 4].map((trial) => seenBy(folder, trial)).sort()).toEqual(["0", "1", "2", "3"]);
    const devices = outcomes.slice(1).map(({ where }) => where?.device);
    expect(devices.sort()).toEqual(["0", "1", "2", "3"]);
  });

  it("of four trials at half a GPU each, two share one", async () => {
    const options = { numGpus: 0.5 };
    const { folder } = await run({ source: onlyInTrial(seeing(4)), slots: 4, trials: 4, options });
    expect([1, 2, 3, 4].map((trial) => seenBy(folder, trial)).sort()).toEqual(["0", "0", "1", "1"]);
  });

  it("a trial that asks for no GPU sees none", async () => {
    const { folder, outcomes } = await run({ source: seeing(1) });
    expect([seenBy(folder, 0), seenBy(folder, 1)]).toEqual(["", ""]);
    expect(outcomes[1]?.where).not.toHaveProperty("device");
  });

  it("files of the task that are called like modules of Python do no harm", async () => {
    const files = {
      "json.py": "raise SystemExit(9)",
      "signal.py": "raise SystemExit(9)",
      "os.py": "raise SystemExit(9)",
    };
    const { outcomes } = await run({ source: "console.log('loss: ' + X)", files });
    expect(outcomes.map(({ status }) => status)).toEqual(["measured", "measured"]);
  });

  it("a log with a line of 5 MB and bytes that are no UTF-8 comes whole", async () => {
    const source = onlyInTrial(
      `process.stdout.write("y".repeat(5e6) + "\\n"); process.stdout.write(Buffer.from([255, 254, 10])); console.log("loss: 0.5")`,
    );
    const { folder, outcomes } = await run({ source });
    expect(outcomes[1]).toMatchObject({ status: "measured", metric: 0.5 });
    const log = readFileSync(join(folder, "trials", "1", "output.log"), "utf8");
    expect(log).toBe(`${"y".repeat(5e6)}\n\uFFFD\uFFFD\nloss: 0.5\n`);
  });

  it("intermediate values come while a trial runs, and a mechanism that stops it stops the job", async () => {
    const source = onlyInTrial(reporting);
    const { outcomes, facts } = await run({ source, config: { plugins: [stopper] } });
    expect(outcomes[1]).toMatchObject({ status: "pruned" });
    expect(facts().filter(({ type }) => type === "progress").length).toBeGreaterThanOrEqual(3);
    expect(await jobs()).toEqual([]);
  });

  it("a loss that is not finite ends the trial at once", async () => {
    const { outcomes } = await run({ source: onlyInTrial("console.log('progress 1 nan'); setTimeout(() => {}, 1e6)") });
    expect(outcomes[1]).toMatchObject({ status: "crashed", kind: "diverged" });
  });

  it("a run that was killed finds its running jobs again, and runs none twice", async () => {
    const home = emptyFolder();
    rayProject(home, head.address, { slots: 2, trials: 4, seconds: 8 });
    const first = bilevel(home, "run");
    await noted(home, "start 2");
    first.kill("SIGKILL");
    await exitOf(first);
    expect(notesIn(home)).not.toContain("end 2");
    expect(await exitOf(bilevel(home, "resume"))).toBe(0);
    const all = [0, 1, 2, 3, 4].flatMap((trial) => [`start ${trial}`, `end ${trial}`]);
    expect(notesIn(home).sort()).toEqual(all.sort());
    expect(await jobs()).toEqual([]);
  });

  it("a run that was killed gets the result of a job that ended meanwhile", async () => {
    const home = emptyFolder();
    rayProject(home, head.address, { trials: 1, seconds: 3 });
    const first = bilevel(home, "run");
    await noted(home, "start 1");
    first.kill("SIGKILL");
    await noted(home, "end 1");
    expect(await exitOf(bilevel(home, "resume"))).toBe(0);
    expect(notesIn(home)).toEqual(["start 0", "end 0", "start 1", "end 1"]);
  });

  it("a run whose disk is full when a trial ends leaves its result on the cluster, and gets it when it goes on", async () => {
    const home = emptyFolder();
    rayProject(home, head.address, { trials: 1, seconds: 5 });
    const first = bilevel(home, "run");
    await noted(home, "start 1");
    const { size } = statSync(join(home, ".bilevel", "run-1", "journal.jsonl"));
    expect(spawnSync("prlimit", [`--pid=${first.pid}`, `--fsize=${size}`]).status).toBe(0); // stands for a full disk
    expect(await exitOf(first)).toBe(3);
    expect(await exitOf(bilevel(home, "resume"))).toBe(0);
    expect(notesIn(home)).toEqual(["start 0", "end 0", "start 1", "end 1"]);
    expect(await jobs()).toEqual([]);
  });

  it("after ^C no job is left on the cluster, and the trials are owed", async () => {
    const home = emptyFolder();
    rayProject(home, head.address, { slots: 2, trials: 2, seconds: 300 });
    const child = bilevel(home, "run");
    await noted(home, "start 2");
    await noted(home, "start 1");
    child.kill("SIGINT");
    expect(await exitOf(child)).toBe(130);
    expect(await jobs()).toEqual([]);
    expect(head.processes("train.js")).toEqual([]);
  });

  /** Starts a run whose trial takes five seconds, and waits until that runs. */
  const underWay = async () => {
    const source = onlyInTrial("setTimeout(() => console.log('loss: 2'), 5000)");
    const started = startRay({ address: head.address, source });
    await expect.poll(() => jobIn(started.facts(), 1), { timeout: 60_000 }).toBeDefined();
    await expect.poll(() => head.processes("train.js").length, { timeout: 60_000 }).toBe(1);
    return { ...started, program: head.processes("train.js")[0] };
  };
  const outcomesOfTrial = (facts: readonly Fact[], id: number): Outcome[] =>
    outcomesIn(facts).filter(({ trial }) => trial === id);

  it("a driver that is killed loses the trial, which is run again and not charged; its program ends with it", async () => {
    const { ended, facts, program } = await underWay();
    const runner = Math.min(...head.processes("bilevel_trial/__main__.py")); // the others came from it
    process.kill(runner, "SIGKILL");
    await expect.poll(() => head.processes("train.js"), { timeout: 10_000 }).not.toContain(program);
    const end = await ended;
    const outcomes = outcomesOfTrial(facts(), 1);
    expect(outcomes.map(({ status }) => status)).toEqual(["lost", "measured"]);
    expect(reasonOf(outcomes[0])).toMatch(/^its runner was killed on the cluster: /);
    expect(end.levels.get("inner")?.budget.used).toBe(1);
  });

  it("a supervisor that is killed loses the trial, and its program ends with it", async () => {
    const { ended, facts, program } = await underWay();
    head.killProcesses("JobSupervisor");
    await expect.poll(() => head.processes("train.js"), { timeout: 10_000 }).not.toContain(program);
    await ended;
    expect(outcomesOfTrial(facts(), 1).map(({ status }) => status)).toEqual(["lost", "measured"]);
  });

  it("a node that dies loses its trial, which is run again on another one", async () => {
    const resources = { licence: 1 };
    const nodes = [await head.addNode({ cpus: 1, resources })];
    const source = onlyInTrial("setTimeout(() => console.log('loss: 2'), 5000)");
    const started = startRay({ address: head.address, source, options: { resources } });
    await expect.poll(() => jobIn(started.facts(), 1), { timeout: 60_000 }).toBeDefined();
    await expect.poll(() => head.processes("train.js").length, { timeout: 60_000 }).toBe(1);
    await nodes[0]?.kill();
    nodes.push(await head.addNode({ cpus: 1, resources }));
    await started.ended;
    expect(outcomesOfTrial(started.facts(), 1).map(({ status }) => status)).toEqual(["lost", "measured"]);
    await nodes[1]?.kill();
  });

  it("a submission whose answer is lost is made once", async () => {
    let lost = 0;
    gateway.fault = (method, path) => {
      if (method !== "POST" || path !== "/api/jobs/" || lost++ > 0) return undefined;
      return "lose the answer";
    };
    const home = emptyFolder();
    rayProject(home, gateway.address, { trials: 1, seconds: 0 });
    expect(await exitOf(bilevel(home, "run"))).toBe(0);
    expect(lost).toBeGreaterThan(2);
    expect(notesIn(home)).toEqual(["start 0", "end 0", "start 1", "end 1"]);
  });

  it("packages that expire between upload and submission are sent again", async () => {
    let delayed = 0;
    gateway.fault = (method, path) =>
      method === "POST" && path === "/api/jobs/" && delayed++ === 0 ? { delayMs: 25_000 } : undefined;
    const { outcomes, facts } = await runRay({ address: gateway.address, source: "console.log('loss: ' + X)" });
    expect(outcomes.map(({ status }) => status)).toEqual(["measured", "measured"]);
    expect(facts().filter(({ type, trial }) => type === "handle" && trial === 0)).toHaveLength(2);
  });

  it("a trial that waits for ever gives up in time, and says what the cluster has", async () => {
    const started = startRay({
      address: head.address,
      source: "console.log('loss: 1')",
      options: { numGpus: 8, queueSeconds: 3 },
    });
    const error: unknown = await started.ended.catch((one: unknown) => one);
    expect(error).toMatchObject({ code: "E_INFRASTRUCTURE" });
    expect(String(error)).toMatch(
      /no node had room for it within 3 s; it needs CPU 1, GPU 8; the cluster has CPU [\d.]+ of 4 free, GPU 4 of 4 free on 1 node/,
    );
    const told = started
      .facts()
      .find(({ type, text }) => type === "notice" && /an autoscaler sees it/.test(String(text)));
    expect(told?.volatile?.detail).toMatch(/GPU 4 of 4 free/);
  });

  it.each(["jobs", "pool"] as const)(
    "after ^C no job is left on the cluster that waits inside Ray (mode %s)",
    async (mode) => {
      const home = emptyFolder();
      const waiting =
        mode === "jobs"
          ? { resources: { licence: 1 } } // of which there is none
          : { runtimeEnv: { pip: ["no-such-package-of-these-tests"] } }; // which takes its time to fail
      rayProject(home, head.address, { trials: 1, seconds: 0, options: { mode, ...waiting } });
      const child = bilevel(home, "run");
      await expect
        .poll(async () => (await jobs()).map(({ status }) => status), { timeout: 60_000 })
        .toEqual(["PENDING"]);
      child.kill("SIGINT");
      expect(await exitOf(child)).toBe(130);
      expect(await client.listJobs()).toEqual([]);
      expect(notesIn(home)).toEqual([]);
    },
  );

  it.each(["jobs", "pool"] as const)(
    "packages that pip cannot install end the run with one error (mode %s)",
    async (mode) => {
      const runtimeEnv = { pip: ["no-such-package-of-these-tests==1.0"] };
      const started = startRay({
        address: head.address,
        source: "console.log('loss: 1')",
        options: { mode, runtimeEnv },
      });
      const error: unknown = await started.ended.catch((one: unknown) => one);
      expect(error).toMatchObject({
        code: "E_OPTIONS_INVALID",
        exitCode: 2,
        details: {
          path: "evaluator.runtimeEnv.pip",
          received: '["no-such-package-of-these-tests==1.0"]',
          hint: expect.stringMatching(/^pip said: ERROR: .*no-such-package-of-these-tests==1\.0/) as string,
        },
      });
      expect(outcomesIn(started.facts())).toEqual([]);
      expect(await client.listJobs()).toEqual([]);
    },
  );

  it.each(["jobs", "pool"] as const)("a task of nothing but links runs as it does locally (mode %s)", async (mode) => {
    const source = "console.log('loss: ' + (10 - process.env.X))";
    const task = { link: ["train.js"], values: { via: "env" } } as const;
    const program = { source, task };
    const { outcomes } = await run({ ...program, options: { mode } });
    expect(outcomes.map((outcome) => "metric" in outcome && outcome.metric)).toEqual([10, 9]);
  });

  it("a job that nobody waits for any more does no work when its node comes, whatever became of its stop", async () => {
    gateway.fault = (_, path) => (path.endsWith("/stop") ? { status: 200, text: '{"stopped": true}' } : undefined);
    const witness = join(emptyFolder(), "ran");
    const source = `require("fs").writeFileSync(${JSON.stringify(witness)}, ""); console.log("loss: 1")`;
    const started = startRay({ address: gateway.address, source, options: { resources: { licence: 1 } } });
    const job = async (): Promise<string | undefined> => jobIn(started.facts(), 0);
    await expect.poll(job, { timeout: 30_000 }).toBeDefined();
    const id = (await job()) ?? "";
    await expect.poll(() => client.getJobStatus(id).catch(() => "none"), { timeout: 30_000 }).toBe("PENDING");
    gateway.fault = (method, path) =>
      path.endsWith("/stop")
        ? { status: 200, text: '{"stopped": true}' }
        : method === "POST"
          ? { status: 400, text: "no job is taken that could end the other one" }
          : undefined;
    started.stop.abort();
    expect((await started.ended).interrupted).toBe(true);
    expect(await client.getJobStatus(id)).toBe("PENDING");
    const node = await head.addNode({ cpus: 1, resources: { licence: 1 } });
    const ended = await client.waitForJob(id, { timeoutMs: 60_000 });
    expect(ended).toMatchObject({ status: "FAILED", driverExitCode: 1 });
    expect(await client.getJobLogs(id)).toContain("it was called off before it started");
    expect(existsSync(witness)).toBe(false);
    await node.kill();
    await client.deleteJob(id);
  });

  it("401, 403 and 413 end the run with an error of their own", async () => {
    const program = { address: gateway.address, source: "console.log('loss: ' + X)" };
    const failing = async (at: (method: string, path: string) => boolean, status: number, text: string) => {
      gateway.fault = (method, path) => (at(method, path) ? { status, text } : undefined);
      return runRay(program).then(
        () => undefined,
        (error: unknown) => error,
      );
    };
    const isSubmit = (method: string, path: string): boolean => method === "POST" && path === "/api/jobs/";
    const isUpload = (method: string): boolean => method === "PUT";
    expect(await failing(isSubmit, 401, "Unauthorized: Missing authentication token")).toMatchObject({
      code: "E_CLUSTER",
    });
    expect(await failing(isSubmit, 403, "Forbidden: Invalid authentication token")).toMatchObject({
      code: "E_CLUSTER",
    });
    expect(await failing(isUpload, 413, "Maximum request body size 104857600 exceeded.")).toMatchObject({
      code: "E_CLUSTER",
      details: { hint: expect.stringContaining("task.link") as string },
    });
  });

  it("a head that is stopped and started again loses the trials, which are run again and not charged", async () => {
    const home = emptyFolder();
    rayProject(home, head.address, { slots: 2, trials: 2, seconds: 10 });
    const child = bilevel(home, "run");
    await noted(home, "start 1");
    await noted(home, "start 2");
    const { sessionName } = await client.getVersion();
    await head.restart();
    expect((await client.getVersion()).sessionName).not.toBe(sessionName);
    expect(await exitOf(child)).toBe(0);
    expect(
      notesIn(home)
        .filter((note) => note.startsWith("end"))
        .sort(),
    ).toEqual(["end 0", "end 1", "end 2"]);
    const { facts } = readJournal(journalFile(join(home, ".bilevel", "run-1")));
    expect(outcomesOfTrial(facts, 1).map(({ status }) => status)).toEqual(["lost", "measured"]);
    expect(await jobs()).toEqual([]);
  });
});

describe("opening a run on a cluster that cannot be used", () => {
  const open = (options: EvaluateRayOptions): Promise<unknown> =>
    runRay({ address: "", source: "console.log('loss: 1')", options }).catch((error: unknown) => error);

  it("tells in seconds that nobody answers", async () => {
    expect(await open({ address: "http://127.0.0.1:9" })).toMatchObject({ code: "E_CLUSTER", exitCode: 3 });
  });

  it("tells in seconds that something takes connections and does not answer", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const error = await open({ address: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` });
    expect(error).toMatchObject({ code: "E_CLUSTER", exitCode: 3 });
    expect(String(error)).toMatch(/no answer within 10 s/);
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it.each([
    ["ray://head:10001", "http://head:8265"],
    ["head:6379", "http://head:8265"],
  ])("answers %s with the dashboard to try", async (address, wanted) => {
    const error = await open({ address });
    expect(error).toMatchObject({ code: "E_OPTIONS_INVALID" });
    expect(String(error)).toContain(wanted);
  });

  it("tells a token that is missing from one that is refused", async () => {
    const head = await RayHead.start({ cpus: 1, token: "the-token-of-this-test-0123456789" });
    try {
      expect(String(await open({ address: head.address }))).toMatch(/E_CLUSTER[^]*token[^]*RAY_AUTH_TOKEN/);
      process.env.TOKEN_OF_TESTS = "wrong";
      expect(String(await open({ address: head.address, tokenEnv: "TOKEN_OF_TESTS" }))).toMatch(
        /E_CLUSTER[^]*RAY_AUTH_TOKEN anew/,
      );
      process.env.TOKEN_OF_TESTS = "the-token-of-this-test-0123456789";
      expect(await open({ address: head.address, tokenEnv: "TOKEN_OF_TESTS" })).toMatchObject({
        outcomes: [{ metric: 1 }, { metric: 1 }],
      });
    } finally {
      delete process.env.TOKEN_OF_TESTS;
      await head.stop();
    }
  });
});
