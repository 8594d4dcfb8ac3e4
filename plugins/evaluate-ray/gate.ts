import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterNode, ClusterResources } from "#ray-node-client";
import type { TrialResources } from "./options.ts";

/** What the cluster says of its resources is up to so old. */
const settleMs = 10_000;
const lookEveryMs = 1000;

/** Room for one trial, until `leave`. */
export interface Room {
  /** No node could hold the trial: it waits inside Ray, so that an autoscaler sees it. */
  readonly isCall: boolean;
  /** It runs. */
  started(): void;
  leave(): void;
}

/** Room that we have: since when it is in use, and since when it is not. */
interface Held {
  since: number;
  freeSince?: number;
}

/**
 * Lets as many trials go to the cluster as it has room for: a job that waits inside Ray cannot be taken back. What the
 * cluster tells is some seconds old, so that room which a trial of ours leaves goes to the next one, and what ours took
 * since is counted too. Where no node could ever hold a trial, one goes all the same: it calls the autoscaler.
 */
export class Gate {
  readonly #look: (signal: AbortSignal) => Promise<ClusterResources>;
  readonly #needs: Readonly<Record<string, number>>;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #held = new Set<Held>();
  #calling: Held | undefined;
  #order: Promise<unknown> = Promise.resolve();

  constructor(look: (signal: AbortSignal) => Promise<ClusterResources>, asked: TrialResources) {
    this.#look = look;
    this.#needs = needsOf(asked);
    this.#labels = asked.labelSelector ?? {};
  }

  /** Room; undefined where there was none within the time. Throws the signal's reason. */
  async enter(withinMs: number, signal: AbortSignal): Promise<Room | undefined> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const found = await this.#inTurn(() => this.#tryEnter(signal));
      if (found || performance.now() > deadline) return found;
      await sleep(lookEveryMs, undefined, { signal });
    }
  }

  /** Room for a trial that runs already. */
  adopt(): Room {
    return this.#take({ since: performance.now() });
  }

  /** Whether the cluster has a node that could hold a trial if it were free. */
  async hasNode(signal: AbortSignal): Promise<boolean> {
    return this.#fitting(await this.#nodes(signal), ({ total }) => total) > 0;
  }

  async #tryEnter(signal: AbortSignal): Promise<Room | undefined> {
    const now = performance.now();
    for (const held of this.#held)
      if (held.freeSince !== undefined && now - held.freeSince > settleMs) this.#held.delete(held);
    const spare = [...this.#held].find(({ freeSince }) => freeSince !== undefined);
    if (spare) return this.#take(spare);
    const isAsking = Object.keys(this.#needs).length > 0 || Object.keys(this.#labels).length > 0;
    if (!isAsking) return this.#take({ since: now });
    const nodes = await this.#nodes(signal);
    if (this.#fitting(nodes, ({ total }) => total) === 0) {
      if (this.#calling !== undefined) return undefined;
      this.#calling = { since: Infinity };
      return this.#take(this.#calling, true);
    }
    const isTold = nodes.every(({ available }) => available !== undefined);
    const unseen = [...this.#held].filter(({ since }) => !isTold || now - since < settleMs).length;
    const free = this.#fitting(nodes, ({ total, available }) => available ?? total);
    return free - unseen >= 1 ? this.#take({ since: now }) : undefined;
  }

  /** The nodes that a trial may run on. */
  async #nodes(signal: AbortSignal): Promise<ClusterNode[]> {
    return (await this.#look(signal)).nodes.filter((node) => node.isAlive && hasLabels(node, this.#labels));
  }

  /** How many trials fit into these amounts of the nodes. */
  #fitting(nodes: readonly ClusterNode[], amounts: (node: ClusterNode) => Readonly<Record<string, number>>): number {
    return nodes.reduce((sum, node) => sum + timesFitting(amounts(node), this.#needs), 0);
  }

  #take(held: Held, isCall = false): Room {
    held.freeSince = undefined;
    this.#held.add(held);
    const called = (): void => {
      if (this.#calling === held) this.#calling = undefined;
    };
    return {
      isCall,
      started: () => {
        if (this.#calling === held) held.since = performance.now();
        called();
      },
      leave: () => {
        if (this.#calling === held) this.#held.delete(held); // it never had room
        held.freeSince = performance.now();
        called();
      },
    };
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const done = this.#order.then(work);
    this.#order = done.catch(() => undefined);
    return done;
  }
}

/** What a trial asks of a node, in Ray's own units. */
export function needsOf({ numCpus, numGpus, memoryMb, resources }: TrialResources): Record<string, number> {
  const all = { CPU: numCpus, GPU: numGpus, memory: memoryMb && Math.round(memoryMb * 1e6), ...resources };
  return Object.fromEntries(Object.entries(all).filter((one): one is [string, number] => (one[1] ?? 0) > 0));
}

/** How often the needs fit into the amounts. Parts of a GPU lie on one GPU. */
function timesFitting(amounts: Readonly<Record<string, number>>, needs: Readonly<Record<string, number>>): number {
  const times = Object.entries(needs).map(([name, need]) => {
    const amount = amounts[name] ?? 0;
    if (name !== "GPU" || need >= 1) return whole(amount / need);
    return Math.floor(amount) * whole(1 / need) + whole((amount % 1) / need);
  });
  return Math.min(...(times.length > 0 ? times : [Infinity]));
}

const whole = (ratio: number): number => Math.floor(ratio + 1e-6);

/** Whether a node has the labels: a value is exact, `!value`, `in(a, b)` or `!in(a, b)`. */
function hasLabels({ labels }: ClusterNode, selector: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([name, wanted]) => {
    const [, not, list] = /^(!?)in\((.*)\)$/.exec(wanted) ?? [, wanted.startsWith("!") ? "!" : "", undefined];
    const values = list?.split(",").map((value) => value.trim()) ?? [wanted.replace(/^!/, "")];
    return values.includes(labels[name] ?? "") !== (not === "!");
  });
}
