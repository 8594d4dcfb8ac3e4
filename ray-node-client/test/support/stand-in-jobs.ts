import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { unzipSync } from "fflate";
import { modesOf } from "./zip-modes.ts";

interface Body {
  entrypoint?: unknown;
  submission_id?: string;
  runtime_env?: { working_dir?: string; env_vars?: Record<string, string> };
  metadata?: Record<string, string>;
  entrypoint_num_gpus?: number;
}

export interface StandInJob {
  id: string;
  body: Body;
  status: string;
  message: string;
  errorType: string | null;
  exitCode: number | null;
  startTime: number;
  endTime: number | null;
  log: Buffer[];
  child: ChildProcess | undefined;
  isStopAsked: boolean;
  folder: string | undefined;
}

const knownKeys = [
  ...["entrypoint", "submission_id", "job_id", "runtime_env", "metadata", "entrypoint_num_cpus", "entrypoint_num_gpus"],
  ...["entrypoint_memory", "entrypoint_resources", "entrypoint_label_selector"],
];

const headNode = { node_id: "node-1", node_ip: "127.0.0.1", state: "ALIVE" } as const;

/** The jobs of a stand-in: entrypoints run by `/bin/sh -c`, and GPUs that they wait for. */
export class StandInJobs {
  /** Nodes beside the head's, of one CPU each, half of which is in use. */
  readonly otherNodes: { node_id: string; node_ip: string; state: "ALIVE" | "DEAD" }[] = [];
  /** By what nodes are named where their load is told: an autoscaler's by their addresses. False: it is not told. */
  loadBy: "node_id" | "node_ip" | false = "node_id";
  readonly #jobs = new Map<string, StandInJob>();
  readonly #packages: ReadonlyMap<string, Buffer>;
  readonly #gpus: number;
  readonly #startTimeoutMs: number;
  /** Logs outlive their jobs (1.20). */
  readonly #logs = new Map<string, Buffer[]>();

  constructor(packages: ReadonlyMap<string, Buffer>, options: { gpus?: number; startTimeoutMs?: number }) {
    this.#packages = packages;
    this.#gpus = options.gpus ?? 0;
    this.#startTimeoutMs = options.startTimeoutMs ?? 900_000;
  }

  find(id: string): StandInJob | undefined {
    return this.#jobs.get(id);
  }

