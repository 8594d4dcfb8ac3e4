import { describe, expect, it } from "vitest";
import type { JobInfo } from "#ray-node-client";
import type { View } from "../../../core/index.ts";
import { checkInstallation } from "../../../plugins/evaluate-ray/installation.ts";
import type { Options } from "../../../plugins/evaluate-ray/options.ts";

/** As Ray 2.60 tells it, shortened. */
const messageOf = (
  tool: string,
  output: string,
): string => `runtime_env setup failed: Failed to set up runtime environment.
Could not create the actor because its associated runtime env failed to be created.
[Node 127.0.0.1] Traceback (most recent call last):
  File "runtime_env_agent.py", line 561, in _create_runtime_env_with_retry
SubprocessCalledProcessError: Run cmd[24] failed with the following details.
Command '['/tmp/ray/virtualenv/bin/python', '-m', '${tool}', 'pip', 'install', '-r', 'requirements.txt']' returned non-zero exit status 1.
Last 50 lines of stdout:
${output}
`;

const check = (message: string, statuses: string[] = []): unknown => {
  const job = { errorType: "RUNTIME_ENV_SETUP_FAILURE", message } as JobInfo;
  const view = { trials: statuses.map((status) => ({ outcome: { status } })) } as unknown as View;
  const options = { runtimeEnv: { uv: ["no-such==9.9"], pip: ["no-such==9.9"] } } as unknown as Options;
  try {
    checkInstallation(job, options, view);
    return undefined;
  } catch (error) {
    return error;
  }
};

describe("packages that cannot be installed", () => {
  const uv = messageOf(
    "uv",
    `    Using Python 3.11.7 environment at: /tmp/ray/virtualenv
    error: No solution found when resolving dependencies
      cause: Because no-such was not found in the package registry and you require no-such==9.9, we can conclude that your requirements are unsatisfiable.`,
  );

  it("are the config's fault, told with what was asked for and what the installer said", () => {
    expect(check(uv)).toMatchObject({
      code: "E_OPTIONS_INVALID",
      details: {
        path: "evaluator.runtimeEnv.uv",
        received: '["no-such==9.9"]',
        hint: expect.stringMatching(
          /^uv said: error: No solution found .* cause: Because no-such was not found/,
        ) as string,
      },
    });
  });

  it("are told by the last line where none looks like an error", () => {
    const said = messageOf("pip", "    first\n    killed for lack of memory\n");
    expect(check(said)).toMatchObject({ details: { hint: "pip said: killed for lack of memory" } });
  });

  it("are the node's trouble once a trial was measured with them", () => {
    expect(check(uv, ["lost"])).toBeDefined();
    expect(check(uv, ["lost", "measured"])).toBeUndefined();
  });

  it("are not to blame for any other failure of a set-up", () => {
    expect(check("runtime_env setup failed: Failed to download runtime_env file package gcs://x.zip")).toBeUndefined();
    expect(check(uv.replaceAll("'install'", "'--version'"))).toBeUndefined();
  });
});
