import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  failureOf,
  InfrastructureError,
  JobFailedError,
  JobSetupError,
  JobSubmissionClient,
  newSubmissionId,
  packFiles,
  RayError,
  RefusedError,
  TimeoutError,
  type JobInfo,
  type JobSubmission,
} from "ray-node-client";
import { Connection } from "../../src/connection.ts";
import { socketLog } from "../../src/log-sources.ts";

/** A server to hold the client against: 2 GPUs, and jobs that wait for resources fail after a while. */
export interface Server {
  address: string;
  stop(): Promise<void>;
}

/** What is true of every server, the real one and the stand-in. A test's number is that of a fact about Ray's API. */
export function contract(name: string, start: () => Promise<Server>): void {
  describe(name, () => {
    let server: Server;
    let client: JobSubmissionClient;

    beforeAll(async () => {
      server = await start();
      client = new JobSubmissionClient(server.address, { proxy: false });
    });

    afterAll(async () => {
      await client.close();
      await server.stop();
    });

    const run = async (submission: JobSubmission): Promise<JobInfo> =>
      client.waitForJob(await client.submitJob(submission), { timeoutMs: 60_000 });
    const isRunning = { until: ({ status }: JobInfo) => status === "RUNNING", timeoutMs: 60_000 };
    const textOf = async (log: AsyncIterable<string>): Promise<string> => {
      let text = "";
      for await (const piece of log) text += piece;
      return text;
    };
    const raw = async (method: "POST" | "PUT", path: string, json: unknown): Promise<unknown> => {
      const connection = new Connection(server.address, { proxy: false }, {});
      return connection.json({ method, path, json }).finally(() => connection.close());
    };

    it("rj_1_1 tells its version and its session", async () => {
      const { apiVersion, rayVersion, sessionName } = await client.getVersion();
      expect({ apiVersion, rayVersion }).toEqual({ apiVersion: "4", rayVersion: "2.60.0" });
      expect(sessionName).toMatch(/^session_/);
    });

    it("rj_1_2 refuses to Node's fetch what it takes from this client", async () => {
      const body = JSON.stringify({ entrypoint: "true" });
      const answer = await fetch(`${server.address}/api/jobs/`, { method: "POST", body });
      expect(answer.status).toBe(405);
      expect(await client.submitJob({ entrypoint: "true" })).toMatch(/^raysubmit_[1-9A-Za-z]{16}$/);
    });

    it("rj_1_3 says what is wrong with a request", async () => {
      await expect(raw("POST", "/api/jobs/", { entrypoint: "true", nosuch: 1 })).rejects.toMatchObject({
        ...{ kind: "refused", code: "BAD_REQUEST", status: 400 },
        message: expect.stringContaining("nosuch") as string,
      });
      await expect(raw("POST", "/api/jobs/", {})).rejects.toMatchObject({ code: "BAD_REQUEST" });
    });

    it("rj_1_4 rj_5_7 lists every job", async () => {
      const ids = [await client.submitJob({ entrypoint: "true" }), await client.submitJob({ entrypoint: "true" })];
      const listed = (await client.listJobs()).map((job) => job.submissionId);
      expect(listed).toEqual(expect.arrayContaining(ids));
      await Promise.all(ids.map((id) => client.waitForJob(id)));
    });

    it("rj_1_5 has no job that was not submitted", async () => {
      const unknown = { kind: "refused", code: "NOT_FOUND", status: 404 };
      for (const ask of ["getJobInfo", "getJobStatus", "waitForJob", "getJobLogs", "stopJob", "deleteJob"] as const) {
        await expect(client[ask]("nosuch"), ask).rejects.toMatchObject(unknown);
      }
    });

    it("rj_1_6 rj_2_5i stops a running job, and has nothing to stop in a finished one", async () => {
      const id = await client.submitJob({ entrypoint: "exec sleep 60" });
      await client.waitForJob(id, isRunning);
      expect(await client.stopJob(id)).toBe(true);
      const job = await client.waitForJob(id);
      expect(job).toMatchObject({ status: "STOPPED", errorType: null, driverExitCode: null });
      expect(job.message).toContain("intentionally stopped");
      expect(failureOf(job)).toBeUndefined();
      // for a moment after the end there is still something to stop
      await expect.poll(() => client.stopJob(id), { timeout: 10_000 }).toBe(false);
    });

    it("rj_1_7 deletes what is over, and nothing else", async () => {
      const id = await client.submitJob({ entrypoint: "exec sleep 60" });
      await expect(client.deleteJob(id)).rejects.toMatchObject({ kind: "refused", code: "NOT_TERMINAL", status: 500 });
      await client.waitForJob(id, isRunning);
      await client.stopJob(id);
      await client.waitForJob(id);
      await client.deleteJob(id);
      await expect(client.getJobInfo(id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    it("rj_1_8 rj_5_5 gives the whole log, without a limit", async () => {
      const { submissionId } = await run({ entrypoint: "echo first; seq 100000; echo last >&2" });
      const lines = (await client.getJobLogs(submissionId ?? "")).split("\n");
      expect(lines).toEqual(expect.arrayContaining(["first", "1", "100000", "last"]));
      expect(lines.length).toBeGreaterThan(100_000);
    });

    it("rj_1_9 follows no job that is not there", async () => {
      await expect(textOf(client.tailJobLogs("nosuch"))).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    it("rj_1_10 rj_1_11 rj_3_2 rj_3_5 unpacks a package where the entrypoint runs, its mode and text intact", async () => {
      const folder = mkdtempSync(join(tmpdir(), "contract-"));
      writeFileSync(join(folder, "run.sh"), "#!/bin/sh\ncat data/naïve.txt\n", { mode: 0o755 });
      mkdirSync(join(folder, "data"));
      writeFileSync(join(folder, "data", "naïve.txt"), "read\n");
      writeFileSync(join(folder, "secret.txt"), "");
      const job = await run({
        entrypoint: "./run.sh && ls",
        runtimeEnv: { working_dir: folder, excludes: ["secret.txt"] },
      });
      rmSync(folder, { recursive: true });
      expect(job.status).toBe("SUCCEEDED");
      const log = await client.getJobLogs(job.submissionId ?? "");
      expect(log).toMatch(/^read$/m);
      expect(log).not.toContain("secret.txt");
    });

    it("rj_1_12 takes an id for nothing but an id", async () => {
      for (const id of ["a/../..", "a?b=c", "a b", "%2e", "ü#1"]) {
        await expect(client.getJobInfo(id)).rejects.toMatchObject({ code: "NOT_FOUND" });
      }
    });

    it("rj_1_13 rj_1_14 keeps what was submitted, and tells all that it knows of a job", async () => {
      const metadata = { job_name: "one", owner: "ü" };
      const env_vars = { GREETING: "hello" };
      const before = Date.now();
      const resources = { entrypointNumCpus: 1, entrypointNumGpus: 0.5, entrypointMemory: 1000 };
      const job = await run({ entrypoint: "echo $GREETING", metadata, runtimeEnv: { env_vars }, ...resources });
      expect(job).toMatchObject({
        ...{ type: "SUBMISSION", jobId: null, driverInfo: null, status: "SUCCEEDED", entrypoint: "echo $GREETING" },
        ...{ errorType: null, metadata, runtimeEnv: { env_vars }, driverExitCode: 0 },
        message: "Job finished successfully.",
        driverNodeId: expect.any(String) as string,
        driverAgentHttpAddress: expect.stringMatching(/^http:/) as string,
      });
      expect(job.startTime).toBeGreaterThanOrEqual(before - 1000);
      expect(job.endTime).toBeGreaterThanOrEqual(job.startTime ?? Infinity);
      expect(await client.getJobLogs(job.submissionId ?? "")).toMatch(/^hello$/m);
    });

    it("rj_1_15 rj_5_4 follows a log to its end, each character once", async () => {
      const id = await client.submitJob({
        entrypoint:
          "for i in 1 2 3; do seq $i 7 200; printf 'part of '; sleep 0.4; echo a line; done; printf 'a\\rb\\r\\nno end'",
      });
      const tail = client.tailJobLogs(id);
      let text = "";
      let next = await tail.next();
      for (; next.done !== true; next = await tail.next()) text += next.value;
      expect(next.value.status).toBe("SUCCEEDED");
      expect(text).toBe(await client.getJobLogs(id));
      expect(text).toMatch(/part of a line\n.*a\nb\nno end$/s);
    });

    it("rj_1_15 has all of a log's text over one socket, and is cut off where compression is offered", async () => {
      const id = await client.submitJob({ entrypoint: "seq 3000; sleep 1; echo end" });
      const job = await client.waitForJob(id, isRunning);
      const connection = new Connection(server.address, { proxy: false }, {});
      const text = await textOf(socketLog(connection, job, id, new AbortController().signal));
      await connection.close();
      expect(text).toBe(await client.getJobLogs(id));
      const offering = new WebSocket(`${server.address.replace("http", "ws")}/api/jobs/${id}/logs/tail`);
      const pieces: unknown[] = [];
      offering.addEventListener("message", ({ data }) => pieces.push(data));
      const close = await new Promise<CloseEvent>((resolve) => offering.addEventListener("close", resolve));
      expect({ code: close.code, pieces }).toEqual({ code: 1000, pieces: [] });
    });

    it("rj_1_15 follows a log past bytes that are no UTF-8 and past a line of 5 MB", async () => {
      const line = "head -c 5000000 /dev/zero | tr '\\0' x; echo";
      const id = await client.submitJob({
        entrypoint: `echo ü; printf 'bad \\377\\n'; sleep 1; ${line}; sleep 1; echo end`,
      });
      const text = await textOf(client.tailJobLogs(id));
      expect(text.length).toBeGreaterThan(5_000_000);
      expect(text).toMatch(/^ü\n(.*\n)*?bad \uFFFD\n(.*\n)*?x{5000000}\nend\n$/m);
      expect(await client.getJobLogs(id)).toBe(text);
    });

    it("rj_1_15 rj_2_5g waits with a pending job, and ends with one whose resources never come free", async () => {
      const id = await client.submitJob({ entrypoint: "true", entrypointNumGpus: 3 });
      expect(await textOf(client.tailJobLogs(id))).toBe("");
      const job = await client.getJobInfo(id);
      expect(job).toMatchObject({ status: "FAILED", errorType: "JOB_SUPERVISOR_ACTOR_START_TIMEOUT" });
      expect(failureOf(job)).toMatchObject({ kind: "timeout", code: "JOB_NOT_STARTED" });
    });

    it("rj_1_15 stops to follow when it is told so, with the reason", async () => {
      const id = await client.submitJob({ entrypoint: "echo one; exec sleep 60" });
      const given = new AbortController();
      const follow = async (): Promise<void> => {
        for await (const _ of client.tailJobLogs(id, { signal: given.signal })) given.abort(new Error("enough"));
      };
      await expect(follow()).rejects.toThrow("enough");
      await client.stopJob(id);
    });

    it("rj_1_16 follows by the stream of the State API as well", async () => {
      const id = await client.submitJob({ entrypoint: "seq 1000; printf '\\377\\r\\n'; sleep 1; echo ü" });
      const text = await textOf(client.tailJobLogs(id, { prefer: "stream" }));
      expect(text).toMatch(/^1000\n(.*\n)*?\uFFFD\n(.*\n)*?ü\n$/m);
      expect(await client.getJobLogs(id)).toBe(text);
    });

    it("rj_1_17 tells what the cluster has", async () => {
      const { total, available, waiting, nodes } = await client.getClusterResources();
      expect(total).toMatchObject({ CPU: 4, GPU: 2 });
      expect(Object.keys(available ?? {})).toEqual(expect.arrayContaining(["CPU", "GPU", "object_store_memory"]));
      expect(Array.isArray(waiting)).toBe(true);
      expect(nodes).toMatchObject([{ ip: "127.0.0.1", isHead: true, isAlive: true, total: { GPU: 2 } }]);
    });

    it("rj_1_20 fails a job under a deleted one's id, or continues its log: ids are never used again", async () => {
      const submissionId = newSubmissionId();
      await run({ entrypoint: "echo old", submissionId });
      await client.deleteJob(submissionId);
      const job = await run({ entrypoint: "echo new", submissionId });
      if (job.status === "SUCCEEDED") expect(await client.getJobLogs(submissionId)).toMatch(/^old$[^]*^new$/m);
      else expect(failureOf(job)).toBeInstanceOf(RayError);
    });

    it("rj_2_1 refuses ids that would leave a job for ever, before anything is sent", async () => {
      for (const submissionId of ["", "a/b", "..", "-a", "a b", "ü", "x".repeat(129)]) {
        const submitting = client.submitJob({ entrypoint: "true", submissionId });
        await expect(submitting).rejects.toMatchObject({ kind: "refused", code: "INVALID_ID" });
      }
      const submissionId = `a.b-c_${Date.now()}`.padEnd(128, "x");
      expect(await client.submitJob({ entrypoint: "true", submissionId })).toBe(submissionId);
    });

    it("rj_2_2 refuses an id that is taken, unless the same job may have it", async () => {
      const submission = { entrypoint: "echo once", submissionId: newSubmissionId() };
      await run(submission);
      const refused = client.submitJob(submission);
      await expect(refused).rejects.toBeInstanceOf(RefusedError);
      await expect(refused).rejects.toMatchObject({ code: "DUPLICATE_ID", submissionId: submission.submissionId });
      expect(await client.submitJob({ ...submission, ifExists: "accept" })).toBe(submission.submissionId);
      const other = client.submitJob({ ...submission, entrypoint: "echo other", ifExists: "accept" });
      await expect(other).rejects.toMatchObject({ code: "DUPLICATE_ID" });
    });

    it("rj_2_3 waits for a state, or for a time", async () => {
      const id = await client.submitJob({ entrypoint: "exec sleep 60" });
      expect((await client.waitForJob(id, isRunning)).status).toBe("RUNNING");
      const waiting = client.waitForJob(id, { timeoutMs: 200 });
      await expect(waiting).rejects.toBeInstanceOf(TimeoutError);
      await expect(waiting).rejects.toMatchObject({ code: "WAIT_TIMEOUT", job: { status: "RUNNING" } });
      await client.stopJob(id);
      expect((await client.waitForJob(id)).status).toBe("STOPPED");
    });

    it("rj_2_5a rj_2_5b rj_2_5c tells how an entrypoint ended", async () => {
      const ends: JobInfo[] = [];
      for (const entrypoint of ["exit 0", "exit 3", "nosuch-command", "kill -9 $$"])
        ends.push(await run({ entrypoint }));
      expect(ends.map((job) => [job.status, job.errorType, job.driverExitCode])).toEqual([
        ["SUCCEEDED", null, 0],
        ["FAILED", "JOB_ENTRYPOINT_COMMAND_ERROR", 3],
        ["FAILED", "JOB_ENTRYPOINT_COMMAND_ERROR", 127],
        ["FAILED", "JOB_ENTRYPOINT_COMMAND_ERROR", -9],
      ]);
      const failures = ends.map(failureOf);
      expect(failures[0]).toBeUndefined();
      for (const failure of failures.slice(1)) expect(failure).toBeInstanceOf(JobFailedError);
      expect(failures[1]?.message).toContain("exit code 3");
    });

    it("rj_2_5e rj_2_6 fails a job whose package is missing, with an empty log and the reason in its message", async () => {
      const job = await run({ entrypoint: "true", runtimeEnv: { working_dir: "gcs://nosuch.zip" } });
      expect(job).toMatchObject({ status: "FAILED", errorType: "RUNTIME_ENV_SETUP_FAILURE", driverExitCode: null });
      expect(failureOf(job)).toBeInstanceOf(JobSetupError);
      expect(failureOf(job)?.message).toContain("runtime_env setup failed");
    });

    it("rj_2_8 says of a pending job that it is stopped, which it is only after it has started", async () => {
      const holder = await client.submitJob({ entrypoint: "exec sleep 60", entrypointNumGpus: 2 });
      await client.waitForJob(holder, isRunning);
      const id = await client.submitJob({ entrypoint: "echo started; exec sleep 60", entrypointNumGpus: 2 });
      expect(await client.stopJob(id)).toBe(true);
      const waiting = client.waitForJob(id, { timeoutMs: 1000 });
      await expect(waiting).rejects.toMatchObject({ code: "WAIT_TIMEOUT", job: { status: "PENDING" } });
      await expect(client.deleteJob(id)).rejects.toMatchObject({ code: "NOT_TERMINAL" });
      await client.stopJob(holder);
      expect((await client.waitForJob(id, { timeoutMs: 60_000 })).status).toBe("STOPPED");
    });

    it("rj_3_1 rj_3_7 asks for a package before every submission, and sends it where it is missing", async () => {
      const pack = await packFiles({ "main.sh": `echo ${newSubmissionId()}\n` });
      const runtimeEnv = { working_dir: await client.uploadPackage(pack) };
      expect(await client.uploadPackage(pack)).toBe(runtimeEnv.working_dir);
      expect((await run({ entrypoint: "sh main.sh", runtimeEnv })).status).toBe("SUCCEEDED");
    });

    it("rj_5_3 kills what does not stop, after the time that the job was given", async () => {
      const runtimeEnv = { env_vars: { RAY_JOB_STOP_WAIT_TIME_S: "1" } };
      const id = await client.submitJob({
        entrypoint: "trap '' TERM; echo ready; while :; do sleep 1; done",
        runtimeEnv,
      });
      for await (const text of client.tailJobLogs(id, { prefer: "stream" })) if (text.includes("ready\n")) break;
      await client.stopJob(id);
      expect((await client.waitForJob(id, { timeoutMs: 60_000 })).status).toBe("STOPPED");
    });

    it("rj_5_8 gives the entrypoint to a shell", async () => {
      const job = await run({ entrypoint: `for n in 1 2; do echo "line $n it's" | cat; done; false || exit 4` });
      expect(job.driverExitCode).toBe(4);
      expect(await client.getJobLogs(job.submissionId ?? "")).toMatch(/^line 1 it's\nline 2 it's$/m);
    });

    it("rj_5_6 rj_2_10 says of what is not there that it cannot be reached", async () => {
      await using nowhere = new JobSubmissionClient("http://127.0.0.1:1", { proxy: false, retryForMs: 0 });
      const asking = nowhere.getVersion();
      await expect(asking).rejects.toBeInstanceOf(InfrastructureError);
      await expect(asking).rejects.toMatchObject({ code: "UNREACHABLE" });
    });
  });
}