  list(): object[] {
    return [...this.#jobs.values()].map((job) => this.wire(job));
  }

  /** 1.3, 1.12, 2.2: unknown keys are 400, a duplicate is a 500 that holds a 400. */
  submit(text: string): { status: number; text: string } {
    let body: Body;
    try {
      body = JSON.parse(text) as Body;
    } catch {
      return { status: 500, text: "500 Internal Server Error\n\nServer got itself in trouble" };
    }
    const unknown = Object.entries(body).find(([key, value]) => value !== null && !knownKeys.includes(key));
    if (unknown) return { status: 400, text: `got an unexpected keyword argument '${unknown[0]}'` };
    if (typeof body.entrypoint !== "string") return { status: 400, text: "entrypoint must be a string" };
    const id = body.submission_id || `raysubmit_${this.#jobs.size}`;
    if (this.#jobs.has(id)) {
      const cause = `ValueError: Job with submission_id ${id} already exists. Please use a different submission_id.`;
      return {
        status: 500,
        text: `Traceback …\nRuntimeError: Request failed with status code 400: Traceback …\n${cause}`,
      };
    }
    const log = this.#logs.get(id) ?? [];
    this.#logs.set(id, log);
    const rest = {
      errorType: null,
      exitCode: null,
      endTime: null,
      child: undefined,
      isStopAsked: false,
      folder: undefined,
    };
    const message = "Job has not started yet.";
    const job: StandInJob = { id, body, status: "PENDING", message, startTime: Date.now(), log, ...rest };
    this.#jobs.set(id, job);
    setTimeout(() => this.#schedule(), 20).unref();
    setTimeout(() => {
      if (job.status !== "PENDING") return;
      this.#fail(job, "JOB_SUPERVISOR_ACTOR_START_TIMEOUT", `Job supervisor actor failed to start within the time`);
    }, this.#startTimeoutMs).unref();
    return { status: 200, text: JSON.stringify({ job_id: id, submission_id: id }) };
  }

  /** 2.8: a pending job says that it was stopped, and waits on; once it starts it is stopped then. */
  stop(job: StandInJob): boolean {
    if (job.endTime !== null) return false;
    job.isStopAsked = true;
    if (job.child) this.#signal(job);
    return true;
  }

  delete(job: StandInJob): boolean {
    if (job.endTime === null) return false;
    return this.#jobs.delete(job.id);
  }

  killAll(): void {
    for (const job of this.#jobs.values()) {
      if (job.endTime === null) end(job, "SIGKILL");
      job.endTime ??= 0;
      if (job.folder !== undefined) rmSync(job.folder, { recursive: true, force: true });
    }
    this.#jobs.clear();
    this.#logs.clear();
  }

  /** 1.13: what is told of a job. */
  wire(job: StandInJob): object {
    const isStarted = job.child !== undefined;
    return {
      ...{ type: "SUBMISSION", job_id: null, submission_id: job.id, driver_info: null, status: job.status },
      ...{ entrypoint: job.body.entrypoint, message: job.message, error_type: job.errorType },
      ...{ start_time: job.startTime, end_time: job.endTime, driver_exit_code: job.exitCode },
      ...{ metadata: job.body.metadata ?? {}, runtime_env: job.body.runtime_env ?? {} },
      driver_agent_http_address: isStarted ? "http://127.0.0.1:0" : null,
      driver_node_id: isStarted ? "node-1" : null,
    };
  }

  /** 1.17: dead ones too, and a hundred at most, unless asked otherwise. */
  nodes(query: URLSearchParams): object[] {
    const total = { CPU: 4, GPU: this.#gpus, object_store_memory: 1e8, my_own: 3 };
    const others = this.otherNodes.map((node) => ({ ...node, is_head_node: false, resources_total: { CPU: 1 } }));
    const all = [...others, { ...headNode, is_head_node: true, resources_total: total }];
    const fitting = all.filter(
      (node) => query.get("filter_keys") !== "state" || node.state === query.get("filter_values"),
    );
    return fitting.slice(0, Number(query.get("limit") ?? 100)).map((node) => ({ ...node, labels: {} }));
  }

  /** 1.17: names in another form than those of the nodes. */
  load(): object | null {
    const by = this.loadBy;
    if (by === false) return null;
    const usage = { CPU: [0, 4], GPU: [this.#used(), this.#gpus], objectStoreMemory: [0, 1e8], myOwn: [1, 3] };
    const waiting = [...this.#jobs.values()].filter((job) => job.status === "PENDING");
    const resourceDemand = waiting.map((job) => [{ GPU: job.body.entrypoint_num_gpus ?? 0 }, 1]);
    const alive = this.otherNodes.filter(({ state }) => state === "ALIVE");
    const others = Object.fromEntries(alive.map((node) => [node[by], { CPU: [0.5, 1] }]));
    return { usage, usageByNode: { [headNode[by]]: usage, ...others }, resourceDemand };
  }

  #used(): number {
    const running = [...this.#jobs.values()].filter((job) => job.status === "RUNNING");
    return running.reduce((sum, job) => sum + (job.body.entrypoint_num_gpus ?? 0), 0);
  }

  #schedule(): void {
    for (const job of this.#jobs.values()) {
      if (job.status === "PENDING" && (job.body.entrypoint_num_gpus ?? 0) <= this.#gpus - this.#used())
        this.#begin(job);
    }
  }

  #begin(job: StandInJob): void {
    const { working_dir: uri, env_vars: variables = {} } = job.body.runtime_env ?? {};
    if (uri !== undefined) {
      const bytes = this.#packages.get(uri.slice("gcs://".length));
      if (bytes === undefined) {
        return this.#fail(job, "RUNTIME_ENV_SETUP_FAILURE", `runtime_env setup failed: no package ${uri}`);
      }
      job.folder = unpack(bytes);
    }
    job.log.push(
      Buffer.from(`job_manager.py -- Runtime env is setting up.\nRunning entrypoint for job ${job.id}: x\n`),
    );
    job.status = "RUNNING";
    job.message = "Job is currently running.";
    const env = { ...process.env, ...variables };
    const child = spawn("/bin/sh", ["-c", String(job.body.entrypoint)], {
      cwd: job.folder,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    job.child = child;
    child.stdout.on("data", (data: Buffer) => job.log.push(data));
    child.stderr.on("data", (data: Buffer) => job.log.push(data));
    child.on("close", (code) => this.#finish(job, code, child.signalCode));
    if (job.isStopAsked) setTimeout(() => this.#signal(job), 100);
  }

  #signal(job: StandInJob): void {
    end(job, "SIGTERM");
    const graceSeconds = Number(job.body.runtime_env?.env_vars?.RAY_JOB_STOP_WAIT_TIME_S ?? 3); // 5.3
    setTimeout(() => job.endTime === null && end(job, "SIGKILL"), graceSeconds * 1000).unref();
  }

  /** 2.5: what each end looks like. */
  #finish(job: StandInJob, code: number | null, signal: string | null): void {
    if (job.endTime !== null) return;
    job.endTime = Date.now();
    if (job.isStopAsked) {
      job.status = "STOPPED";
      job.message = "Job was intentionally stopped.";
    } else if (code === 0) {
      [job.status, job.message, job.exitCode] = ["SUCCEEDED", "Job finished successfully.", 0];
    } else {
      job.exitCode = code ?? (signal === "SIGKILL" ? -9 : -15);
      const message = `Job entrypoint command failed with exit code ${job.exitCode}, last available logs`;
      this.#fail(job, "JOB_ENTRYPOINT_COMMAND_ERROR", message);
    }
    this.#schedule();
  }

  #fail(job: StandInJob, errorType: string, message: string): void {
    Object.assign(job, { status: "FAILED", errorType, message });
    job.endTime ??= Date.now();
  }
}

/** Signals go to the whole group. */
function end(job: StandInJob, signal: NodeJS.Signals): void {
  try {
    if (job.child?.pid !== undefined) process.kill(-job.child.pid, signal);
  } catch {
    // gone already
  }
}

function unpack(bytes: Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), "stand-in-"));
  const modes = modesOf(bytes);
  for (const [path, content] of Object.entries(unzipSync(bytes))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    if (!path.endsWith("/")) writeFileSync(join(folder, path), content, { mode: modes[path] ?? 0o644 });
  }
  return folder;
}
