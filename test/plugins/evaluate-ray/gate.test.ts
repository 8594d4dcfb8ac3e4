import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ClusterResources } from "#ray-node-client";
import { Gate, type Room } from "../../../plugins/evaluate-ray/gate.ts";
import type { TrialResources } from "../../../plugins/evaluate-ray/options.ts";

// the test's clock does not reach this module by itself
vi.mock("node:timers/promises", () => ({
  setTimeout: (ms: number, _: undefined, { signal }: { signal?: AbortSignal } = {}) =>
    new Promise((resolve, reject) => {
      setTimeout(resolve, ms);
      signal?.addEventListener("abort", () => reject(signal.reason as Error));
    }),
}));

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

const queueSeconds = 900;
const passing = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1000);

/** Trials before a gate, in the order in which they came there; those that are let go have a room. */
class Trials {
  readonly rooms: (Room | undefined)[] = [];
  readonly gate: Gate;
  nodes: readonly NodeOf[];
  waiting: ClusterResources["waiting"] = [];

  constructor(nodes: readonly NodeOf[], asked: TrialResources) {
    this.nodes = nodes;
    this.gate = new Gate(async () => ({ ...clusterOf(this.nodes), waiting: this.waiting }), { ...asked, queueSeconds });
  }

  /** One more, if it is let go at once. */
  async next(): Promise<Room | undefined> {
    const number = this.rooms.push(undefined) - 1;
    void this.gate.enter(performance.now(), never).then((room) => (this.rooms[number] = room));
    await passing(0);
    return this.rooms[number];
  }

  get count(): number {
    return this.rooms.filter((room) => room && !room.isCall).length;
  }
}

/** Ten trials that come at once to a cluster whose word of itself does not change. */
async function tenTrials(nodes: readonly NodeOf[], asked: TrialResources): Promise<Trials> {
  const trials = new Trials(nodes, asked);
  for (let number = 0; number < 10; number++) await trials.next();
  return trials;
}

const free = (total: Amounts): NodeOf => ({ total, available: total });

