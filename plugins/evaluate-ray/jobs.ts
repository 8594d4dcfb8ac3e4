import type { JobInfo, Package, RayError } from "#ray-node-client";
import type { Evaluation, Outcome, TaskChange, Trial } from "../../core/index.ts";
import { messageOf } from "../../core/index.ts";
import { specFor, type Backend, type Ground } from "./backend.ts";
import { amountsText, describeCluster, describeLack, lostTo } from "./cluster.ts";
import { follow, slackMs, type TrialJob } from "./follow.ts";
import { checkInstallation } from "./installation.ts";
import { Gate, needsOf, type Room } from "./gate.ts";
import { newJobId, removeJob, submitTrial } from "./submission.ts";
import { packTask } from "./task-package.ts";

/** So often a trial is submitted anew whose packages the cluster forgot between their upload and their use. */
const mostAttempts = 3;

/** So long a job waits inside Ray before it is sent anew: Ray gives it up itself after 15 minutes, unless told otherwise. */
const longestCallMs = 1_200_000;

/** Where the task lies in its package. */
const taskFolder = "bilevel_task";

/** Runs each trial as a Ray job of its own. */
export class Jobs implements Backend {
  readonly #ground: Ground;
  readonly #gate: Gate;
  /** Jobs of trials whose outcome is not journaled yet: until then a resumed run needs them. */
  readonly #jobs = new Map<number, TrialJob[]>();
  readonly #removals = new Set<Promise<void>>();
  #base: Promise<Package> | undefined;

