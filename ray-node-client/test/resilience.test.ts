import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { JobSubmissionClient, newSubmissionId, packFiles, type JobInfo } from "ray-node-client";
import { StandIn, type StandInOptions } from "./support/stand-in.ts";

/** What goes wrong between a client and its head, one fault at a time, against the stand-in. */
const opened: (() => Promise<void>)[] = [];
const start = async (options: StandInOptions = {}): Promise<{ standIn: StandIn; client: JobSubmissionClient }> => {
  const standIn = await StandIn.start(options);
  const client = new JobSubmissionClient(standIn.address, { proxy: false, timeoutMs: 2000 });
  opened.push(
    () => client.close(),
    () => standIn.stop(),
  );
  return { standIn, client };
};

afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of opened.splice(0)) await close();
});

const submits = (standIn: StandIn): number =>
  standIn.requests.filter((request) => request === "POST /api/jobs/").length;
const isRunning = { until: ({ status }: JobInfo) => status === "RUNNING" };

const textOf = async (log: AsyncIterable<string>): Promise<string> => {
  let text = "";
  for await (const piece of log) text += piece;
  return text;
};

const isClosed = { kind: "refused", code: "CLOSED" };
/** Closes the client while a call is under way, which must not go on until its own limits. */
const closes = async (client: JobSubmissionClient, call: Promise<unknown> | undefined): Promise<void> => {
  let closedAt = 0;
  setTimeout(() => {
    closedAt = performance.now();
    void client.close();
  }, 300);
  await expect(call).rejects.toMatchObject(isClosed);
  expect(performance.now() - closedAt).toBeLessThan(1500);
};

describe("a submission", () => {
  it.each(["lose", "refuse"] as const)("rj_2_2 is made once when the connection breaks (%s)", async (fault) => {
    const { standIn, client } = await start();
    standIn.faults.push({ method: "POST", path: /jobs/, do: fault });
    const id = await client.submitJob({ entrypoint: "true" });
    expect(submits(standIn)).toBe(2);
    expect((await client.listJobs()).map((job) => job.submissionId)).toEqual([id]);
  });

  it.each([429, 502, 503, 504, 500])("rj_2_10 is sent again after a passing answer (%i)", async (status) => {
    const { standIn, client } = await start();
    const text =
      status === 500 ? "No available agent to submit job, please try again later." : "<html>bad gateway</html>";
    standIn.faults.push({ method: "POST", path: /jobs/, do: { status, text } });
    await client.submitJob({ entrypoint: "true" });
    expect((await client.listJobs()).length).toBe(1);
  });

  it("rj_5_9 is sent again when there was no answer in time", async () => {
    const { standIn, client } = await start();
    standIn.faults.push({ method: "POST", path: /jobs/, do: "hang" });
    await client.submitJob({ entrypoint: "true" });
    expect(submits(standIn)).toBe(2);
  });

  it("rj_2_2 does not take another's job for its own after a broken connection", async () => {
    const { standIn, client } = await start();
    const submissionId = newSubmissionId();
    await client.submitJob({ entrypoint: "echo theirs", submissionId });
    standIn.faults.push({ method: "POST", path: /jobs/, do: "refuse" });
    const submitting = client.submitJob({ entrypoint: "echo ours", submissionId });
    await expect(submitting).rejects.toMatchObject({ code: "DUPLICATE_ID", submissionId });
  });

  it("rj_5_6 is not repeated for ever after an answer that stays", async () => {
    const { standIn, client } = await start();
    const text = "500 Internal Server Error\n\nServer got itself in trouble";
    for (let time = 0; time < 20; time++)
      standIn.faults.push({ method: "POST", path: /jobs/, do: { status: 500, text } });
    const submitting = client.submitJob({ entrypoint: "true" });
    await expect(submitting).rejects.toMatchObject({ kind: "infrastructure", code: "SERVER_ERROR", status: 500 });
    expect(submits(standIn)).toBe(5);
  });

  it("rj_5_9 that cannot be settled says so, with its id", async () => {
    const { standIn } = await start();
    await using client = new JobSubmissionClient(standIn.address, { proxy: false, timeoutMs: 100, retryForMs: 0 });
    standIn.faults.push({ method: "POST", path: /jobs/, do: "hang" });
    await expect(client.submitJob({ entrypoint: "true", submissionId: "mine" })).rejects.toMatchObject({
      ...{ kind: "timeout", code: "REQUEST_TIMEOUT", submissionId: "mine" },
    });
  });

  it("ends with its signal's own reason", async () => {
    const { standIn, client } = await start();
    standIn.faults.push({ method: "POST", path: /jobs/, do: "hang" });
    const given = new AbortController();
    const submitting = client.submitJob({ entrypoint: "true" }, { signal: given.signal });
    given.abort(new Error("not wanted any more"));
    await expect(submitting).rejects.toThrow("not wanted any more");
  });

  it.each([
    [2000, 120],
    [600_000, 600],
  ])("rj_5_9 has two minutes to send a package, or more: %i ms", async (timeoutMs, seconds) => {
    const { standIn } = await start();
    await using client = new JobSubmissionClient(standIn.address, { proxy: false, timeoutMs, retryForMs: 0 });
    const real = AbortSignal.timeout.bind(AbortSignal);
    vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => real(ms / 1000));
    standIn.faults.push({ method: "PUT", path: /packages/, do: "hang" });
    const uploading = client.uploadPackage(await packFiles({ "a.txt": "a" }), { replace: true });
    await expect(uploading).rejects.toThrow(`no answer within ${seconds} s`);
  });

  it("rj_3_7 sends a package once, and again when the cluster has forgotten it", async () => {
    const { standIn, client } = await start();
    const pack = await packFiles({ "a.txt": "a" });
    const puts = (): number => standIn.requests.filter((request) => request.startsWith("PUT")).length;
    await client.uploadPackage(pack);
    await client.uploadPackage(pack);
    expect(puts()).toBe(1);
    standIn.packages.clear();
    await client.uploadPackage(pack);
    expect(puts()).toBe(2);
  });
});

