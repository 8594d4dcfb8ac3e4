import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { JobSubmissionClient } from "#ray-node-client";
import type { Fact } from "../../core/index.ts";
import type { EvaluateRayOptions } from "../../plugins/evaluate-ray/index.ts";
import { RayHead } from "../../ray-node-client/test/ray/head.ts";
import { kill } from "../../ray-node-client/test/ray/processes.ts";
import { bin } from "../../ray-node-client/test/ray/install.ts";
import { faultyGateway, type FaultyGateway } from "../support/gateway.ts";
import { onlyInTrial } from "../support/process-run.ts";
import { exitOf, inOrder, poolEndsWithoutItsRun, RayCommand } from "../support/ray-command.ts";
import { outcomesIn, reporting, runRay, seeing, startRay, stopper } from "../support/ray-run.ts";
import { ofType } from "../support/run.ts";

const overTheDashboard =
  "the pool's port cannot be reached from here: trials go over the dashboard, and are slower to start";
const told = (facts: readonly Fact[]): unknown[] =>
  facts.filter(({ type }) => type === "notice").map(({ text }) => text);

/** Has a server listen on loopback, at any port. */
async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Nothing listens there: of the cluster, the dashboard alone is reached. */
const pool = { address: "http://127.0.0.1:9" };
const options = { mode: "pool", pool } satisfies EvaluateRayOptions;

