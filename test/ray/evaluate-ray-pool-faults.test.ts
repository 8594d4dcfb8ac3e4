import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { JobSubmissionClient } from "#ray-node-client";
import { integer, streamOf } from "../../kit/index.ts";
import { RayHead } from "../../ray-node-client/test/ray/head.ts";
import { kill } from "../../ray-node-client/test/ray/processes.ts";
import { exitOf, inOrder, RayCommand } from "../support/ray-command.ts";

describe("a pool whose processes are killed", () => {
  let head: RayHead;
  let client: JobSubmissionClient;
  let command: RayCommand;
  beforeAll(async () => {
    head = await RayHead.start({ cpus: 4 });
    client = new JobSubmissionClient(head.address);
  });
  afterEach(() => command.kill());
  afterAll(async () => {
    await client.close();
    await head.stop();
  });

  const start = (size: { slots: number; trials: number; seconds: number; numCpus?: number }) => {
    const { numCpus = 1, ...others } = size;
    command = new RayCommand(head.address, { ...others, options: { mode: "pool", numCpus } });
    return command.start();
  };
  /** The run ended well, each trial was measured once, and nothing is left on the cluster. */
  const endsWhole = async (child: ReturnType<typeof start>): Promise<void> => {
    expect(await exitOf(child)).toBe(0);
    command.isWhole();
    expect(await client.listJobs()).toEqual([]);
    await expect.poll(() => head.processes("bilevel_pool"), { timeout: 10_000 }).toEqual([]);
    expect(head.processes("train.js")).toEqual([]);
  };

  it.each([
    ["its driver", "bilevel_pool.driver"],
    ["its supervisor", "JobSupervisor"],
  ])("%s: what ran is lost, ends with it, and is run again in a new pool", async (_, process) => {
    const child = start({ slots: 2, trials: 6, seconds: 2 });
    await command.runs(2);
    const before = head.processes("train.js");
    head.killProcesses(process);
    const ofBefore = (): number[] => head.processes("train.js").filter((pid) => before.includes(pid));
    await expect.poll(ofBefore, { timeout: 10_000 }).toEqual([]);
    await endsWhole(child);
    expect(command.outcomes("lost")).toHaveLength(2);
  });

  it("a worker: its trial is lost, ends with it, and is run again; the worker is replaced", async () => {
    const child = start({ slots: 2, trials: 6, seconds: 3 });
    await command.runs(2);
    kill(head.processes("ray::Worker")[0] ?? 0);
    await expect.poll(() => head.processes("train.js").length).toBeLessThan(2);
    await endsWhole(child);
    const [lost] = command.outcomes("lost");
    expect(command.outcomes("lost")).toHaveLength(1);
    expect(lost).toMatchObject({ reason: expect.stringContaining("its worker died") as string });
    expect(inOrder(command.noted("start"))).toEqual(inOrder([0, 1, 2, 3, 4, 5, 6, lost?.trial ?? 0]));
    expect(inOrder(command.noted("end"))).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("a second node, under load: the pool had grown onto it, and goes on without it", async () => {
    const child = start({ slots: 3, trials: 16, seconds: 4, numCpus: 2 });
    const told = (): unknown[] =>
      command.facts.filter(({ type }) => type === "notice").flatMap(({ text }) => /^pool: .*/.exec(String(text)) ?? []);
    await command.runs(2);
    await expect.poll(() => told().at(-1), { timeout: 30_000 }).toBe("pool: 2 of 3 workers"); // what the head has room for
    const node = await head.addNode({ cpus: 2 });
    await expect.poll(told, { timeout: 60_000 }).toContain("pool: 3 of 3 workers");
    await command.runs(3);
    await node.kill();
    await endsWhole(child);
    expect(command.outcomes("lost")).toHaveLength(1);
    expect(told().slice(-3)).toEqual(["pool: 2 of 3 workers", "pool: 3 of 3 workers", "pool: 2 of 3 workers"]);
  });

  it("the head, which begins anew: what ran is lost, and the run goes on there", async () => {
    const child = start({ slots: 2, trials: 6, seconds: 3 });
    await command.runs(2);
    await head.restart();
    await endsWhole(child);
    expect(command.outcomes("lost")).toHaveLength(2);
  });

  it("at random: each of 300 short trials ends once, and none is missing", async () => {
    const random = streamOf("faults of a pool");
    const child = start({ slots: 4, trials: 300, seconds: 0.02 });
    const ended = exitOf(child);
    let [drivers, workers] = [0, 0];
    while (child.exitCode === null) {
      await Promise.race([ended, sleep(1000 + integer(random, 3000))]);
      const [driver] = head.processes("bilevel_pool.driver");
      const alive = head.processes("ray::Worker.");
      if (drivers < 2 && driver !== undefined && command.noted("end").length > 100 * (drivers + 1)) {
        kill(driver);
        drivers++;
      } else if (alive.length > 0) {
        kill(alive[integer(random, alive.length)] ?? 0);
        workers++;
      }
    }
    await endsWhole(child);
    expect(drivers).toBe(2);
    expect(workers).toBeGreaterThan(2);
    expect(command.outcomes("lost").length).toBeGreaterThan(0);
  }, 400_000);
});
