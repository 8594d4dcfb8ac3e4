import { describe, expect, it } from "vitest";
import { RefusedError } from "#ray-node-client";
import { BilevelError, resolveConfig } from "../../../core/index.ts";
import { explained } from "../../../plugins/evaluate-ray/cluster.ts";
import { evaluateRay, type EvaluateRayOptions } from "../../../plugins/evaluate-ray/index.ts";
import { programConfig } from "../../support/process-run.ts";

/** Why a run with these options does not begin. */
function refusal(options: EvaluateRayOptions): BilevelError | undefined {
  try {
    const { config } = programConfig({ source: "", config: { evaluator: evaluateRay(options) } });
    resolveConfig(config, "bilevel.config.ts");
    return undefined;
  } catch (error) {
    return error as BilevelError;
  }
}

describe("the options of evaluateRay", () => {
  it.each<[string, Record<string, unknown>, object]>([
    ["a key that Ray does not have", { env_var: { A: "1" } }, { hint: "did you mean env_vars?" }],
    ["the folder that is the task's", { working_dir: "." }, {}],
    ["a variable that is no text", { env_vars: { A: 1 } }, {}],
    ["a requirement that is no text", { pip: 3 }, {}],
  ])("a runtime environment with %s is refused before the run begins", (_, runtimeEnv, details) => {
    expect(refusal({ runtimeEnv })).toMatchObject({ code: "E_OPTIONS_INVALID", details });
  });

  it.each<Record<string, unknown>>([
    { pip: ["torch"], env_vars: { A: "1" }, config: { eager_install: false } },
    { uv: { packages: ["torch"], uv_version: "==0.9" } },
    { conda: "base", py_modules: ["lib"], excludes: ["*.bin"] },
    { image_uri: "ghcr.io/some/image:1" },
  ])("takes %j", (runtimeEnv) => expect(refusal({ runtimeEnv })).toBeUndefined());

  it("what the client refuses of a runtime environment is told as an option that is wrong", () => {
    const error = new RefusedError("INVALID_RUNTIME_ENV", "runtimeEnv: pip and uv exclude each other");
    expect(explained(error)).toMatchObject({
      code: "E_OPTIONS_INVALID",
      details: { path: "evaluator.runtimeEnv" },
    });
  });
});
