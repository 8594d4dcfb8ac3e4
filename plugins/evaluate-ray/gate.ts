import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterNode, ClusterResources } from "#ray-node-client";
import type { Options, TrialResources } from "./options.ts";

/** What the cluster says of its resources is up to so old. */
const settleMs = 10_000;
const lookEveryMs = 1000;

/** Room for one trial, until `leave`. */
export interface Room {
  /** There is none yet: the trial waits for it inside Ray. */
  readonly isCall: boolean;
  /** It runs, on this node. */
  started(node: string | null): void;
  leave(): void;
}

/** Room that we have: since when it is in use, and since when it is not. */
interface Held {
  since: number;
  freeSince?: number;
  node?: string;
}

/**
 * Lets trials go to the cluster in their order: as many as it has room for, and one more, which waits inside Ray. What
 * waits there cannot be taken back, so that all others wait here; but it is all that an autoscaler sees, and nothing
 * tells whether a cluster has one. What the cluster tells is some seconds old, so that room which a trial of ours leaves
 * goes to the one inside Ray or to the next one here, and what ours took since is counted too.
 */
export class Gate {
  readonly #look: (signal: AbortSignal) => Promise<ClusterResources>;
  readonly #needs: Readonly<Record<string, number>>;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #queueMs: number;
  readonly #held = new Set<Held>();
  /** What waits inside Ray. */
  #calling: Held | undefined;
  /** When the last trial of ours left its room. */
  #usedUntil = -Infinity;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(
    look: (signal: AbortSignal) => Promise<ClusterResources>,
    asked: TrialResources & Pick<Options, "queueSeconds">,
  ) {
    this.#look = look;
    this.#needs = needsOf(asked);
    this.#labels = asked.labelSelector ?? {};
    this.#queueMs = asked.queueSeconds * 1000;
  }

  /** Room for a trial that waits since then; undefined where there was none in time. Throws the signal's reason. */
  enter(since: number, signal: AbortSignal): Promise<Room | undefined> {
    const entered = this.#queue.then(async () => {
      while (this.leftMs(since) > 0) {
        signal.throwIfAborted();
        const room = await this.#tryEnter(signal);
        if (room) return room;
        await sleep(lookEveryMs, undefined, { signal });
      }
      return undefined;
    });
    this.#queue = entered.catch(() => undefined);
    return entered;
  }

  /** For how long a trial that waits since then goes on waiting. While ours hold room its time stands still. */
  leftMs(since: number): number {
    const now = performance.now();
    const isInUse = [...this.#held].some((held) => held !== this.#calling && held.freeSince === undefined);
    const waitedMs = isInUse ? 0 : now - Math.max(since, this.#usedUntil);
    return Math.max(0, this.#queueMs - waitedMs);
  }

  /** Room for a trial that is on the cluster already, and perhaps waits there. */
  adopt(isWaiting: boolean): Room {
    return this.#take(isWaiting && this.#calling === undefined);
  }

  /** Whether the cluster has a node that could hold a trial if it were free. */
  async hasNode(signal: AbortSignal): Promise<boolean> {
    return this.#fitting(await this.#nodes(signal), ({ total }) => total) > 0;
  }

  /** Whether what waits inside Ray may have a node by now, and be set up there: nothing of its kind is told to wait. */
  async mayHaveNode(signal: AbortSignal): Promise<boolean> {
    const { waiting = [] } = await this.#look(signal);
    const needs = Object.entries(this.#needs);
    const isOurs = waiting.some(({ resources }) => needs.every(([name, need]) => resources[name] === need));
    return !isOurs && (await this.hasNode(signal));
  }

  async #tryEnter(signal: AbortSignal): Promise<Room | undefined> {
    const isAsking = Object.keys(this.#needs).length > 0 || Object.keys(this.#labels).length > 0;
    if (!isAsking) return this.#take();
    const nodes = await this.#nodes(signal);
    const now = performance.now();
    for (const left of this.#held) {
      if (left.freeSince === undefined) continue;
      this.#held.delete(left);
      const isThere = left.node === undefined || nodes.some(({ nodeId }) => nodeId === left.node);
      if (isThere && now - left.freeSince < settleMs) return this.#take();
    }
    const isTold = nodes.every(({ available }) => available !== undefined);
    const isUnseen = (held: Held): boolean => held === this.#calling || !isTold || now - held.since < settleMs;
    const free = this.#fitting(nodes, ({ total, available }) => available ?? total);
    if (free - [...this.#held].filter(isUnseen).length >= 1) return this.#take();
    return this.#calling ? undefined : this.#take(true);
  }

  /** The nodes that a trial may run on. */
  async #nodes(signal: AbortSignal): Promise<ClusterNode[]> {
    return (await this.#look(signal)).nodes.filter((node) => node.isAlive && hasLabels(node, this.#labels));
  }

  /** How many trials fit into these amounts of the nodes. */
  #fitting(nodes: readonly ClusterNode[], amounts: (node: ClusterNode) => Readonly<Record<string, number>>): number {
    return nodes.reduce((sum, node) => sum + timesFitting(amounts(node), this.#needs), 0);
  }

  #take(isCall = false): Room {
    const held: Held = { since: performance.now() };
    this.#held.add(held);
    if (isCall) this.#calling = held;
    const isCalling = (): boolean => this.#calling === held;
    return {
      get isCall() {
        return isCalling();
      },
      started: (node) => {
        held.node = node ?? undefined;
        if (!isCalling()) return;
        held.since = performance.now();
        this.#calling = undefined;
      },
      leave: () => {
        if (this.#calling) this.#held.delete(held); // it had none, or Ray gives it to the one that waits there
        if (isCalling()) this.#calling = undefined;
        else this.#usedUntil = held.freeSince = performance.now();
      },
    };
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
