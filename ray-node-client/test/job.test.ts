import { describe, expect, it } from "vitest";
import { failureOf } from "ray-node-client";
import { refusalOf } from "../src/answer.ts";
import { clusterFromWire } from "../src/cluster.ts";
import { jobFromWire } from "../src/job.ts";

describe("a failed job", () => {
  it.each([
    ["JOB_ENTRYPOINT_COMMAND_ERROR", 1, "user"],
    ["RUNTIME_ENV_SETUP_FAILURE", null, "setup"],
    ["JOB_SUPERVISOR_ACTOR_START_FAILURE", null, "setup"],
    ["JOB_ENTRYPOINT_COMMAND_START_ERROR", null, "setup"],
    ["JOB_SUPERVISOR_ACTOR_START_TIMEOUT", null, "timeout"],
    ["JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE", null, "timeout"],
    ["JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE", null, "infrastructure"],
    ["JOB_SUPERVISOR_ACTOR_DIED", null, "infrastructure"],
    ["A_REASON_OF_A_LATER_RAY", null, "infrastructure"],
    ["A_REASON_OF_A_LATER_RAY", 2, "user"],
    [null, null, "infrastructure"],
  ])("rj_2_4 of type %s and exit code %s is of kind %s", (error_type, driver_exit_code, kind) => {
    const job = jobFromWire({ submission_id: "x", status: "FAILED", error_type, driver_exit_code, message: "why" });
    expect(failureOf(job)).toMatchObject({ kind, job, submissionId: "x", message: "job x failed: why" });
  });

  it("rj_4_9 is read whatever else a server says, or leaves out", () => {
    const job = jobFromWire({ status: "RUNNING", a_field_of_a_later_ray: {} });
    expect(job).toMatchObject({
      status: "RUNNING",
      submissionId: null,
      metadata: {},
      runtimeEnv: {},
      driverInfo: null,
    });
  });
});

describe("an answer", () => {
  it.each([
    [400, "unexpected keyword", "BAD_REQUEST"],
    [401, "", "TOKEN_MISSING"],
    [403, "", "TOKEN_REFUSED"],
    [404, "Job x does not exist", "NOT_FOUND"],
    [404, "<html>", "NOT_RAY"],
    [405, "'POST' method not allowed for browser traffic.", "BROWSER_LIKE"],
    [413, "", "PACKAGE_TOO_LARGE"],
    [429, "", "SERVER_ERROR"],
    [500, "… Job with submission_id x already exists. …", "DUPLICATE_ID"],
    [500, "… is in a non-terminal state RUNNING …", "NOT_TERMINAL"],
    [500, "No available agent to submit job", "NO_AGENT"],
    [500, "Traceback", "SERVER_ERROR"],
    [503, "<html>", "SERVER_ERROR"],
  ])("rj_5_6 %i %s means %s", (status, text, code) => {
    expect(refusalOf({ status, headers: {}, text }, "GET /")).toMatchObject({ code, status });
  });
});

describe("the cluster", () => {
  it("rj_1_17 is told as far as the dashboard tells it", () => {
    const node = {
      node_id: "a",
      node_ip: "1",
      state: "ALIVE",
      is_head_node: true,
      resources_total: { CPU: 2, my_own: 1 },
    };
    const nodes = { data: { result: { result: [node, { ...node, node_id: "b", state: "DEAD" }] } } };
    expect(clusterFromWire(nodes, undefined)).toMatchObject({
      total: { CPU: 2 },
      available: undefined,
      waiting: undefined,
    });
    const usage = { CPU: [0.5, 2], myOwn: [0, 1] };
    const status = { data: { clusterStatus: { loadMetricsReport: { usage, resourceDemand: [[{ myOwn: 1 }, 3]] } } } };
    expect(clusterFromWire(nodes, status)).toMatchObject({
      available: { CPU: 1.5, my_own: 1 },
      waiting: [{ resources: { my_own: 1 }, count: 3 }],
      nodes: [
        { nodeId: "a", isAlive: true, available: undefined },
        { nodeId: "b", isAlive: false },
      ],
    });
    expect(clusterFromWire({}, null)).toEqual({ total: {}, available: undefined, waiting: undefined, nodes: [] });
  });
});
