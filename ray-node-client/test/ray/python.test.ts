import fc from "fast-check";
import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JobSubmissionClient, packFolder } from "ray-node-client";
import { excluder } from "../../src/exclusion.ts";
import { tree, trickyTree } from "../support/tree.ts";
import { RayHead } from "./head.ts";
import { Python } from "./python.ts";

/** The same questions to Ray's Python client and to this one. */
let python: Python;
beforeAll(() => void (python = new Python()));
afterAll(() => python[Symbol.asyncDispose]());

describe("what is packed, as Python's client has it", () => {
  const excludes = ["*.key", "!src/secret.key", "/nested/kept", "src/*/out"];
  const cases = [
    { excludes: [], gitignore: true, parent: false },
    { excludes, gitignore: true, parent: false },
    { excludes, gitignore: false, parent: false },
    { excludes: ["pkg/"], gitignore: true, parent: true },
    { excludes: ["own/**", "!own/more"], gitignore: false, parent: false },
  ];

  it.each(cases)("rj_3_4 of a tricky folder: %j", async (options) => {
    const folder = tree(trickyTree);
    const withDefaults = [...((await python.ask("default_excludes", {})) as string[]), ...options.excludes];
    const theirs = await python.ask("pack", { ...options, folder, excludes: withDefaults });
    const ours = await packFolder(folder, { ...options, parentFolder: options.parent });
    rmSync(folder, { recursive: true });
    expect(ours.entries?.map(({ path }) => path).sort()).toEqual(theirs);
  });

  it("rj_3_4 by any patterns", async () => {
    const name = fc.constantFrom(
      "a",
      "b",
      "ab",
      "*",
      "**",
      "a*",
      "*b",
      "?",
      "[ab]",
      "[!a]",
      "[]b]",
      "[a",
      "\\a",
      "a\\*",
      "",
      ".*",
    );
    const pattern = fc
      .tuple(
        fc.constantFrom("", "!", "/", "!/", "\\", " "),
        fc.array(name, { minLength: 1, maxLength: 4 }),
        fc.constantFrom("", "/", " "),
      )
      .map(([head, names, end]) => head + names.join("/") + end);
    const path = fc
      .array(fc.constantFrom("a", "b", "ab", "c", "[a", "a*", "]", ".a"), { minLength: 1, maxLength: 4 })
      .map((names) => names.join("/"));
    const question = fc.record({
      patterns: fc.array(pattern, { minLength: 1, maxLength: 4 }),
      paths: fc.array(path, { minLength: 1, maxLength: 12 }).map((paths) => [".", ...paths]),
    });
    const differing: unknown[] = [];
    for (const { patterns, paths } of fc.sample(question, { numRuns: 3000, seed: 15 })) {
      const theirs = await python.ask("matches", { patterns, paths });
      const ours = paths.map(excluder(patterns));
      if (theirs !== null && JSON.stringify(ours) !== JSON.stringify(theirs))
        differing.push({ patterns, paths, theirs, ours });
    }
    expect(differing).toEqual([]);
  });
});

describe("jobs, as Python's client has them", () => {
  let head: RayHead;
  let client: JobSubmissionClient;
  beforeAll(async () => {
    head = await RayHead.start({ cpus: 2 });
    client = new JobSubmissionClient(head.address);
  });
  afterAll(async () => {
    await client.close();
    await head.stop();
  });

  it("rj_1_13 have the same fields, of a driver too", async () => {
    const entrypoint = "python -c \"import ray; ray.init(); print(ray.get(ray.remote(lambda: 'done').remote()))\"";
    const id = await client.submitJob({ entrypoint, metadata: { job_name: "one" } });
    const job = await client.waitForJob(id);
    const theirs = (await python.ask("job", { address: head.address, id })) as Record<string, unknown>;
    const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const ours = Object.fromEntries(Object.entries(job).map(([key, value]) => [snake(key), value]));
    const driver = job.driverInfo && {
      id: job.driverInfo.id,
      node_ip_address: job.driverInfo.nodeIpAddress,
      pid: job.driverInfo.pid,
    };
    expect({ ...ours, driver_info: driver }).toEqual(theirs);
    expect(job).toMatchObject({ status: "SUCCEEDED", driverInfo: { nodeIpAddress: "127.0.0.1" } });
    expect(await client.getJobInfo(job.jobId ?? "")).toEqual(job); // 1.12: by the driver's id as well
    expect(await client.getJobLogs(job.jobId ?? "")).toContain("done");
  });

  it("rj_1_15 have the same log, and are submitted from there or here", async () => {
    const submission = {
      entrypoint: "for i in 1 2 3; do seq 50; sleep 1; done; printf 'a\\rb'",
      runtime_env: { env_vars: { A: "1" } },
    };
    const id = (await python.ask("submit", { address: head.address, ...submission })) as string;
    let ours = "";
    for await (const text of client.tailJobLogs(id)) ours += text;
    expect(ours).toBe(await python.ask("tail", { address: head.address, id }));
    expect((await client.getJobInfo(id)).runtimeEnv).toEqual(submission.runtime_env);
  });
});
