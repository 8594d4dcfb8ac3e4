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

const object = (properties: object, required: readonly string[] = []) => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});
const text = { type: "string" };
const whole = { type: "integer" };
const texts = { type: "object", additionalProperties: text };
const list = (items: object) => ({ type: "array", items });
const amounts = object({ requests: texts, limits: texts });

/** Of Kubernetes' pods, the fields that the examples use. */
const container = object(
  {
    name: text,
    image: text,
    command: list(text),
    workingDir: text,
    ports: list(object({ containerPort: whole, name: text }, ["containerPort"])),
    env: list(
      object(
        { name: text, value: text, valueFrom: object({ secretKeyRef: object({ name: text, key: text }, ["key"]) }) },
        ["name"],
      ),
    ),
    resources: amounts,
    volumeMounts: list(object({ name: text, mountPath: text }, ["name", "mountPath"])),
  },
  ["name", "image"],
);
const volume = object({ name: text, persistentVolumeClaim: object({ claimName: text }, ["claimName"]) }, ["name"]);
const pod = object({
  spec: object({ containers: list(container), volumes: list(volume), restartPolicy: text }, ["containers"]),
});

/** All fields of `spec` in KubeRay's CustomResourceDefinition ray.io/v1 RayCluster that are not for other uses (v1.7). */
const cluster = object(
  {
    apiVersion: { const: "ray.io/v1" },
    kind: { const: "RayCluster" },
    metadata: object({ name: text, namespace: text, labels: texts }),
    spec: object(
      {
        rayVersion: text,
        authOptions: object({
          mode: { enum: ["disabled", "token"] },
          secretName: text,
          enableK8sTokenAuth: { type: "boolean" },
        }),
        enableInTreeAutoscaling: { type: "boolean" },
        autoscalerOptions: object({ idleTimeoutSeconds: whole, upscalingMode: text, image: text, version: text }),
        headGroupSpec: object({ rayStartParams: texts, serviceType: text, labels: texts, template: pod }, ["template"]),
        workerGroupSpecs: list(
          object(
            {
              groupName: text,
              replicas: whole,
              minReplicas: whole,
              maxReplicas: whole,
              numOfHosts: whole,
              idleTimeoutSeconds: whole,
              labels: texts,
              rayStartParams: texts,
              template: pod,
            },
            ["groupName", "maxReplicas", "minReplicas", "template"],
          ),
        ),
      },
      ["headGroupSpec"],
    ),
  },
  ["apiVersion", "kind", "metadata", "spec"],
);

const job = object({
  apiVersion: { const: "batch/v1" },
  kind: { const: "Job" },
  metadata: object({ name: text }),
  spec: object({ backoffLimit: whole, template: pod }, ["template"]),
});

describe("the examples for Ray", () => {
  it.each([
    ["cluster.yaml", cluster],
    ["controller.yaml", job],
  ])(
    "%s has fields that KubeRay and Kubernetes document, in their types, and no other (no cluster took it)",
    (name, schema) => {
      const ajv = new Ajv({ allErrors: true });
      expect(ajv.validate(schema, manifest(name)) ? [] : ajv.errors).toEqual([]);
      expect(ajv.validate(schema, { ...(manifest(name) as object), spec: { headGroup: {} } })).toBe(false);
    },
  );

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
    writeFileSync(journalFile(join(home, ".bilevel", "trials")), "");
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
