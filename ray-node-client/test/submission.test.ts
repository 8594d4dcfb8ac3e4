import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { newSubmissionId, type JobSubmission, type RuntimeEnv } from "ray-node-client";
import { prepareRuntimeEnv } from "../src/runtime-env.ts";
import { checkSubmission, submissionToWire } from "../src/submission.ts";

const code = (code: string): Error => expect.objectContaining({ kind: "refused", code }) as Error;

describe("a submission", () => {
  it("rj_2_1 gets an id in Ray's own form", () => {
    expect(new Set(Array.from({ length: 100 }, newSubmissionId)).size).toBe(100);
    expect(newSubmissionId()).toMatch(/^raysubmit_[A-HJ-NP-Za-kmnp-z1-9]{16}$/);
  });

  it.each<[string, object]>([
    ["entrypoint", { entrypoint: " " }],
    ["entrypointNumCpus", { entrypointNumCpus: -1 }],
    ["entrypointNumGpus", { entrypointNumGpus: 1.5 }],
    ["entrypointMemory", { entrypointMemory: 1.5 }],
    ["entrypointResources.tpu", { entrypointResources: { tpu: NaN } }],
    ["entrypointLabelSelector", { entrypointLabelSelector: { "bad key": "x" } }],
    ["metadata.a", { metadata: { a: 1 } }],
  ])("rj_1_14 rj_2_5f is refused over its %s before it is sent", (path, wrong) => {
    const submission = { entrypoint: "true", ...wrong } as JobSubmission;
    expect(() => checkSubmission(submission)).toThrow(code("INVALID_SUBMISSION"));
    expect(() => checkSubmission(submission)).toThrow(path);
  });

  it("rj_4_9 sends only what was asked for, since older servers refuse keys that they do not know", () => {
    const sent = JSON.parse(
      JSON.stringify(submissionToWire({ entrypoint: "true", entrypointNumCpus: 1 }, "x", {})),
    ) as object;
    expect(sent).toEqual({
      entrypoint: "true",
      submission_id: "x",
      runtime_env: {},
      metadata: {},
      entrypoint_num_cpus: 1,
    });
  });
});

describe("a runtime environment", () => {
  it.each<[string, object]>([
    ["unknown key nosuch", { nosuch: 1 }],
    ["pip and uv exclude each other", { pip: ["a"], uv: ["b"] }],
    ["runtimeEnv.env_vars.A", { env_vars: { A: 1 } }],
    ["runtimeEnv.working_dir", { working_dir: "gcs://x.rar" }],
    ["runtimeEnv.working_dir", { working_dir: "local://relative" }],
    ["runtimeEnv.working_dir", { working_dir: "" }],
    ["runtimeEnv.py_modules[1]", { py_modules: ["https://host/a.zip", "https://host/a.exe"] }],
    ["runtimeEnv.pip: unknown key check", { pip: { packages: [], check: true } }],
    ["runtimeEnv.uv.uv_check", { uv: { packages: [], uv_check: "yes" } }],
    ["runtimeEnv.conda", { conda: "environment.yaml" }],
    ["runtimeEnv.config.setup_timeout_seconds", { config: { setup_timeout_seconds: 0 } }],
    ["runtimeEnv.config: unknown key timeout", { config: { timeout: 1 } }],
    ["runtimeEnv.worker_process_setup_hook", { worker_process_setup_hook: () => 1 }],
    ["runtimeEnv.excludes", { excludes: "*.log" }],
  ])("rj_2_6 is refused with the place: %s", async (path, env) => {
    await expect(prepareRuntimeEnv(env)).rejects.toThrow(code("INVALID_RUNTIME_ENV"));
    await expect(prepareRuntimeEnv(env)).rejects.toThrow(path);
  });

  it("rj_2_6 passes with all that Ray knows", async () => {
    const env: RuntimeEnv = {
      ...{ working_dir: "https://host/a.zip?token=x", py_modules: ["s3://bucket/a.whl"], py_executable: "python -u" },
      ...{ pip: { packages: ["requests"], pip_check: false, pip_version: "==24", pip_install_options: ["--no-deps"] } },
      ...{ env_vars: { A: "" }, excludes: ["*.log"], container: { image: "x" }, image_uri: "x", java_jars: ["a.jar"] },
      ...{ config: { setup_timeout_seconds: -1, eager_install: false }, worker_process_setup_hook: "module.hook" },
    };
    expect(await prepareRuntimeEnv(env)).toEqual({ env, packages: [] });
    expect((await prepareRuntimeEnv({ working_dir: "local:///data/code" })).packages).toEqual([]);
  });

  it("rj_3_1 has its folders packed and its requirements read", async () => {
    const folder = mkdtempSync(join(tmpdir(), "env-"));
    writeFileSync(join(folder, "main.py"), "");
    writeFileSync(join(folder, "requirements.txt"), "requests\r\nnumpy==2\n\n");
    writeFileSync(join(folder, "a-1-py3-none-any.whl"), "wheel");
    const wheel = join(folder, "a-1-py3-none-any.whl");
    const requirements = join(folder, "requirements.txt");
    const given = { working_dir: folder, py_modules: [folder, join(folder, "main.py"), wheel], pip: requirements };
    const { env, packages } = await prepareRuntimeEnv(given);
    expect(env.pip).toEqual(["requests", "numpy==2"]);
    expect([env.working_dir, ...(env.py_modules ?? [])]).toEqual(packages.map((pack) => pack.uri));
    expect(packages.map((pack) => pack.uri)).toEqual([
      ...[1, 2, 3].map(() => expect.stringMatching(/^gcs:\/\/_ray_pkg_[0-9a-f]{40}\.zip$/) as string),
      "gcs://a-1-py3-none-any.whl",
    ]);
    expect((await prepareRuntimeEnv({ pip: { packages: requirements } })).env.pip).toEqual({
      packages: ["requests", "numpy==2"],
    });
    await expect(prepareRuntimeEnv({ pip: "nosuch.txt" })).rejects.toThrow(code("INVALID_RUNTIME_ENV"));
    await expect(prepareRuntimeEnv({ working_dir: join(folder, "nosuch") })).rejects.toThrow(code("INVALID_PACKAGE"));
    rmSync(folder, { recursive: true });
  });
});
