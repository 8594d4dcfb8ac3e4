import { setTimeout as sleep } from "node:timers/promises";
import { BilevelError, messageOf } from "../../../core/index.ts";
import type { Ground } from "../backend.ts";
import { amountsText, describeCluster, describeLack } from "../cluster.ts";
import { needsOf } from "../gate.ts";
import { HttpChannel, type Channel } from "./channel.ts";
import { DashboardChannel } from "./dashboard-channel.ts";
import { endPool, mailboxOf, openPool, stateOf } from "./job.ts";

/** A pool that answered, and the ways to it. */
export interface OpenPool {
  /** Its job's submission id. */
  readonly id: string;
  /** The way on which it answered last: one of those below. */
  channel: Channel;
  /** Over HTTP to its driver. */
  readonly straight: Channel;
  readonly dashboard: Channel;
  /** Where its driver should be reached. */
  readonly address: string;
}

/** For how long a cluster that is away is waited for, and a pool whose job still runs but that does not answer. */
const patienceMs = { cluster: 600_000, pool: 120_000 };
const reachMs = 30_000;
const askAgainMs = 500;
const healthEveryMs = 5000;
/** Without a worker for so long, the demand is told. */
const tellAfterMs = 15_000;

/** The run's pool: started when it is first needed, found again by a later process, started anew when it is gone. */
export class Pool {
  readonly #ground: Ground;
  readonly #slots: number;
  #opened: Promise<OpenPool> | undefined;
  #asked: { pool: OpenPool; answer: Promise<boolean> } | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #closing = new AbortController();
  /** Since when there has been no worker. */
  #emptySince: number | undefined;
  /** The number of workers that was told last. */
  #workers: number | undefined;

  constructor(ground: Ground) {
    this.#ground = ground;
    this.#slots = ground.run.config.levels[0]?.slots ?? 1;
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
  async describeLack(signal: AbortSignal): Promise<string> {
    return describeLack(this.#ground.options, await this.#ground.client.getClusterResources({ signal }));
  }

  /** The outcome of a trial is safe. A pool that cannot be told keeps the trial until its own end. */
  async forget(id: string, key: string): Promise<void> {
    const pool = await this.#opened?.catch(() => undefined);
    if (pool?.id === id) await pool.channel.forget(key).catch(() => undefined);
  }

  /** Ends the pool's job, unless it is kept. */
  async close({ isKept }: { isKept: boolean }): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    const pool = await this.#opened?.catch(() => undefined);
    await pool?.dashboard.close(); // before the driver ends, which removes what else lies in its mailbox
    if (!isKept) await endPool(this.#ground);
  }

  async #open(signal: AbortSignal): Promise<OpenPool> {
    const { client, run, options } = this.#ground;
    for (const started = performance.now(), told = new Set(); ; told.add("away")) {
      try {
        const { id, token, host, port } = await openPool(this.#ground, signal);
        const address = options.pool.address ?? `http://${host}:${port}`;
        const straight = new HttpChannel(address, token);
        const mailbox = { client, job: id, token, prefix: mailboxOf(this.#ground, id) };
        const pool = { id, address, straight, dashboard: new DashboardChannel(mailbox), channel: straight };
        await this.#reach(pool, signal).catch(async (error: unknown) => {
          await pool.dashboard.close();
          throw error;
        });
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
   * @throws E_CLUSTER where no way leads to it from here
   */
  async #reach(pool: OpenPool, signal: AbortSignal): Promise<void> {
    for (const started = performance.now(); ; await sleep(askAgainMs, undefined, { signal })) {
      const failure = await this.#findWay(pool, signal);
      if (failure === undefined) return;
      if (failure === "gone") {
        const { InfrastructureError } = await import("#ray-node-client");
        throw new InfrastructureError("JOB_INTERRUPTED", `the pool (job ${pool.id}) ended at once`);
      }
      if (performance.now() - started > reachMs)
        throw new BilevelError("E_CLUSTER", "the pool runs on the cluster, but does not answer", {
          path: "evaluator.pool",
          received: `${pool.address}: ${failure}`,
          hint: 'lead a port to it, pool: { port: 8100, address: "http://localhost:8100" }, or take mode: "jobs"',
        });
    }
  }

  /** Takes the way on which the pool answers, the last one first; else gives back why it does not, or "gone". */
  async #findWay(pool: OpenPool, signal: AbortSignal): Promise<string | undefined> {
    const [last, other] = [pool.channel, pool.channel === pool.straight ? pool.dashboard : pool.straight];
    const failure = await this.#failureOf(last);
    if (failure === undefined) return undefined;
    if ((await stateOf(this.#ground.client, pool.id, signal).catch(() => "unknown")) === "gone") return "gone";
    if ((await this.#failureOf(other)) !== undefined) return failure;
    pool.channel = other;
    if (other === pool.dashboard) {
      const text = "the pool's port cannot be reached from here: trials go over the dashboard, and are slower to start";
      this.#ground.tell("way", text, `${pool.address}: ${failure}`);
    }
    return undefined;
  }

  /** Why a pool does not answer on this way; undefined if it does. */
  #failureOf(channel: Channel): Promise<string | undefined> {
    return channel.health(this.#slots).then(
      () => undefined,
      (error: unknown) => messageOf(error),
    );
  }

  /** Keeps the pool alive, and tells what the cluster has no room for. */
  #watch(pool: OpenPool): void {
    clearInterval(this.#timer);
    this.#emptySince = performance.now();
    this.#timer = setInterval(() => void this.#look(pool.channel).catch(() => undefined), healthEveryMs).unref();
  }

  async #look(channel: Channel): Promise<void> {
    const { workers, trials } = await channel.health(this.#slots);
    if (workers !== this.#workers) this.#ground.run.notice(`pool: ${workers} of ${this.#slots} workers`);
    this.#workers = workers;
    if (workers > 0 || trials === 0) this.#emptySince = undefined;
    else this.#emptySince ??= performance.now();
    if (this.#emptySince === undefined || performance.now() - this.#emptySince < tellAfterMs) return;
    const { client, options, tell } = this.#ground;
    const cluster = describeCluster(await client.getClusterResources());
    const needs = amountsText(needsOf(options));
    tell("call", `no node can hold a worker (${needs}) yet: they wait in Ray, where an autoscaler sees them`, cluster);
  }

  async #ask(pool: OpenPool): Promise<boolean> {
    const { signal } = this.#closing;
    for (const started = performance.now(); ; await sleep(askAgainMs, undefined, { signal })) {
      const failure = await this.#findWay(pool, signal);
      if (failure === undefined) return false;
      if (failure !== "gone" && performance.now() - started < patienceMs.pool) continue;
      if ((await this.#opened?.catch(() => undefined)) === pool) this.#opened = undefined;
      void pool.dashboard.close();
      return true;
    }
  }
}
