import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JobSubmissionClient } from "ray-node-client";
import { StandIn } from "./support/stand-in.ts";

describe("the cluster's resources", () => {
  let standIn: StandIn;
  let client: JobSubmissionClient;
  beforeEach(async () => {
    standIn = await StandIn.start({ gpus: 2 });
    client = new JobSubmissionClient(standIn.address, { proxy: false });
  });
  afterEach(async () => {
    await client.close();
    await standIn.stop();
  });

  const add = (node_id: string, node_ip: string, state: "ALIVE" | "DEAD" = "ALIVE"): void =>
    void standIn.jobs.otherNodes.push({ node_id, node_ip, state });
  const freeCpus = async (): Promise<Record<string, number | undefined>> => {
    const { nodes } = await client.getClusterResources();
    return Object.fromEntries(nodes.map(({ nodeId, available }) => [nodeId, available?.CPU]));
  };

  it.each(["node_id", "node_ip"] as const)("rj_1_17 are told of each node, named by its %s", async (name) => {
    standIn.jobs.loadBy = name;
    add("node-2", "10.0.0.2");
    add("node-3", "10.0.0.3");
    expect(await freeCpus()).toEqual({ "node-1": 4, "node-2": 0.5, "node-3": 0.5 });
  });

  it("rj_1_17 are not told of nodes that share the address they are named by", async () => {
    standIn.jobs.loadBy = "node_ip";
    add("node-2", "10.0.0.2");
    add("node-3", "10.0.0.2");
    add("node-0", "127.0.0.1", "DEAD"); // the head's address is its own again
    expect(await freeCpus()).toEqual({ "node-1": 4, "node-2": undefined, "node-3": undefined });
  });

  it("rj_1_17 are told without what is free, and what waits, where an autoscaler does not report them", async () => {
    standIn.jobs.loadBy = false;
    const { total, available, waiting, nodes } = await client.getClusterResources();
    expect({ total, available, waiting }).toMatchObject({
      total: { GPU: 2 },
      available: undefined,
      waiting: undefined,
    });
    expect(nodes).toMatchObject([{ total: { GPU: 2 }, available: undefined }]);
  });

  it("rj_1_17 are those of all nodes that are alive, however many there are, and were", async () => {
    for (let index = 0; index < 150; index++) add(`dead-${index}`, "10.0.1.1", "DEAD");
    for (let index = 0; index < 150; index++) add(`node-1${index}`, `10.0.0.${index}`);
    const { total, nodes } = await client.getClusterResources();
    expect(total.CPU).toBe(154);
    expect(nodes.length).toBe(151);
  });
});
