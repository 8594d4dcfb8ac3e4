import { cpSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { JobSubmissionClient } from "#ray-node-client";
import type { Config } from "../../core/index.ts";
import { execute, resolveConfig } from "../../core/index.ts";
import { space } from "../../examples/gpt-pretrain-cpu/space.ts";
import { evaluateProcess } from "../../plugins/evaluate-process/index.ts";
import { evaluateRay } from "../../plugins/evaluate-ray/index.ts";
import { innerLoop } from "../../plugins/inner-loop/index.ts";
import { proposeLocal } from "../../plugins/propose-local/index.ts";
import { RayHead } from "../../ray-node-client/test/ray/head.ts";
import { onlyInTrial } from "../support/process-run.ts";
import { exitOf, inOrder, poolEndsWithoutItsRun, RayCommand } from "../support/ray-command.ts";
import { reporting, runRay, seeing, startRay, stopper } from "../support/ray-run.ts";
import { emptyFolder, ofType } from "../support/run.ts";

const mode = "pool";

describe("trials in a pool on a real head", () => {
  let head: RayHead;
  let client: JobSubmissionClient;
  let command: RayCommand | undefined;
  beforeAll(async () => {
    head = await RayHead.start({ cpus: 4, gpus: 4 });
    client = new JobSubmissionClient(head.address);
  });
  afterEach(() => command?.kill());
  afterAll(async () => {
    await client.close();
    await head.stop();
  });

  const nothingIsLeft = async (): Promise<void> => {
    expect(await client.listJobs()).toEqual([]);
    await expect.poll(() => head.processes("bilevel_pool"), { timeout: 10_000 }).toEqual([]);
    expect(head.processes("train.js")).toEqual([]);
  };

  it("the GPT example has the same values for the same candidates as locally, by the evaluator's line alone", async () => {
    const home = emptyFolder();
    cpSync(new URL("../../examples/gpt-pretrain-cpu", import.meta.url), join(home, "task"), { recursive: true });
    const train = join(home, "task", "train.ts");
    writeFileSync(train, readFileSync(train, "utf8").replace("FLOP_BUDGET = 240e9", "FLOP_BUDGET = 2e9"));
    const measured = async (evaluator: Config["evaluator"], name: string): Promise<object[]> => {
      const config: Config = {
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
        evaluator,
        levels: [innerLoop({ slots: 2, confirm: 0 })],
        budget: { trials: 2 },
      };
      const { levels } = await execute(resolveConfig(config, join(home, "bilevel.config.ts")), join(home, name));
      const trials = [...(levels.get("inner")?.trials ?? [])].sort((a, b) => a.id - b.id);
      return trials.map(({ candidate, outcome }) => ({
        candidate,
        value: outcome && "metric" in outcome && outcome.metric,
      }));
    };
    const here = await measured(evaluateProcess(), "here");
    expect(here).toMatchObject([1, 2, 3].map(() => ({ value: expect.any(Number) as number })));
    expect(await measured(evaluateRay({ address: head.address, mode }), "there")).toEqual(here);
    await nothingIsLeft();
  });

  /** The devices that four trials see, which wait for each other, so that all hold theirs at the same time. */
  const seen = async (numGpus: number): Promise<(string | undefined)[]> => {
    const source = onlyInTrial(seeing(4));
    const options = { mode, numGpus } as const;
    const { folder, outcomes } = await runRay({ address: head.address, source, slots: 4, trials: 4, options });
    const seenBy = (trial: number): string | undefined =>
      /sees \[(.*)\]/.exec(readFileSync(join(folder, "trials", String(trial), "output.log"), "utf8"))?.[1];
    const devices = [1, 2, 3, 4].map(seenBy).sort();
    expect(
      outcomes
        .slice(1)
        .map(({ where }) => where?.device ?? "")
        .sort(),
    ).toEqual(devices);
    return devices;
  };

  it("four trials at a time see four GPUs, one each", async () => expect(await seen(1)).toEqual(["0", "1", "2", "3"]));
  it("of four trials at half a GPU each, two share one", async () =>
    expect(await seen(0.5)).toEqual(["0", "0", "1", "1"]));
  it("a trial that asks for no GPU sees none", async () => expect(await seen(0)).toEqual(["", "", "", ""]));

  it("a run that was killed goes on with what runs and what ended meanwhile, and runs nothing twice", async () => {
    command = new RayCommand(head.address, { slots: 2, trials: 8, seconds: 1, options: { mode } });
    for (const [kill, verb] of (["run", "resume", "resume"] as const).entries()) {
      const child = command.start(verb);
      await expect.poll(() => command?.noted("start").length, { timeout: 60_000 }).toBeGreaterThan(2 * (kill + 1));
      child.kill("SIGKILL");
      await exitOf(child);
      expect(await client.listJobs()).toMatchObject([{ status: "RUNNING" }]);
    }
    await command.finish("resume");
    expect(inOrder(command.noted("start"))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(command.outcomes("lost")).toEqual([]);
    command.isWhole();
    await nothingIsLeft();
  });

  it("has as many workers as the slots of the run that comes back, in another folder", async () => {
    command = new RayCommand(head.address, { slots: 1, trials: 4, seconds: 6, options: { mode } });
    const child = command.start("run", "--name", "first");
    await command.runs(1);
    child.kill("SIGKILL");
    await exitOf(child);
    const runs = join(command.home, ".bilevel");
    renameSync(join(runs, "first"), join(runs, "run-moved"));
    expect(await exitOf(command.start("resume", "--slots", "3"))).toBe(0);
    expect(command.facts.map(({ text }) => text)).toContain("pool: 3 of 3 workers");
    expect(inOrder(command.noted("start"))).toEqual([0, 1, 2, 3, 4]);
    command.isWhole();
    await nothingIsLeft();
  });

  it("ends itself when its run does not come back", async () => {
    const options = { mode, pool: { idleMinutes: 0.1 } } as const;
    command = new RayCommand(head.address, { trials: 1, seconds: 600, options });
    await poolEndsWithoutItsRun(command, head, client);
    await nothingIsLeft();
  });

  it("after ^C nothing is left on the cluster, and the trials are owed", async () => {
    command = new RayCommand(head.address, { slots: 2, trials: 2, seconds: 300, options: { mode } });
    const child = command.start();
    await command.runs(2);
    child.kill("SIGINT");
    expect(await exitOf(child)).toBe(130);
    expect(
      command
        .outcomes("cancelled")
        .map(({ trial }) => trial)
        .sort(),
    ).toEqual([1, 2]);
    await nothingIsLeft();
  });

  it("intermediate values come while a trial runs, and a mechanism that stops it ends its program", async () => {
    const source = onlyInTrial(reporting);
    const { outcomes, facts } = await runRay({
      address: head.address,
      source,
      options: { mode },
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
    const { folder, outcomes } = await runRay({ address: head.address, source, options: { mode } });
    expect(outcomes[1]).toMatchObject({ status: "measured", metric: 0.5 });
    const log = readFileSync(join(folder, "trials", "1", "output.log"), "utf8");
    expect(log).toBe(`${"y".repeat(5e6)}\n\uFFFD\uFFFD\nloss: 0.5\n`);
  });

  it("a task's files take the place of no module of Python or Ray", async () => {
    const bad = "raise SystemExit('the wrong module')\n";
    const files = Object.fromEntries(
      ["json.py", "random.py", "ray.py", "trial.py", "aiohttp.py"].map((name) => [name, bad]),
    );
    const { outcomes } = await runRay({
      address: head.address,
      source: "console.log('loss: ' + X)",
      files,
      options: { mode },
    });
    expect(outcomes.map(({ status }) => status)).toEqual(["measured", "measured"]);
  });

  it("answers nobody without its token, of which the cluster knows the hash alone", async () => {
    const source = onlyInTrial("setTimeout(() => console.log('loss: 1'), 600_000)");
    const started = startRay({ address: head.address, source, options: { mode } });
    await expect.poll(() => ofType(started.facts(), "handle").length, { timeout: 60_000 }).toBe(2);
    const job = (await client.listJobs()).find(({ status }) => status === "RUNNING");
    const log = await client.getJobLogs(job?.submissionId ?? "");
    const { port } = JSON.parse(/^bilevel-pool ready (.*)$/m.exec(log)?.[1] ?? "") as { port: number };
    const { token } = JSON.parse(readFileSync(join(started.folder, "ray-pool.json"), "utf8")) as { token: string };
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`http://127.0.0.1:${port}/healthz?slots=1`, { headers })).status;
    expect(await status({})).toBe(401);
    expect(await status({ authorization: "Bearer wrong" })).toBe(401);
    expect(await status({ authorization: `Bearer ${token}` })).toBe(200);
    expect(JSON.stringify(job)).not.toContain(token);
    expect(log).not.toContain(token);
    started.stop.abort();
    await started.ended;
    await nothingIsLeft();
  });

  it("a trial that no worker can ever take gives up in time, and says what the cluster has", async () => {
    const options = { mode, numGpus: 8, queueSeconds: 3 } as const;
    const started = startRay({ address: head.address, source: "console.log('loss: 1')", options });
    const error: unknown = await started.ended.catch((one: unknown) => one);
    expect(error).toMatchObject({ code: "E_INFRASTRUCTURE" });
    expect(String(error)).toMatch(
      /no node had room for it within 3 s; it needs CPU 1, GPU 8; the cluster has CPU [\d.]+ of 4 free, GPU 4 of 4 free on 1 node/,
    );
    await nothingIsLeft();
  });

  it("mode auto measures the baseline as a job, and the short trials after it in a pool", async () => {
    const { facts } = await runRay({
      address: head.address,
      source: "console.log('loss: ' + X)",
      trials: 2,
      options: { mode: "auto" },
    });
    const handles = ofType(facts(), "handle").map(({ volatile }) => Object.keys(volatile ?? {}));
    expect(handles).toEqual([expect.arrayContaining(["job"]), ["pool", "key"], ["pool", "key"]]);
    expect(facts().filter(({ type, text }) => type === "notice" && /^mode pool: /.test(String(text)))).toHaveLength(1);
    expect(head.processes("bilevel_pool")).toEqual([]);
  });
});