describe("a pool that only the dashboard leads to", () => {
  let head: RayHead;
  let client: JobSubmissionClient;
  let gateway: FaultyGateway;
  let command: RayCommand | undefined;
  beforeAll(async () => {
    head = await RayHead.start({ cpus: 4, gpus: 4, env: { RAY_RUNTIME_ENV_TEMPORARY_REFERENCE_EXPIRATION_S: "5" } });
    client = new JobSubmissionClient(head.address);
    gateway = await faultyGateway(head.address);
  });
  afterEach(() => {
    command?.kill();
    gateway.fault = () => undefined;
  });
  afterAll(async () => {
    await gateway.stop();
    await client.close();
    await head.stop();
  });

  const start = (size: { slots: number; trials: number; seconds: number }) => {
    command = new RayCommand(head.address, { ...size, options });
    return command;
  };
  /** Names of messages that lie on the cluster. */
  const messages = (): string[] => {
    const script = `import sys; from ray._raylet import GcsClient; print(*GcsClient(address=sys.argv[1]).internal_kv_keys(b"gcs://bilevel-mail", None))`;
    const told = execFileSync(bin("python"), ["-c", script, head.gcsAddress], { env: head.env, encoding: "utf8" });
    return told.trim().split(" ").filter(Boolean);
  };
  const nothingIsLeft = async (): Promise<void> => {
    expect(await client.listJobs()).toEqual([]);
    await expect.poll(() => head.processes("bilevel_pool"), { timeout: 10_000 }).toEqual([]);
    expect(head.processes("train.js")).toEqual([]);
    await expect.poll(messages, { timeout: 20_000, interval: 1000 }).toEqual([]);
  };

  it("is found out by itself, and told: four trials at a time see four GPUs, one each", async () => {
    const source = onlyInTrial(seeing(4));
    const all = { ...options, numGpus: 1 };
    const { facts, outcomes } = await runRay({ address: head.address, source, slots: 4, trials: 4, options: all });
    expect(inOrder(outcomes.slice(1).map(({ where }) => Number(where?.device)))).toEqual([0, 1, 2, 3]);
    expect(told(facts())).toContainEqual(overTheDashboard);
    await nothingIsLeft();
  });

  it("takes over from a port to which the way is cut while trials run: none is lost, and none runs twice", async () => {
    const spare = createServer();
    const port = await portOf(spare);
    await new Promise((resolve) => spare.close(resolve));
    const straight = await faultyGateway(`http://127.0.0.1:${port}`);
    const way = { mode: "pool", pool: { port, address: straight.address } } as const;
    command = new RayCommand(head.address, { slots: 2, trials: 6, seconds: 3, options: way });
    const child = command.start();
    await command.runs(2);
    expect(told(command.facts)).not.toContainEqual(overTheDashboard);
    await straight.stop();
    expect(await exitOf(child)).toBe(0);
    expect(told(command.facts)).toContainEqual(overTheDashboard);
    expect(inOrder(command.noted("start"))).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(command.outcomes("lost")).toEqual([]);
    command.isWhole();
    await nothingIsLeft();
  });

  it("a port that takes connections and never answers is given up, too", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    const address = `http://127.0.0.1:${await portOf(silent)}`;
    const source = "console.log('loss: ' + X)";
    const run = { address: head.address, source, options: { ...options, pool: { address } } };
    const { outcomes } = await runRay(run);
    expect(outcomes.map(({ status }) => status)).toEqual(["measured", "measured"]);
    expect(sockets.length).toBeGreaterThan(0);
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it("intermediate values come while a trial runs, and a mechanism that stops it ends its program", async () => {
    const source = onlyInTrial(reporting);
    const { outcomes, facts } = await runRay({
      address: head.address,
      source,
      options,
      config: { plugins: [stopper] },
    });
    expect(outcomes[1]).toMatchObject({ status: "pruned" });
    expect(ofType(facts(), "progress").length).toBeGreaterThanOrEqual(3);
    await nothingIsLeft();
  });

  it("a log with a line of 5 MB and bytes that are no UTF-8 comes whole", async () => {
    const source = onlyInTrial(
      `process.stdout.write("y".repeat(5e6) + "\\n"); process.stdout.write(Buffer.from([255, 254, 10])); console.log("loss: 0.5")`,
    );
    const { folder, outcomes } = await runRay({ address: head.address, source, options });
    expect(outcomes[1]).toMatchObject({ status: "measured", metric: 0.5 });
    const log = readFileSync(join(folder, "trials", "1", "output.log"), "utf8");
    expect(log).toBe(`${"y".repeat(5e6)}\n\uFFFD\uFFFD\nloss: 0.5\n`);
  });

  it("after ^C nothing is left on the cluster, and the trials are owed", async () => {
    const run = start({ slots: 2, trials: 2, seconds: 300 });
    const child = run.start();
    await run.runs(2);
    child.kill("SIGINT");
    expect(await exitOf(child)).toBe(130);
    expect(inOrder(run.outcomes("cancelled").map(({ trial }) => trial))).toEqual([1, 2]);
    await nothingIsLeft();
  });

  it("a run that was killed goes on with what runs and what ended meanwhile, and runs nothing twice", async () => {
    const run = start({ slots: 2, trials: 8, seconds: 1 });
    for (const [kill, verb] of (["run", "resume", "resume"] as const).entries()) {
      const child = run.start(verb);
      await expect.poll(() => run.noted("start").length, { timeout: 60_000 }).toBeGreaterThan(2 * (kill + 1));
      child.kill("SIGKILL");
      await exitOf(child);
      expect(await client.listJobs()).toMatchObject([{ status: "RUNNING" }]);
    }
    await run.finish("resume");
    expect(inOrder(run.noted("start"))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(run.outcomes("lost")).toEqual([]);
    run.isWhole();
    await nothingIsLeft();
  });

  it("a driver that is killed: what ran is lost, ends with it, and is run again in a new pool", async () => {
    const run = start({ slots: 2, trials: 6, seconds: 2 });
    const child = run.start();
    await run.runs(2);
    const before = head.processes("train.js");
    head.killProcesses("bilevel_pool.driver");
    await expect.poll(() => head.processes("train.js").filter((pid) => before.includes(pid))).toEqual([]);
    expect(await exitOf(child)).toBe(0);
    run.isWhole();
    expect(run.outcomes("lost")).toHaveLength(2);
    await nothingIsLeft();
  });

  it("a worker that is killed: its trial is lost, ends with it, and is run again; the worker is replaced", async () => {
    const run = start({ slots: 2, trials: 6, seconds: 3 });
    const child = run.start();
    await run.runs(2);
    kill(head.processes("ray::Worker")[0] ?? 0);
    expect(await exitOf(child)).toBe(0);
    run.isWhole();
    expect(run.outcomes("lost")).toMatchObject([{ reason: expect.stringContaining("its worker died") as string }]);
    expect(inOrder(run.noted("end"))).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await nothingIsLeft();
  });

  it("ends itself when its run does not come back", async () => {
    const idle = { ...options, pool: { ...pool, idleMinutes: 0.2 } };
    command = new RayCommand(head.address, { trials: 1, seconds: 600, options: idle });
    await poolEndsWithoutItsRun(command, head, client);
    await nothingIsLeft();
  });

  it("answers no message without its token", async () => {
    const source = onlyInTrial("setTimeout(() => console.log('loss: 1'), 600_000)");
    const started = startRay({ address: head.address, source, options });
    await expect.poll(() => ofType(started.facts(), "handle").length, { timeout: 60_000 }).toBe(2);
    const { id, token } = JSON.parse(readFileSync(join(started.folder, "ray-pool.json"), "utf8")) as Record<
      string,
      string
    >;
    const prefix = /--mailbox=(\S+)/.exec((await client.getJobInfo(id ?? "")).entrypoint)?.[1] ?? "";
    const ask = async (sender: string, theirs = ""): Promise<void> => {
      const message = { token: theirs, calls: [{ id: sender, call: "health", slots: 1 }] };
      await client.uploadPackage({ uri: `${prefix}${sender}.1`, bytes: Buffer.from(JSON.stringify(message)) });
    };
    const log = (): Promise<string> => client.getJobLogs(id ?? "");
    await ask("stranger", "wrong");
    await ask("friend", token);
    await expect.poll(log, { timeout: 10_000 }).toContain("bilevel-pool answer friend 0");
    expect(await log()).not.toContain("stranger");
    expect(await log()).not.toContain(token);
    started.stop.abort();
    await started.ended;
    await nothingIsLeft();
  });

  it("a message whose answer is lost is heeded once, and one that was refused is sent again", async () => {
    let count = 0;
    gateway.fault = (method, path) => {
      if (method !== "PUT" || !path.includes("bilevel-mail")) return undefined;
      count++;
      return count % 5 === 0 ? { status: 500, text: "Traceback" } : count % 3 === 0 ? "lose the answer" : undefined;
    };
    command = new RayCommand(gateway.address, { slots: 2, trials: 20, seconds: 0.1, options });
    await command.finish();
    expect(inOrder(command.noted("start"))).toEqual([...Array(21).keys()]);
    expect(command.outcomes("lost")).toEqual([]);
    command.isWhole();
    await nothingIsLeft();
  });

  it("messages that no driver read any more are removed from the cluster", async () => {
    const source = onlyInTrial("setTimeout(() => console.log('loss: 1'), 600_000)");
    const started = startRay({ address: head.address, source, options });
    await expect.poll(() => ofType(started.facts(), "handle").length, { timeout: 60_000 }).toBe(2);
    await expect.poll(() => head.processes("train.js").length, { timeout: 20_000 }).toBe(1);
    for (const driver of head.processes("bilevel_pool.driver")) process.kill(driver, "SIGSTOP");
    started.stop.abort(); // the message that ends the trial stays unread
    await expect.poll(messages, { timeout: 20_000 }).not.toEqual([]);
    head.killProcesses("bilevel_pool.driver");
    await started.ended;
    expect(outcomesIn(started.facts()).map(({ status }) => status)).not.toContain("crashed");
    await nothingIsLeft();
  });
});
