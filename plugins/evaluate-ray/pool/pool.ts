import { setTimeout as sleep } from "node:timers/promises";
import { BilevelError, messageOf } from "../../../core/index.ts";
import type { Ground } from "../backend.ts";
import { amountsText, describeCluster } from "../cluster.ts";
import { needsOf } from "../gate.ts";
import { HttpChannel, type Channel } from "./channel.ts";
import { endPool, openPool, stateOf } from "./job.ts";

/** A pool that answered. */
export interface OpenPool {
  /** Its job's submission id. */
  readonly id: string;
  readonly channel: Channel;
}

/** For how long a cluster that is away is waited for, and a pool whose job still runs but that does not answer. */
const patienceMs = { cluster: 600_000, pool: 120_000 };
const reachMs = 10_000;
const askAgainMs = 500;
const healthEveryMs = 5000;
/** Without a worker for so long, the demand is told. */
const tellAfterMs = 15_000;

/** The run's pool: started when it is first needed, found again by a later process, started anew when it is gone. */
export class Pool {
  readonly #ground: Ground;
  #opened: Promise<OpenPool> | undefined;
  #asked: { pool: OpenPool; answer: Promise<boolean> } | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Since when there has been no worker. */
  #emptySince: number | undefined;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** The pool, once it answers. Waits for a cluster that is away; throws where waiting does not help. */
  open(signal: AbortSignal): Promise<OpenPool> {
    this.#opened ??= this.#open(signal).catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  /** Whether a pool that did not answer is gone, and what ran there with it; false once it answers again. */
  isGone(pool: OpenPool): Promise<boolean> {
    if (this.#asked?.pool !== pool) {
      const answer = this.#ask(pool).finally(() => (this.#asked = undefined));
      this.#asked = { pool, answer };
    }
    return this.#asked.answer;
  }

  /** No node has had room for a single worker for as long as a trial may wait. */
  get hasNoRoom(): boolean {
    const { queueSeconds } = this.#ground.options;
    return this.#emptySince !== undefined && performance.now() - this.#emptySince > queueSeconds * 1000;
  }

  /** What there is no room for, and what the cluster has. */
  async describeLack(): Promise<string> {
    const { client, options } = this.#ground;
    const labels = options.labelSelector ? ` and the labels ${JSON.stringify(options.labelSelector)}` : "";
    const needs = amountsText(needsOf(options)) + labels;
    const waited = `no node had room for it within ${options.queueSeconds} s`;
    return `${waited}; it needs ${needs}; the cluster has ${describeCluster(await client.getClusterResources())}`;
  }

  /** The outcome of a trial is safe. A pool that cannot be told keeps the trial until its own end. */
  async forget(id: string, key: string): Promise<void> {
    const pool = await this.#opened?.catch(() => undefined);
    if (pool?.id === id) await pool.channel.forget(key).catch(() => undefined);
  }

  /** Ends the pool's job. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await endPool(this.#ground);
  }

  async #open(signal: AbortSignal): Promise<OpenPool> {
    const { run, options } = this.#ground;
    for (const started = performance.now(), told = new Set(); ; told.add("away")) {
      try {
        const { id, token, host, port } = await openPool(this.#ground, signal);
        const address = options.pool.address ?? `http://${host}:${port}`;
        const pool = { id, channel: new HttpChannel(address, token) };
        await this.#reach(pool, address, signal);
        this.#watch(pool);
        return pool;
      } catch (error) {
        const { kind } = error as { kind?: string };
        const isAway = kind === "infrastructure" || kind === "timeout";
        if (!isAway || signal.aborted || performance.now() - started > patienceMs.cluster) throw error;
        if (told.size === 0) run.notice("the pool could not be started; it is tried again", messageOf(error));
        await sleep(askAgainMs, undefined, { signal });
      }
    }
  }

  /**
   * Waits for the first answer of a pool that said where it listens.
   * @throws E_CLUSTER where its port cannot be reached from here
   */
  async #reach({ id, channel }: OpenPool, address: string, signal: AbortSignal): Promise<void> {
    for (const started = performance.now(); ; await sleep(askAgainMs, undefined, { signal })) {
      const failure = await channel.health().then(
        () => undefined,
        (error: unknown) => messageOf(error),
      );
      if (failure === undefined) return;
      if ((await stateOf(this.#ground.client, id, signal)) === "gone") {
        const { InfrastructureError } = await import("#ray-node-client");
        throw new InfrastructureError("JOB_INTERRUPTED", `the pool (job ${id}) ended at once: ${failure}`);
      }
      if (performance.now() - started > reachMs)
        throw new BilevelError("E_CLUSTER", "the pool runs on the cluster, but its port cannot be reached from here", {
          path: "evaluator.pool",
          received: `${address}: ${failure}`,
          hint: 'lead a port to it, pool: { port: 8100, address: "http://localhost:8100" }, or take mode: "jobs"',
        });
    }
  }

  /** Keeps the pool alive, and tells what the cluster has no room for. */
  #watch({ channel }: OpenPool): void {
    clearInterval(this.#timer);
    this.#emptySince = performance.now();
    this.#timer = setInterval(() => void this.#look(channel).catch(() => undefined), healthEveryMs).unref();
  }

  async #look(channel: Channel): Promise<void> {
    const { workers, trials } = await channel.health();
    if (workers > 0 || trials === 0) this.#emptySince = undefined;
    else this.#emptySince ??= performance.now();
    if (this.#emptySince === undefined || performance.now() - this.#emptySince < tellAfterMs) return;
    const { client, options, tell } = this.#ground;
    const cluster = describeCluster(await client.getClusterResources());
    const needs = amountsText(needsOf(options));
    tell("call", `no node can hold a worker (${needs}) yet: they wait in Ray, where an autoscaler sees them`, cluster);
  }

  async #ask(pool: OpenPool): Promise<boolean> {
    for (const started = performance.now(); ; await sleep(askAgainMs)) {
      const isThere = await pool.channel.health().then(
        () => true,
        () => false,
      );
      if (isThere) return false;
      const state = await stateOf(this.#ground.client, pool.id).catch(() => "unknown");
      if (state !== "gone" && performance.now() - started < patienceMs.pool) continue;
      if ((await this.#opened?.catch(() => undefined)) === pool) this.#opened = undefined;
      return true;
    }
  }
}
