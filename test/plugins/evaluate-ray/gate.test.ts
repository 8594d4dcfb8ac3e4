import { describe, expect, it } from "vitest";
import type { ClusterResources } from "#ray-node-client";
import { Gate, type Room } from "../../../plugins/evaluate-ray/gate.ts";
import type { TrialResources } from "../../../plugins/evaluate-ray/options.ts";

type Amounts = Record<string, number>;
interface NodeOf {
  total: Amounts;
  available?: Amounts;
  labels?: Record<string, string>;
  isAlive?: boolean;
}

/** A cluster that tells this of itself, until it is told otherwise. */
const clusterOf = (nodes: readonly NodeOf[]): ClusterResources => ({
  total: {},
  available: {},
  waiting: [],
  nodes: nodes.map(({ total, available, labels = {}, isAlive = true }, index) => ({
    nodeId: String(index),
    ip: "",
    isHead: index === 0,
    isAlive,
    total,
    available,
    labels,
  })),
});

const never = new AbortController().signal;

/** How many of ten trials a gate lets go at once to a cluster whose word of itself does not change. */
async function admitted(nodes: readonly NodeOf[], asked: TrialResources): Promise<Room[]> {
  const gate = new Gate(async () => clusterOf(nodes), asked);
  const rooms = await Promise.all(Array.from({ length: 10 }, () => gate.enter(-1, never)));
  return rooms.filter((room) => room !== undefined);
}

const free = (total: Amounts): NodeOf => ({ total, available: total });

describe("the gate before a cluster", () => {
  it.each<[string, readonly NodeOf[], TrialResources, number]>([
    ["as many as the CPUs", [free({ CPU: 3 }), free({ CPU: 2 })], { numCpus: 1 }, 5],
    ["none over the border of nodes", [free({ CPU: 3 }), free({ CPU: 3 })], { numCpus: 2 }, 2],
    ["as many as the scarcest resource", [free({ CPU: 64, GPU: 4 })], { numCpus: 1, numGpus: 1 }, 4],
    ["parts of a GPU on one GPU", [free({ CPU: 64, GPU: 2 })], { numGpus: 0.4 }, 4],
    ["what others left free", [{ total: { GPU: 4 }, available: { GPU: 1.5 } }], { numGpus: 0.5 }, 3],
    ["what memory allows, in MB", [free({ memory: 10e9 })], { memoryMb: 4000 }, 2],
    ["nodes that are alive", [free({ CPU: 1 }), { ...free({ CPU: 9 }), isAlive: false }], { numCpus: 1 }, 1],
    ["totals, where it is not told what is free", [{ total: { CPU: 2 } }], { numCpus: 1 }, 2],
    ["all, where they ask for nothing", [free({ CPU: 1 })], { numCpus: 0 }, 10],
  ])("lets go %s", async (_, nodes, asked, count) => {
    const rooms = await admitted(nodes, asked);
    expect(rooms).toHaveLength(count);
    expect(rooms.some(({ isCall }) => isCall)).toBe(false);
  });

  it.each([
    ["H100", 1],
    ["!H100", 2],
    ["in(H100, A100)", 3],
    ["!in(H100, L4)", 2],
  ])("counts nodes of the label %s", async (wanted, count) => {
    const nodes = [
      { ...free({ CPU: 1 }), labels: { kind: "H100" } },
      { ...free({ CPU: 2 }), labels: { kind: "A100" } },
    ];
    expect(await admitted(nodes, { numCpus: 1, labelSelector: { kind: wanted } })).toHaveLength(count);
  });

  it("gives room that a trial leaves to the next one, though the cluster does not tell yet that it is free", async () => {
    const gate = new Gate(async () => clusterOf([{ total: { CPU: 1 }, available: { CPU: told } }]), { numCpus: 1 });
    let told = 1;
    const first = await gate.enter(-1, never);
    told = 0;
    expect(await gate.enter(-1, never)).toBeUndefined();
    first?.leave();
    expect(await gate.enter(-1, never)).toBeDefined();
    expect(await gate.enter(-1, never)).toBeUndefined();
  });

  it("lets one trial call the autoscaler where no node could hold it, and the others once there is one", async () => {
    let nodes = [free({ CPU: 4 })];
    const gate = new Gate(async () => clusterOf(nodes), { numGpus: 1 });
    const call = await gate.enter(-1, never);
    expect(call?.isCall).toBe(true);
    expect(await gate.enter(-1, never)).toBeUndefined();
    expect(await gate.hasNode(never)).toBe(false);
    nodes = [...nodes, free({ GPU: 2 })];
    expect(await gate.hasNode(never)).toBe(true);
    const second = await gate.enter(-1, never);
    expect(second?.isCall).toBe(false);
    expect(await gate.enter(-1, never)).toBeUndefined(); // one GPU is the caller's, which may not hold it yet
    call?.started();
    expect(await gate.enter(-1, never)).toBeUndefined();
  });

  it("lets another trial call once the first gave up", async () => {
    const gate = new Gate(async () => clusterOf([free({ CPU: 4 })]), { numGpus: 1 });
    (await gate.enter(-1, never))?.leave();
    expect((await gate.enter(-1, never))?.isCall).toBe(true);
  });

  it("ends waiting when the run stops", async () => {
    const gate = new Gate(async () => clusterOf([{ total: { CPU: 1 }, available: { CPU: 0 } }]), { numCpus: 1 });
    const stop = new AbortController();
    const waiting = gate.enter(1e6, stop.signal);
    stop.abort(new Error("stopped"));
    await expect(waiting).rejects.toThrow();
  });
});