  constructor(ground: Ground) {
    this.#ground = ground;
    this.#gate = new Gate((signal) => ground.client.getClusterResources({ signal }), ground.options);
    const own = ground.run.config.levels[0]?.name;
    ground.run.on(({ type, level, trial }) => {
      if (type !== "outcome" || level !== own || typeof trial !== "number") return;
      for (const job of this.#jobs.get(trial) ?? []) this.#remove(job);
      this.#jobs.delete(trial);
    });
  }

  async evaluate(trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>): Promise<Outcome> {
    const started = performance.now();
    try {
      return (await this.#adopted(trial, evaluation)) ?? (await this.#begun(trial, evaluation));
    } catch (error) {
      const seconds = (performance.now() - started) / 1000;
      if (evaluation.signal.aborted) return { status: "cancelled", reason: "the run was stopped", seconds };
      return lostTo(error, seconds);
    }
  }

  /** Resolves when the jobs of all trials whose outcome is journaled are gone. */
  async close(unheard: readonly number[]): Promise<readonly string[]> {
    await Promise.all(this.#removals);
    return unheard.flatMap((trial) => this.#jobs.get(trial) ?? []).map(({ job }) => job);
  }

  /** Goes on with the job of an earlier process; undefined where there is none that still tells anything. */
  async #adopted(trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>): Promise<Outcome | undefined> {
    const { job, frame, limitSeconds = null } = (evaluation.handed ?? {}) as Partial<TrialJob>;
    if (job === undefined || frame === undefined) return undefined;
    const { client } = this.#ground;
    const found = await client.getJobInfo(job, { signal: evaluation.signal }).catch((error: unknown) => {
      if ((error as { code?: string }).code === "NOT_FOUND") return undefined; // never arrived, or gone with its head
      throw error;
    });
    if (!found) return undefined;
    const room = this.#gate.adopt(found.status === "PENDING");
    try {
      const ended = await this.#run(evaluation, trial.id, { job, frame, limitSeconds }, room, performance.now());
      if (isOutcome(ended)) return ended;
      return waitedInVain(ended) ? undefined : withoutWord(ended);
    } finally {
      room.leave();
    }
  }

  /** Waits for room and runs the trial there; anew where its job did not start through no fault of its own. */
  async #begun(trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>): Promise<Outcome> {
    const since = performance.now();
    const room = await this.#gate.enter(since, evaluation.signal);
    if (!room) return this.#noRoom(evaluation.signal);
    try {
      for (let attempt = 1; this.#gate.leftMs(since) > 0;) {
        const ended = await this.#submitted(trial, evaluation, room, since);
        if (isOutcome(ended)) return ended;
        if (waitedInVain(ended) || (lacksPackage(ended) && attempt++ < mostAttempts)) continue;
        checkInstallation(ended, this.#ground.options, evaluation.view);
        return withoutWord(ended);
      }
      return await this.#noRoom(evaluation.signal);
    } finally {
      room.leave();
    }
  }

  /** Journals a new job, submits it and follows it. */
  async #submitted(
    trial: Trial<TaskChange>,
    evaluation: Evaluation<TaskChange>,
    room: Room,
    since: number,
  ): Promise<Outcome | JobInfo> {
    const { signal } = evaluation;
    const { options } = this.#ground;
    const base = await (this.#base ??= packTask(this.#ground.frozen, taskFolder));
    if (room.isCall) await this.#tellOfCall(signal);
    const startBefore =
      (Date.now() + (room.isCall ? longestCallMs : 0) + options.setupSeconds * 1000 + 2 * slackMs) / 1000;
    // Ray leaves all devices to a job that asks for none
    const env: Record<string, string> = options.numGpus > 0 ? {} : { CUDA_VISIBLE_DEVICES: "" };
    const spec = await specFor(this.#ground, trial, evaluation, { startBefore, env });
    if ("refused" in spec) return { status: "crashed", kind: "refused", reason: spec.refused, seconds: 0 };
    const job = { job: newJobId(this.#ground, trial.id), frame: spec.frame, limitSeconds: spec.limitSeconds };
    await evaluation.handle({ ...job });
    const submit = () => submitTrial(this.#ground, job.job, trial.id, { ...spec, base: taskFolder }, base, signal);
    return this.#run(evaluation, trial.id, job, room, since, submit);
  }

  /** Submits a job, if it is a new one, and follows it to its end; gives it back where it had no word, or never began. */
  async #run(
    evaluation: Evaluation<TaskChange>,
    trial: number,
    job: TrialJob,
    room: Room,
    since: number,
    submit?: () => Promise<void>,
  ): Promise<Outcome | JobInfo> {
    this.#jobs.set(trial, [...(this.#jobs.get(trial) ?? []), job]);
    const sent = performance.now();
    let queuedSeconds = 0;
    try {
      await submit?.();
      if (room.isCall) await this.#waitForNode(job, since, evaluation.signal);
      const onStart = (started: JobInfo): void => {
        if (waitedInVain(started)) return;
        queuedSeconds = (performance.now() - sent) / 1000;
        room.started(started.driverNodeId);
      };
      const pendingMs = this.#ground.options.setupSeconds * 1000 + slackMs;
      const ended = await follow(this.#ground, evaluation, job, { pendingMs, onStart });
      if (!isOutcome(ended)) return ended;
      return { ...ended, ...(ended.where ? { where: { ...ended.where, queuedSeconds } } : {}) };
    } catch (error) {
      const { code, job: waiting } = error as Partial<RayError>;
      if (code !== "WAIT_TIMEOUT") throw error;
      if (room.isCall && waiting) {
        this.#remove(job); // it must not start any more
        return waiting;
      }
      const resources = await this.#ground.client.getClusterResources({ signal: evaluation.signal });
      return lost(`${messageOf(error)} The cluster has ${describeCluster(resources)}`);
    }
  }

  async #tellOfCall(signal: AbortSignal): Promise<void> {
    const { client, options, tell } = this.#ground;
    if (await this.#gate.hasNode(signal)) return;
    const needs = amountsText(needsOf(options));
    const cluster = describeCluster(await client.getClusterResources({ signal }));
    tell("call", `no node can hold a trial (${needs}) yet: one waits in Ray, where an autoscaler sees it`, cluster);
  }

  /** Waits until a job has begun or, after its trial's time, may be under way to that; else throws. */
  async #waitForNode({ job }: TrialJob, since: number, signal: AbortSignal): Promise<void> {
    const until = ({ status }: JobInfo): boolean => status !== "PENDING";
    const called = performance.now();
    for (;;) {
      const timeoutMs = Math.min(this.#gate.leftMs(since), called + longestCallMs - performance.now());
      try {
        await this.#ground.client.waitForJob(job, { until, timeoutMs, pollMs: 500, signal });
        return;
      } catch (error) {
        if ((error as { code?: string }).code !== "WAIT_TIMEOUT") throw error;
        if (this.#gate.leftMs(since) > 0 && performance.now() - called < longestCallMs) continue;
        if (await this.#gate.mayHaveNode(signal)) return;
        throw error;
      }
    }
  }

  async #noRoom(signal: AbortSignal): Promise<Outcome> {
    const { options, client } = this.#ground;
    return lost(describeLack(options, await client.getClusterResources({ signal })));
  }

  #remove({ job, frame }: TrialJob): void {
    const removal = removeJob(this.#ground.client, job, frame).finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }
}

const lost = (reason: string): Outcome => ({ status: "lost", reason, seconds: 0 });

const isOutcome = (ended: Outcome | JobInfo): ended is Outcome => !("entrypoint" in ended);

/** Its turn did not come: it waits still, or Ray gave it up. */
const waitedInVain = ({ status, errorType }: JobInfo): boolean =>
  status === "PENDING" || errorType === "JOB_SUPERVISOR_ACTOR_START_TIMEOUT";

/** Its packages were gone when its node wanted them. */
const lacksPackage = ({ errorType, message }: JobInfo): boolean =>
  errorType === "RUNTIME_ENV_SETUP_FAILURE" && /gcs:\/\//.test(message ?? "");

/** A job that ended without a word of its runner: something on the cluster ended it, or it never began. */
function withoutWord({ status, message, errorType, driverExitCode }: JobInfo): Outcome {
  const [first = "", ...others] = (message ?? "").split("\n").filter((line) => line.trim() !== "");
  const said = [first, others.at(-1) ?? ""].map((line) => line.slice(0, 300)).join(" … ");
  const killed = driverExitCode !== null && driverExitCode < 0;
  const what =
    status === "STOPPED"
      ? "it was stopped on the cluster, by someone else"
      : killed
        ? "its runner was killed on the cluster"
        : `its job ended without a result (${errorType ?? status})`;
  return lost(status === "STOPPED" ? what : `${what}: ${said}`);
}
