import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  failureOf,
  InfrastructureError,
  JobSetupError,
  JobSubmissionClient,
  packFiles,
  RefusedError,
  type JobInfo,
  type JobSubmission,
} from "ray-node-client";
import { Connection } from "../../src/connection.ts";
import { tree } from "../support/tree.ts";
import { RayHead } from "./head.ts";
import { listeningOf } from "./processes.ts";

/** What only a real head shows: processes of Ray that die, resources, what a job's process finds around it. */
describe("a real head", () => {
  let head: RayHead;
  let client: JobSubmissionClient;
  beforeAll(async () => {
    const env = { RAY_JOB_START_TIMEOUT_SECONDS: "15", RAY_RUNTIME_ENV_TEMPORARY_REFERENCE_EXPIRATION_S: "3" };
    head = await RayHead.start({ cpus: 4, gpus: 2, env });
    client = new JobSubmissionClient(head.address);
  });
  afterAll(async () => {
    await client.close();
    await head.stop();
  });

  const run = async (submission: JobSubmission): Promise<JobInfo> =>
    client.waitForJob(await client.submitJob(submission), { timeoutMs: 90_000 });
  const logOf = (job: JobInfo): Promise<string> => client.getJobLogs(job.submissionId ?? "");
  const isRunning = { until: ({ status }: JobInfo) => status === "RUNNING", timeoutMs: 60_000 };
  it("rj_8_4 listens on loopback alone", () => {
    const addresses = listeningOf(head.processes());
    expect(addresses.length).toBeGreaterThan(5);
    expect(new Set(addresses)).toEqual(new Set(["127.0.0.1"]));
  });

  it("rj_2_7 gives each job the GPUs that it asked for", async () => {
    const entrypoint = "echo GPUS=$CUDA_VISIBLE_DEVICES; sleep 6";
    const both = [1, 1].map((entrypointNumGpus) => client.submitJob({ entrypoint, entrypointNumGpus }));
    const ids = await Promise.all(both);
    await Promise.all(ids.map((id) => client.waitForJob(id, isRunning)));
    const logs = await Promise.all(ids.map(async (id) => logOf(await client.waitForJob(id))));
    expect(logs.map((log) => /GPUS=(\d)$/m.exec(log)?.[1]).sort()).toEqual(["0", "1"]);
    expect(await logOf(await run({ entrypoint }))).toMatch(/GPUS=$/m); // the entrypoint may use all: nothing is set
  });

  it("rj_1_17 tells what is in use, and what waits", async () => {
    const holder = await client.submitJob({ entrypoint: "exec sleep 60", entrypointNumGpus: 2 });
    await client.waitForJob(holder, isRunning);
    const waiting = await client.submitJob({ entrypoint: "true", entrypointNumGpus: 1 });
    const told = async (): Promise<unknown> => {
      const resources = await client.getClusterResources();
      return { free: resources.available?.GPU, waiting: resources.waiting?.map((shape) => shape.resources.GPU) };
    };
    await expect.poll(told, { timeout: 14_000, interval: 500 }).toEqual({ free: 0, waiting: [1] });
    await client.stopJob(holder);
    await client.waitForJob(waiting);
  });

  it("rj_2_5d says infrastructure when a job's supervisor dies, and the driver goes with it", async () => {
    const id = await client.submitJob({ entrypoint: "exec sleep 61" });
    await client.waitForJob(id, isRunning);
    await expect.poll(() => head.processes("sleep 61").length, { timeout: 10_000 }).toBe(1);
    head.killProcesses("JobSupervisor");
    const job = await client.waitForJob(id);
    expect(job).toMatchObject({ status: "FAILED", errorType: "JOB_SUPERVISOR_ACTOR_DIED", driverExitCode: null });
    expect(failureOf(job)).toBeInstanceOf(InfrastructureError);
    await expect.poll(() => head.processes("sleep 61"), { timeout: 10_000 }).toEqual([]);
  });

  it("rj_2_5f takes bad values of a runtime environment and fails the job, which is why they are checked here", async () => {
    const connection = new Connection(head.address, {}, {});
    const send = async (runtime_env: object): Promise<JobInfo> => {
      const json = { entrypoint: "true", runtime_env };
      const answer = await connection.json({ method: "POST", path: "/api/jobs/", json });
      return client.waitForJob((answer as { submission_id: string }).submission_id);
    };
    for (const env of [{ env_vars: { A: 1 } }, { working_dir: "gcs://x.rar" }, { pip: ["a"], uv: ["b"] }]) {
      expect(failureOf(await send(env))).toBeInstanceOf(JobSetupError);
      const submitting = client.submitJob({ entrypoint: "true", runtimeEnv: env as object });
      await expect(submitting).rejects.toMatchObject({ code: "INVALID_RUNTIME_ENV" });
    }
    expect((await send({ nosuch: 1 })).status).toBe("SUCCEEDED"); // 2.6: it is ignored there, and refused here
    await connection.close();
  });

  it("rj_2_5h waits for a node of the right labels, and lets the driver run there", async () => {
    const submission = { entrypoint: "echo there", entrypointLabelSelector: { place: "here" } };
    const early = client.waitForJob(await client.submitJob(submission), { timeoutMs: 3000 });
    await expect(early).rejects.toMatchObject({ job: { status: "PENDING" } });
    const node = await head.addNode({ cpus: 1, labels: { place: "here" } });
    const job = await run(submission);
    const second = (await client.getClusterResources()).nodes.find(({ labels }) => labels.place === "here");
    expect(job).toMatchObject({ status: "SUCCEEDED", driverNodeId: second?.nodeId });
    expect(await logOf(job)).toMatch(/^there$/m);
    const addresses = listeningOf(head.processes());
    expect(new Set(addresses)).toEqual(new Set(["127.0.0.1"])); // 8.4: the second node too
    await node.kill();
    // 5.5: a log lies where its job ran
    await expect(client.getJobLogs(job.submissionId ?? "")).rejects.toMatchObject({ code: "LOG_UNREADABLE" });
  });

  it("rj_2_11 tells a job where its cluster is, and leaves it in its package", async () => {
    const pack = await packFiles({
      "probe.py": "import helper, os; print(helper.x, os.environ['RAY_ADDRESS'])",
      "helper.py": "x = 1",
    });
    const runtimeEnv = { working_dir: await client.uploadPackage(pack) };
    const job = await run({ entrypoint: "python probe.py && pwd", runtimeEnv });
    expect(await logOf(job)).toMatch(new RegExp(`^1 ${head.gcsAddress}\\n[^]*_ray_pkg_`, "m"));
  });

  it("rj_3_2 finds a module that was given as a folder, a file, or a wheel's place", async () => {
    const folder = tree({ "mod/__init__.py": "y = 2", "single.py": "z = 3" });
    const runtimeEnv = { py_modules: [`${folder}/mod`, `${folder}/single.py`] };
    const job = await run({ entrypoint: "python -c 'import mod, single; print(mod.y + single.z)'", runtimeEnv });
    expect(await logOf(job)).toMatch(/^5$/m);
  });

  it("rj_3_6 refuses a body of more than 100 MiB", async () => {
    const bytes = new Uint8Array(101 * 1024 * 1024);
    const uploading = client.uploadPackage({ uri: "gcs://large.zip", bytes });
    await expect(uploading).rejects.toBeInstanceOf(RefusedError);
    await expect(uploading).rejects.toMatchObject({ code: "PACKAGE_TOO_LARGE", status: 413 });
  });

  it("rj_3_7 forgets a package that no job uses, so that each submission sends it again", async () => {
    const connection = new Connection(head.address, {}, {});
    const pack = await packFiles({ "a.sh": "echo kept\n" });
    const path = `/api/packages/gcs/${pack.uri.slice("gcs://".length)}`;
    const isThere = (): Promise<boolean> =>
      connection.send({ method: "GET", path }).then(
        () => true,
        () => false,
      );
    await client.uploadPackage(pack);
    expect(await isThere()).toBe(true);
    // each look pins it for 3 s more
    await expect.poll(isThere, { timeout: 60_000, interval: 8000 }).toBe(false);
    const runtimeEnv = { working_dir: await client.uploadPackage(pack) };
    expect((await run({ entrypoint: "sh a.sh", runtimeEnv })).status).toBe("SUCCEEDED");
    await connection.close();
  });

  it("rj_1_15 rj_2_10 follows a log while the dashboard's part for jobs is killed", async () => {
    const id = await client.submitJob({ entrypoint: "for i in $(seq 16); do echo line $i; sleep 0.5; done" });
    let text = "";
    let isKilled = false;
    for await (const piece of client.tailJobLogs(id)) {
      text += piece;
      if (!isKilled && text.includes("line 3\n")) head.killProcesses("ray-dashboard-JobHead");
      isKilled ||= text.includes("line 3\n");
    }
    expect(isKilled).toBe(true);
    expect(text).toMatch(/line 15\nline 16\n$/);
    expect(text).toBe(await client.getJobLogs(id));
  });

  it("rj_2_9 says that jobs are lost after the head was killed and started again, and goes on with the new one", async () => {
    const { sessionName } = await client.getVersion();
    const id = await client.submitJob({ entrypoint: "exec sleep 120" });
    await client.waitForJob(id, isRunning);
    await using patient = new JobSubmissionClient(head.address, { retryForMs: 120_000 });
    let looks = 0;
    const waiting = patient.waitForJob(id, { until: () => ++looks < 0 }).catch((error: unknown) => error);
    await expect.poll(() => looks).toBeGreaterThan(0);
    await head.restart();
    expect(await waiting).toMatchObject({ kind: "infrastructure", code: "JOB_LOST" });
    expect((await client.getVersion()).sessionName).not.toBe(sessionName);
    expect((await run({ entrypoint: "true" })).status).toBe("SUCCEEDED");
  });
});