describe("other calls", () => {
  it("rj_1_18 rj_2_10 wait for a head that is just starting", async () => {
    const { standIn, client } = await start();
    const port = Number(new URL(standIn.address).port);
    await standIn.vanish();
    const asking = client.getVersion();
    setTimeout(() => void standIn.listen(port), 300);
    expect((await asking).rayVersion).toBe("2.60.0");
  });

  it("rj_1_7 take a job for deleted when the answer was lost", async () => {
    const { standIn, client } = await start();
    const id = await client.submitJob({ entrypoint: "true" });
    await client.waitForJob(id);
    standIn.faults.push({ method: "DELETE", path: /jobs/, do: "lose" });
    await client.deleteJob(id);
    expect(await client.listJobs()).toEqual([]);
  });

  it("rj_2_10 outlast a dashboard whose part for jobs starts anew", async () => {
    const { standIn, client } = await start();
    const id = await client.submitJob({ entrypoint: "true" });
    for (let time = 0; time < 3; time++) {
      standIn.faults.push({ method: "GET", path: /jobs/, do: { status: 500, text: "Traceback …" } });
    }
    expect((await client.getJobInfo(id)).submissionId).toBe(id);
  });

  it("rj_2_9 say that a job is lost which the cluster had and no longer knows", async () => {
    const { standIn, client } = await start();
    const { sessionName } = await client.getVersion();
    const id = await client.submitJob({ entrypoint: "exec sleep 60" });
    await client.waitForJob(id, isRunning);
    const waiting = client.waitForJob(id, { pollMs: 50 });
    setTimeout(() => standIn.forget(), 200);
    await expect(waiting).rejects.toMatchObject({
      kind: "infrastructure",
      code: "JOB_LOST",
      job: { status: "RUNNING" },
    });
    expect((await client.getVersion()).sessionName).not.toBe(sessionName);
  });

  it("rj_5_6 say that an address is no Ray dashboard's", async () => {
    const { standIn, client } = await start();
    const page = { status: 200, text: "<html>log in</html>" };
    standIn.faults.push({ method: "GET", path: /version/, do: page });
    await expect(client.getVersion()).rejects.toMatchObject({ kind: "refused", code: "NOT_RAY" });
    const headers = { location: "https://elsewhere.example/" };
    standIn.faults.push({ method: "GET", path: /version/, do: { status: 302, text: "", headers } });
    await expect(client.getVersion()).rejects.toThrow("https://elsewhere.example/");
    const other = createServer((socket) => socket.on("data", () => socket.end("no HTTP")));
    await new Promise<void>((resolve) => void other.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    await using lost = new JobSubmissionClient(address, { proxy: false });
    await expect(lost.getVersion()).rejects.toMatchObject({ kind: "refused", code: "NOT_RAY" });
    other.close();
  });

  it("rj_1_12 reject ids of jobs that were never there, with the path kept as it is", async () => {
    const { standIn, client } = await start();
    await expect(client.getJobInfo("../a b")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(standIn.requests.at(-1)).toBe("GET /api/jobs/..%2Fa%20b");
    await client.listJobs();
    expect(standIn.requests.at(-1)).toBe("GET /api/jobs/");
  });
});

describe("a tail", () => {
  const script =
    "for i in $(seq 60); do echo line $i; done; sleep 0.5; for i in $(seq 60); do echo more $i; done; sleep 0.5";
  it.each(["socket", "stream"] as const)(
    "rj_1_15 goes on behind what it gave, however often it is cut off (%s)",
    async (prefer) => {
      const { standIn, client } = await start();
      standIn.logs.framesPerTail = 4;
      const id = await client.submitJob({ entrypoint: script });
      expect(await textOf(client.tailJobLogs(id, { prefer }))).toBe(await client.getJobLogs(id));
    },
  );

  it("rj_1_15 goes on by sockets alone where the State API is missing", async () => {
    const { standIn, client } = await start();
    standIn.logs.hasStateApi = false;
    const id = await client.submitJob({ entrypoint: script });
    expect(await textOf(client.tailJobLogs(id, { prefer: "stream" }))).toBe(await client.getJobLogs(id));
  });

  it("rj_1_16 says that a log is unreadable where no way leads past its bytes", async () => {
    const { standIn, client } = await start();
    standIn.logs.hasStateApi = false;
    const id = await client.submitJob({ entrypoint: "printf 'good\\n\\377'" });
    await client.waitForJob(id);
    await expect(client.getJobLogs(id)).rejects.toMatchObject({ kind: "infrastructure", code: "LOG_UNREADABLE" });
    await expect(textOf(client.tailJobLogs(id))).rejects.toMatchObject({ code: "LOG_UNREADABLE" });
  });

  it.each(["socket", "stream"] as const)("rj_1_15 lasts over a dashboard that goes and comes (%s)", async (prefer) => {
    const { standIn, client } = await start();
    const port = Number(new URL(standIn.address).port);
    const id = await client.submitJob({ entrypoint: script });
    let text = "";
    let isGone = false;
    for await (const piece of client.tailJobLogs(id, { prefer })) {
      text += piece;
      if (isGone) continue;
      isGone = true;
      await standIn.vanish();
      setTimeout(() => void standIn.listen(port), 300);
    }
    expect(text).toBe(await client.getJobLogs(id));
  });

  it("rj_1_15 ends with a job that ends while another look at it is repeated", async () => {
    const { standIn, client } = await start();
    const id = await client.submitJob({ entrypoint: "echo one; sleep 0.3" });
    await client.waitForJob(id, isRunning);
    const job = standIn.jobs.find(id);
    const running = { status: 200, text: JSON.stringify(job && standIn.jobs.wire(job)) };
    // the stream's own look is still waiting for its next try when the one that comes each second sees the end
    vi.spyOn(Math, "random").mockReturnValue(1);
    for (const fault of [running, ...Array.from({ length: 4 }, () => ({ status: 503, text: "" }))])
      standIn.faults.push({ method: "GET", path: /jobs/, do: fault });
    expect(await textOf(client.tailJobLogs(id, { prefer: "stream" }))).toMatch(/^one$/m);
  });

  it("rj_2_9 ends with JOB_LOST when its head was started anew", async () => {
    const { standIn, client } = await start();
    const id = await client.submitJob({ entrypoint: "echo one; exec sleep 60" });
    const follow = async (): Promise<void> => {
      for await (const piece of client.tailJobLogs(id)) {
        if (!piece.includes("one\n")) continue;
        standIn.forget();
        await standIn.vanish();
        await standIn.listen(Number(new URL(standIn.address).port));
      }
    };
    await expect(follow()).rejects.toMatchObject({ code: "JOB_LOST" });
  });

  it.each([
    ["stream", "stream"],
    ["socket", "socket"],
  ] as const)("rj_5_9 takes the other way where a server takes the request and is silent (%s)", async (prefer, way) => {
    const { standIn, client } = await start();
    standIn.logs.silent = [way];
    const id = await client.submitJob({ entrypoint: "echo one; exec sleep 60" });
    for await (const piece of client.tailJobLogs(id, { prefer })) if (piece.includes("one\n")) return; // the job runs on
    expect.unreachable("the log ended before its first line");
  });

  it("rj_5_9 of the whole log ends when the server falls silent", async () => {
    const { standIn, client } = await start();
    standIn.logs.silent = ["file"];
    const id = await client.submitJob({ entrypoint: "printf 'good\\n\\377'" });
    await client.waitForJob(id);
    await expect(client.getJobLogs(id)).rejects.toMatchObject({ code: "LOG_UNREADABLE" });
  });
});

describe("a server that takes connections and never answers", () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket));
  beforeAll(() => new Promise<void>((resolve) => void silent.listen(0, "127.0.0.1", resolve)));
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  const calls: Record<string, (client: JobSubmissionClient) => Promise<unknown>> = {
    getVersion: (client) => client.getVersion(),
    submitJob: (client) => client.submitJob({ entrypoint: "true" }),
    listJobs: (client) => client.listJobs(),
    getJobInfo: (client) => client.getJobInfo("a"),
    getJobStatus: (client) => client.getJobStatus("a"),
    waitForJob: (client) => client.waitForJob("a"),
    stopJob: (client) => client.stopJob("a"),
    deleteJob: (client) => client.deleteJob("a"),
    getJobLogs: (client) => client.getJobLogs("a"),
    tailJobLogs: (client) => client.tailJobLogs("a").next(),
    uploadPackage: async (client) => client.uploadPackage(await packFiles({ "a.txt": "a" })),
    hasPackage: (client) => client.hasPackage("gcs://a.zip"),
    getClusterResources: (client) => client.getClusterResources(),
  };
  const methods = Object.getOwnPropertyNames(JobSubmissionClient.prototype).filter(
    (name) => !/^(constructor|close)$/.test(name),
  );

  const addressOf = ({ port }: AddressInfo): string => `http://127.0.0.1:${port}`;

  it.each(methods)("rj_5_9 is given up in time (%s)", async (method) => {
    const address = addressOf(silent.address() as AddressInfo);
    await using client = new JobSubmissionClient(address, { proxy: false, timeoutMs: 200, retryForMs: 0 });
    await expect(calls[method]?.(client)).rejects.toMatchObject({ kind: "timeout", code: "REQUEST_TIMEOUT" });
  });

  it.each(methods)("is left at once when the client is closed (%s)", async (method) => {
    const client = new JobSubmissionClient(addressOf(silent.address() as AddressInfo), { proxy: false });
    await closes(client, calls[method]?.(client));
  });
});

describe("a client that is closed", () => {
  it("sends nothing again", async () => {
    const { standIn, client } = await start();
    await standIn.vanish();
    await closes(client, client.getVersion());
  });

  it("waits for no job any more", async () => {
    const { client } = await start();
    const id = await client.submitJob({ entrypoint: "exec sleep 60" });
    await client.waitForJob(id, isRunning);
    await closes(client, client.waitForJob(id, { pollMs: 60_000 }));
  });

  it.each(["socket", "stream"] as const)("follows no log any more (%s)", async (prefer) => {
    const { client } = await start();
    const id = await client.submitJob({ entrypoint: "echo one; exec sleep 60" });
    await client.waitForJob(id, isRunning);
    await closes(client, textOf(client.tailJobLogs(id, { prefer })));
  });

  it("takes no call any more", async () => {
    const { standIn, client } = await start();
    await client.close();
    await expect(client.submitJob({ entrypoint: "true" })).rejects.toMatchObject(isClosed);
    expect(standIn.requests).toEqual([]);
  });
});
