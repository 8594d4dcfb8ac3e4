import { setTimeout as sleep } from "node:timers/promises";
import { InfrastructureError, TimeoutError, type JobSubmissionClient } from "ray-node-client";
import type { Run } from "../../../core/index.ts";
import { BilevelError, messageOf } from "../../../core/index.ts";
import { HttpChannel, type Channel } from "./channel.ts";
import { endPool, openPool, stateOf, type PoolPlan } from "./job.ts";

/** A pool that answered. */
export interface OpenPool {
  /** Its job's submission id. */
  id: string;
  address: string;
  channel: Channel;
}

const healthEveryMs = 5000;
/** For how long a cluster that is away is waited for, and a pool whose job still runs but that does not answer. */
const patienceMs = { cluster: 600_000, pool: 120_000 };
const askAgainMs = 500;
const reachAttempts = 10;

/** The run's pool: started when it is first needed, found again by a later process, started anew when it is gone. */
export class Pool {
  readonly #client: JobSubmissionClient;
  readonly #run: Run;
  readonly #plan: PoolPlan;
  readonly #address: string | undefined;
  #opened: Promise<OpenPool> | undefined;
  #questions = new Map<OpenPool, Promise<boolean>>();
  #timer: NodeJS.Timeout | undefined;
  #told: number;

  /** `address`: where its driver is reached, if not at its node's own address. */
  constructor(client: JobSubmissionClient, run: Run, plan: PoolPlan, address?: string) {
    this.#client = client;
    this.#run = run;
    this.#plan = plan;
    this.#address = address;
    this.#told = plan.slots;
  }

  /** The pool, once it answers. Waits for a cluster that is away; throws a `RayError` where waiting does not help. */
  open(signal: AbortSignal): Promise<OpenPool> {
    this.#opened ??= this.#open(signal).catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  /** Whether a pool that did not answer is gone, and what ran there with it; false once it answers again. */
  isGone(pool: OpenPool): Promise<boolean> {
    const asked = this.#questions.get(pool) ?? this.#ask(pool).finally(() => this.#questions.delete(pool));
    this.#questions.set(pool, asked);
    return asked;
  }

  /** The outcome of a trial is safe. */
  async forget(id: string, key: string): Promise<void> {
    const pool = await this.#opened?.catch(() => undefined);
    if (pool?.id === id) await pool.channel.forget(key).catch(() => undefined); // kept until the pool's end, then
  }

  /** Ends the pool's job, and leaves nothing of it on the cluster. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await endPool(this.#client, this.#run.folder);
  }

  async #open(signal: AbortSignal): Promise<OpenPool> {
    const started = performance.now();
    for (let isTold = false; ; ) {
      try {
        const job = await openPool(this.#client, this.#run.folder, this.#plan, signal);
        const address = this.#address ?? `http://${job.host}:${job.port}`;
        const pool = { id: job.id, address, channel: new HttpChannel(address, job.token) };
        await this.#reach(pool, signal);
        this.#watch(pool);
        return pool;
      } catch (error) {
        const isPassing = error instanceof InfrastructureError || error instanceof TimeoutError;
        if (!isPassing || signal.aborted || performance.now() - started > patienceMs.cluster) throw error;
        if (!isTold) this.#run.notice("the cluster is away: waiting for it", messageOf(error));
        isTold = true;
        await sleep(askAgainMs, undefined, { signal });
      }
    }
  }

  /**
   * Waits for the first answer of a pool that said where it listens.
   * @throws E_INFRASTRUCTURE where its port cannot be reached from here
   */
  async #reach({ id, channel, address }: OpenPool, signal: AbortSignal): Promise<void> {
    for (let left = reachAttempts; ; left--) {
      try {
        return void (await channel.health());
      } catch (error) {
        signal.throwIfAborted();
        if ((await stateOf(this.#client, id, signal)) === "gone")
          throw new InfrastructureError("JOB_INTERRUPTED", `the pool (job ${id}) ended at once`, { cause: error });
        if (left === 0)
          throw new BilevelError("E_INFRASTRUCTURE", `the pool runs on the cluster, but cannot be reached at ${address}`, {
            received: messageOf(error),
            hint: 'forward a port to the head, and say so: evaluateRay({ pool: { port: 8100, address: "http://localhost:8100" } }); or mode: "jobs"',
          });
        await sleep(askAgainMs, undefined, { signal });
      }
    }
  }

  /** Keeps the pool alive, and tells when its size changes. */
  #watch({ channel }: OpenPool): void {
    clearInterval(this.#timer);
    let before: number | undefined;
    const look = async (): Promise<void> => {
      const { workers, slots } = await channel.health();
      const isSettled = workers === before;
      before = workers;
      if (!isSettled || workers === this.#told) return;
      this.#told = workers;
      this.#run.notice("the pool has changed its size", `${workers} of ${slots} workers: as many as the cluster holds`);
    };
    this.#timer = setInterval(() => void look().catch(() => undefined), healthEveryMs).unref();
  }

  async #ask(pool: OpenPool): Promise<boolean> {
    for (const started = performance.now(); ; await sleep(askAgainMs)) {
      if (await isAnswering(pool.channel)) return false;
      const state = await stateOf(this.#client, pool.id).catch(() => "unknown");
      if (state !== "gone" && performance.now() - started < patienceMs.pool) continue;
      if ((await this.#opened?.catch(() => undefined)) === pool) this.#opened = undefined;
      return true;
    }
  }
}

const isAnswering = (channel: Channel): Promise<boolean> =>
  channel.health().then(
    () => true,
    () => false,
  );
