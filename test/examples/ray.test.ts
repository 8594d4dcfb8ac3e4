import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { defaultLoaders } from "cosmiconfig";
import { describe, expect, it } from "vitest";
import { journalFile, resolveConfig, type Config } from "../../core/index.ts";
import karpathy from "../../examples/ray/karpathy.config.ts";
import laptop from "../../examples/ray/bilevel.config.ts";
import ray from "../../presets/ray.ts";
import { evaluateProcess } from "../../plugins/evaluate-process/index.ts";
import { emptyFolder } from "../support/run.ts";

const folder = new URL("../../examples/ray/", import.meta.url);
const manifest = (name: string): unknown => {
  const file = new URL(name, folder).pathname;
  return defaultLoaders[".yaml"](file, readFileSync(file, "utf8")) as unknown;
};

/** Of KubeRay's CustomResourceDefinition, what the examples use of it; Kubernetes refuses fields that are not in it. */
const { $defs, ...cluster } = closed(
  JSON.parse(readFileSync(new URL("ray-cluster.schema.json", import.meta.url), "utf8")),
) as Record<string, object>;

const job = {
  type: "object",
  additionalProperties: false,
  properties: {
    apiVersion: { const: "batch/v1" },
    kind: { const: "Job" },
    metadata: { type: "object" },
    spec: {
      type: "object",
      required: ["template"],
      additionalProperties: false,
      properties: { backoffLimit: { type: "integer" }, template: { $ref: "#/$defs/template" } },
    },
  },
};

/** A schema whose objects have no other fields than it names. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return inner.type === "object" && "properties" in inner ? { additionalProperties: false, ...inner } : inner;
}

describe("the examples for Ray", () => {
  it.each([
    ["cluster.yaml", cluster],
    ["controller.yaml", job],
  ])(
    "%s has fields that KubeRay and Kubernetes know, in their types, and no other (no cluster took it)",
    (name, schema) => {
      const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false });
      const check = ajv.compile({ ...schema, $defs });
      const given = manifest(name) as { spec: object };
      expect(check(given) ? [] : check.errors).toEqual([]);
      expect(check({ ...given, spec: { ...given.spec, replicas: 2 } })).toBe(false);
      const mistaken = JSON.stringify(given).replaceAll('"mountPath"', '"path"');
      expect(check(JSON.parse(mistaken))).toBe(false);
    },
  );

  it("are shown by bilevel config with where each value came from, names with dots in them, too", () => {
    const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;
    const args = ["--no-warnings", command, "config", "-c", join(folder.pathname, "karpathy.config.ts")];
    const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 60_000 });
    for (const [path, value, origin] of [
      ["links..venv", "false", "karpathy.config.ts"],
      ["labelSelector.ray.io/accelerator-type", '"H100"', "karpathy.config.ts"],
      ["pool.idleMinutes", "10", "default"],
    ])
      expect(stdout.replaceAll(/ +/g, " ")).toContain(`\nevaluator.options.${path} = ${value} # ${origin}\n`);
  });

  it("the cluster is one of KubeRay, with a token", () => {
    const spec = { authOptions: { mode: "token" } };
    expect(manifest("cluster.yaml")).toMatchObject({ apiVersion: "ray.io/v1", kind: "RayCluster", spec });
  });

  it("the controller takes the token from the Secret that KubeRay names after the cluster", () => {
    const { metadata } = manifest("cluster.yaml") as { metadata: { name: string } };
    expect(JSON.stringify(manifest("controller.yaml"))).toContain(
      JSON.stringify({ secretKeyRef: { name: metadata.name, key: "auth_token" } }),
    );
    expect(JSON.stringify(manifest("controller.yaml"))).toContain(`http://${metadata.name}-head-svc:8265`);
  });

  it("the controller starts one run, and goes on with it ever after, though it may not succeed at first", () => {
    const { spec } = manifest("controller.yaml") as {
      spec: { template: { spec: { containers: { command: [string, ...string[]] }[] } } };
    };
    const [program = "", ...args] = spec.template.spec.containers[0]?.command ?? [];
    const home = emptyFolder();
    writeFileSync(join(home, "npx"), "#!/bin/sh\necho $@; exit 3", { mode: 0o755 });
    const start = (): object => {
      const { stdout, status } = spawnSync(program, args, { cwd: home, env: { PATH: `${home}:/usr/bin:/bin` } });
      return { asked: stdout.toString().trim(), status };
    };
    expect(start()).toEqual({ asked: "bilevel run --name trials", status: 3 });
    expect(start()).toEqual({ asked: "bilevel run --name trials", status: 3 });
    mkdirSync(join(home, ".bilevel", "trials"), { recursive: true });
    writeFileSync(journalFile(join(home, ".bilevel", "trials")), ""); // killed before its first fact
    expect(start()).toEqual({ asked: "bilevel run --name trials", status: 3 });
    writeFileSync(journalFile(join(home, ".bilevel", "trials")), "{}\n");
    expect(start()).toEqual({ asked: "bilevel resume trials", status: 3 });
  });

  it.each([
    ["bilevel.config.ts", laptop],
    ["karpathy.config.ts", karpathy],
  ])("%s is a config that is accepted", (name, config) => {
    expect(resolveConfig(config, new URL(name, folder).pathname).config.evaluator.name).toBe("evaluate-ray");
  });

  it("the preset changes the evaluator alone, and keeps its limits", () => {
    const local: Config = { ...laptop, evaluator: evaluateProcess({ limitSeconds: 77 }) };
    const there = ray(local);
    expect({ ...there, evaluator: undefined }).toEqual({ ...local, evaluator: undefined });
    expect(there.evaluator).toMatchObject({ name: "evaluate-ray", options: { limitSeconds: 77, numGpus: 0 } });
    expect(ray(laptop)).toBe(laptop);
  });
});
