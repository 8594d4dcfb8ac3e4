import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JobSubmissionClient, type JobStatus } from "#ray-node-client";
import { RayHead } from "../../ray-node-client/test/ray/head.ts";
import { onlyInTrial } from "../support/process-run.ts";
import { inOrder, RayCommand } from "../support/ray-command.ts";
import { outcomesIn, runRay, seeing, startRay } from "../support/ray-run.ts";
import { ofType } from "../support/run.ts";

const modes = ["jobs", "pool"] as const;

describe("what a trial waits for on a real head", () => {
  let head: RayHead;
  let client: JobSubmissionClient;
  beforeAll(async () => {
    head = await RayHead.start({ cpus: 4, gpus: 1 });
    client = new JobSubmissionClient(head.address);
  });
  afterAll(async () => {
    await client.close();
    await head.stop();
  });

  const statuses = async (): Promise<JobStatus[]> => (await client.listJobs()).map(({ status }) => status).sort();

  it("slots beyond what the cluster has wait behind the run's own trials, for longer than queueSeconds", async () => {
    const options = { numGpus: 1, queueSeconds: 10 };
    const command = new RayCommand(head.address, { slots: 3, trials: 3, seconds: 16, options });
    await command.finish();
    expect(command.outcomes("lost")).toEqual([]);
    expect(inOrder(command.noted("start"))).toEqual([0, 1, 2, 3]);
    command.isWhole();
    expect(ofType(command.facts, "handle")).toHaveLength(4); // each was sent once
    expect(await statuses()).toEqual([]);
  });

  it("one trial more than fits waits inside Ray, so that a cluster grows node by node", async () => {
    const source = onlyInTrial(seeing(2)); // neither trial ends without the other
    const options = { resources: { licence: 1 } };
    const started = startRay({ address: head.address, source, slots: 2, trials: 2, options });
    await expect.poll(statuses, { timeout: 30_000 }).toEqual(["PENDING"]);
    const first = await head.addNode({ cpus: 2, resources: { licence: 1 } });
    await expect.poll(statuses, { timeout: 60_000 }).toEqual(["PENDING", "RUNNING"]);
    const second = await head.addNode({ cpus: 2, resources: { licence: 1 } });
    await started.ended;
    expect(outcomesIn(started.facts()).map(({ status }) => status)).toEqual(["measured", "measured", "measured"]);
    await Promise.all([first.kill(), second.kill()]);
  });

  it.each(modes)("a program has the variables of the runtime environment (mode %s)", async (mode) => {
    const options = { mode, runtimeEnv: { env_vars: { LOSS: "0.25" } } };
    const { outcomes } = await runRay({
      address: head.address,
      source: "console.log('loss: ' + process.env.LOSS)",
      options,
    });
    expect(outcomes.map((outcome) => "metric" in outcome && outcome.metric)).toEqual([0.25, 0.25]);
  });

  it.each(modes)("a program that runs for longer than its limit is ended on its node (mode %s)", async (mode) => {
    const source = onlyInTrial("setInterval(() => {}, 1000)");
    const { outcomes } = await runRay({ address: head.address, source, options: { mode, limitSeconds: 2 } });
    expect(outcomes[1]).toMatchObject({ status: "crashed", kind: "timeout" });
    expect(head.processes("train.js")).toEqual([]);
  });

  it("an environment that is not made in time loses the trial", async () => {
    const options = { setupSeconds: 1, runtimeEnv: { pip: ["no-such-package-of-these-tests"] } };
    const started = startRay({ address: head.address, source: "console.log('loss: 1')", options });
    const error: unknown = await started.ended.catch((one: unknown) => one);
    expect(error).toMatchObject({ code: "E_INFRASTRUCTURE" });
    expect(String(error)).toMatch(/runtime_env|runtime environment/i);
    expect(outcomesIn(started.facts()).map(({ status }) => status)).toEqual(["lost", "lost", "lost"]);
    expect(await statuses()).toEqual([]);
  });
});