describe("the gate before a cluster", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    return () => vi.useRealTimers();
  });

  it.each<[string, readonly NodeOf[], TrialResources, number]>([
    ["as many as the CPUs", [free({ CPU: 3 }), free({ CPU: 2 })], { numCpus: 1 }, 5],
    ["none over the border of nodes", [free({ CPU: 3 }), free({ CPU: 3 })], { numCpus: 2 }, 2],
    ["as many as the scarcest resource", [free({ CPU: 64, GPU: 4 })], { numCpus: 1, numGpus: 1 }, 4],
    ["parts of a GPU on one GPU", [free({ CPU: 64, GPU: 2 })], { numGpus: 0.4 }, 4],
    ["what others left free", [{ total: { GPU: 4 }, available: { GPU: 1.5 } }], { numGpus: 0.5 }, 3],
    ["what memory allows, in MB", [free({ memory: 10e9 })], { memoryMb: 4000 }, 2],
    ["nodes that are alive", [free({ CPU: 1 }), { ...free({ CPU: 9 }), isAlive: false }], { numCpus: 1 }, 1],
    ["totals, where it is not told what is free", [{ total: { CPU: 2 } }], { numCpus: 1 }, 2],
  ])("lets go %s, and one more, which waits inside Ray", async (_, nodes, asked, count) => {
    const { rooms } = await tenTrials(nodes, asked);
    expect(rooms.map((room) => room?.isCall)).toEqual(
      Array.from({ length: 10 }, (__, number) => (number < count ? false : number === count ? true : undefined)),
    );
  });

  it("lets all go that ask for nothing", async () => {
    expect((await tenTrials([free({ CPU: 1 })], { numCpus: 0 })).count).toBe(10);
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
    expect((await tenTrials(nodes, { numCpus: 1, labelSelector: { kind: wanted } })).count).toBe(count);
  });

  it("gives room that a trial leaves to the next one, though the cluster does not tell yet that it is free", async () => {
    const trials = new Trials([free({ CPU: 1 })], { numCpus: 1 });
    const first = await trials.next();
    first?.started("0");
    trials.nodes = [{ total: { CPU: 1 }, available: { CPU: 0 } }];
    await passing(60);
    first?.leave();
    expect(await trials.next()).toMatchObject({ isCall: false });
    expect(await trials.next()).toMatchObject({ isCall: true });
  });

  it("counts a trial that took another one's room, though the cluster tells that it is free", async () => {
    const trials = new Trials([free({ CPU: 1 })], { numCpus: 1 });
    const first = await trials.next();
    first?.started("0");
    await passing(60);
    first?.leave();
    expect(await trials.next()).toMatchObject({ isCall: false });
    expect(await trials.next()).toMatchObject({ isCall: true });
  });

  it("gives nobody the room of a trial whose node died", async () => {
    const trials = new Trials([free({ CPU: 1 }), { total: { CPU: 1 }, available: { CPU: 0 } }], { numCpus: 1 });
    const first = await trials.next();
    first?.started("0");
    await passing(60);
    trials.nodes = trials.nodes.map((node, index) => ({ ...node, isAlive: index > 0 }));
    first?.leave();
    expect(await trials.next()).toMatchObject({ isCall: true });
  });

  it("lets the one inside Ray have the next room, and another one wait there then", async () => {
    const trials = new Trials([{ total: { GPU: 1 }, available: { GPU: 0 } }], { numGpus: 1 });
    const running = trials.gate.adopt(false);
    const [second, third] = [await trials.next(), await trials.next()];
    expect([second?.isCall, third]).toEqual([true, undefined]);
    running.leave();
    await passing(5);
    expect(trials.rooms[1]).toBeUndefined();
    second?.started("0");
    await passing(5);
    expect([second?.isCall, trials.rooms[1]?.isCall]).toEqual([false, true]);
  });

  it("lets one trial call the autoscaler where no node could hold it, and the others once there is one", async () => {
    const trials = new Trials([free({ CPU: 4 })], { numGpus: 1 });
    const call = await trials.next();
    expect(call?.isCall).toBe(true);
    expect(await trials.next()).toBeUndefined();
    expect(await trials.gate.hasNode(never)).toBe(false);
    trials.nodes = [...trials.nodes, free({ GPU: 2 })];
    expect(await trials.gate.hasNode(never)).toBe(true);
    await passing(1);
    expect(trials.rooms[1]?.isCall).toBe(false);
    expect(await trials.next()).toBeUndefined(); // one GPU is the caller's, which may not hold it yet
  });

  it("goes on calling while trials run, one at a time, until the cluster has grown to all slots", async () => {
    const trials = new Trials([free({ CPU: 4 })], { numGpus: 1 });
    for (let slot = 0; slot < 3; slot++) void trials.next();
    for (let size = 1; size <= 3; size++) {
      await passing(60);
      const calls = trials.rooms.filter((room) => room?.isCall);
      expect([trials.count, calls.length]).toEqual([size - 1, 1]);
      trials.nodes = [...trials.nodes, { total: { GPU: 1 }, available: { GPU: 0 } }];
      calls[0]?.started(String(size));
    }
    expect(trials.count).toBe(3);
  });

  it("lets another trial call once the first gave up", async () => {
    const trials = new Trials([free({ CPU: 4 })], { numGpus: 1 });
    (await trials.next())?.leave();
    expect((await trials.next())?.isCall).toBe(true);
  });

  it("knows a trial that still waits inside Ray for a node from one that may be set up on it", async () => {
    const trials = new Trials([{ total: { CPU: 4, GPU: 1 }, available: {} }], { numCpus: 1, numGpus: 1 });
    expect(await trials.gate.mayHaveNode(never)).toBe(true);
    trials.waiting = [{ resources: { CPU: 1, GPU: 1 }, count: 1 }];
    expect(await trials.gate.mayHaveNode(never)).toBe(false);
    trials.waiting = [{ resources: { CPU: 2 }, count: 1 }];
    expect(await trials.gate.mayHaveNode(never)).toBe(true);
    trials.nodes = [free({ CPU: 4 })];
    expect(await trials.gate.mayHaveNode(never)).toBe(false);
  });

  it("gives up after its time where others hold all room", async () => {
    const trials = new Trials([{ total: { GPU: 1 }, available: { GPU: 0 } }], { numGpus: 1 });
    const began = performance.now();
    const call = await trials.next();
    const last = trials.gate.enter(began, never);
    await passing(queueSeconds - 1);
    expect(trials.gate.leftMs(began)).toBe(1000);
    await passing(2);
    expect(trials.gate.leftMs(began)).toBe(0);
    call?.leave();
    expect(await last).toBeUndefined();
  });

  it.each([
    [8, 4, 10],
    [5, 4, 20],
    [8, 1, 7],
    [6, 4, 45],
  ])("%i slots on %i GPUs lose no trial of %i minutes, and have them in their order", async (slots, gpus, minutes) => {
    let [running, started, lost] = [0, 0, 0];
    const order: number[] = [];
    const inRay: (() => void)[] = [];
    const told: { at: number; free: number }[] = [];
    const turn = (by: number): void => {
      running += by;
      told.push({ at: performance.now(), free: gpus - running });
    };
    const gate = new Gate(
      async () => {
        const seen = told.findLast(({ at }) => at <= performance.now() - 5000); // it tells what was some seconds ago
        return clusterOf([{ total: { GPU: gpus }, available: { GPU: seen?.free ?? gpus } }]);
      },
      { numGpus: 1, queueSeconds },
    );
    const slot = async (): Promise<void> => {
      for (let number = started++; ; number = started++) {
        const room = await gate.enter(performance.now(), never);
        if (!room) {
          lost++;
          return;
        }
        order.push(number);
        if (running >= gpus) await new Promise<void>((resolve) => inRay.push(resolve));
        turn(1);
        room.started("0");
        await new Promise((resolve) => setTimeout(resolve, minutes * 60_000));
        turn(-1);
        inRay.shift()?.();
        room.leave();
      }
    };
    for (let number = 0; number < slots; number++) void slot();
    await passing(3 * 3600);
    expect(lost).toBe(0);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(order.length).toBeGreaterThan(0.95 * gpus * Math.floor(180 / minutes));
  });

  it("ends waiting when the run stops, of all that wait", async () => {
    const trials = new Trials([{ total: { CPU: 1 }, available: { CPU: 0 } }], { numCpus: 1 });
    await trials.next();
    const stop = new AbortController();
    const waiting = [1, 2].map(() => trials.gate.enter(performance.now(), stop.signal));
    await passing(5);
    stop.abort(new Error("stopped"));
    await Promise.all(waiting.map((one) => expect(one).rejects.toThrow("stopped")));
  });
});
