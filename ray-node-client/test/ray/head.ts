import { spawn } from "node:child_process";
import { randomInt, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { bin } from "./install.ts";
import { endAll, kill, markName, processesOf, type Marks } from "./processes.ts";

export interface HeadOptions {
  /** Logical CPUs, whatever the machine has. */
  cpus?: number;
  /** Logical GPUs: numbers that Ray hands out; no hardware is needed. */
  gpus?: number;
  /** Makes the head ask for this token. */
  token?: string;
  /** Further environment of the head and all that it starts. */
  env?: Readonly<Record<string, string>>;
}

/** What a node that joins has. */
export interface NodeOptions {
  cpus?: number;
  gpus?: number;
  labels?: Record<string, string>;
  resources?: Record<string, number>;
}

/** A node of a cluster that was started beside its head. */
export interface WorkerNode {
  /** Kills the node's processes, as if its machine had died. */
  kill(): Promise<void>;
}

/**
 * A real Ray head on loopback, with its own ports, folder and home. Everything that it starts, drivers of jobs
 * included, is marked, and is ended by its mark: nothing else on the machine is touched.
 */
export class RayHead {
  /** The dashboard's address, for a client. It stays the same over a restart. */
  readonly address: string;
  /** The address that Ray's own processes meet at (`host:port`). */
  readonly gcsAddress: string;
  /** The environment that the head was started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #options: HeadOptions;
  readonly #ports: Readonly<Record<string, number>>;
  readonly #marks: Marks;
  #nodes = 0;

  private constructor(folder: string, options: HeadOptions, ports: Record<string, number>) {
    this.#folder = folder;
    this.#options = options;
    this.#ports = ports;
    this.address = `http://127.0.0.1:${ports["dashboard-port"] ?? 0}`;
    this.gcsAddress = `127.0.0.1:${ports.port ?? 0}`;
    this.#marks = { mark: randomUUID(), sessions: new Set() };
    this.env = { ...environmentOf(folder, options), [markName]: this.#marks.mark };
  }

  /** Resolves when the head takes jobs, some 20 seconds later. */
  static async start(options: HeadOptions = {}): Promise<RayHead> {
    try {
      return await RayHead.#attempt(options);
    } catch {
      return RayHead.#attempt(options); // one of its ports was taken meanwhile, or the machine was too busy
    }
  }

  /** Kills all of the head's processes at once, and leaves its folder for `restart`. */
  async kill(): Promise<void> {
    await endAll(this.#marks);
  }

  /** Starts a killed head again, at the same address, with a new session and nothing in its memory. */
  async restart(): Promise<void> {
    await this.kill();
    await delay(1000); // the watchers of drivers need a moment to notice
    await this.#launch();
  }

  /** Joins a second node to the head's cluster. */
  async addNode(options: NodeOptions = {}): Promise<WorkerNode> {
    const marks: Marks = { mark: `${this.#marks.mark}-node-${++this.#nodes}`, sessions: new Set() };
    const labels = Object.entries(options.labels ?? {}).map(([name, value]) => `${name}=${value}`);
    const resources = `--resources=${JSON.stringify(options.resources ?? {})}`;
    const own = [
      `--address=${this.gcsAddress}`,
      "--node-ip-address=127.0.0.1",
      `--labels=${labels.join(",")}`,
      resources,
    ];
    const all = [joining, "start", ...own, ...flags(await freePorts(portsOfNode), options)];
    await run(bin("python"), { ...this.env, [markName]: marks.mark }, all, [marks, this.#marks]);
    return { kill: () => endAll(marks) };
  }

  /** The head's processes, nodes and jobs included, whose command line has the text. */
  processes(text = ""): number[] {
    return processesOf(this.#marks, text);
  }

  /** Kills those of its processes whose command line has the text; throws where there is none. */
  killProcesses(text: string): void {
    const pids = this.processes(text);
    if (pids.length === 0) throw new Error(`no process of the head is called ${text}`);
    for (const pid of pids) kill(pid);
  }

  /** Ends everything that was started, and removes its folder. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  static async #attempt(options: HeadOptions): Promise<RayHead> {
    const folder = mkdtempSync(join(tmpdir(), "rnc-")); // short: Ray makes sockets below it, whose paths are limited
    mkdirSync(join(folder, "home"));
    const names = ["port", "dashboard-port", "ray-client-server-port", ...portsOfNode];
    const head = new RayHead(folder, options, await freePorts(names));
    try {
      await head.#launch();
      return head;
    } catch (error) {
      await head.stop();
      throw error;
    }
  }

  async #launch(): Promise<void> {
    const own = ["--head", "--dashboard-host=127.0.0.1", `--temp-dir=${join(this.#folder, "ray")}`];
    const all = ["start", ...own, ...flags(this.#ports, this.#options)];
    await run(bin("ray"), this.env, all, [this.#marks]);
  }
}

/** `ray start` for a second node. */
const joining = new URL("join.py", import.meta.url).pathname;
const portsOfNode = [
  "node-manager-port",
  "object-manager-port",
  "dashboard-agent-listen-port",
  "dashboard-agent-grpc-port",
  "runtime-env-agent-port",
  "metrics-export-port",
];

function environmentOf(folder: string, { token, env }: HeadOptions): Record<string, string> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(RAY_|VIRTUAL_ENV|PYTHON|.*_proxy$)/i.test(name));
  return {
    ...(Object.fromEntries(inherited) as Record<string, string>),
    PATH: `${dirname(bin("python"))}:${process.env.PATH ?? ""}`, // so that entrypoints find a Python that has Ray
    HOME: join(folder, "home"), // Ray writes tokens and settings there
    RAY_USAGE_STATS_ENABLED: "0",
    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER: "0", // without it all ports but the dashboard's listen on every address
    RAY_AUTH_MODE: token === undefined ? "disabled" : "token",
    ...(token === undefined ? {} : { RAY_AUTH_TOKEN: token }),
    ...env,
  };
}

function flags(ports: Readonly<Record<string, number>>, { cpus = 4, gpus = 0 }: HeadOptions): string[] {
  return [
    ...Object.entries(ports).map(([name, port]) => `--${name}=${port}`),
    `--num-cpus=${cpus}`,
    `--num-gpus=${gpus}`,
    "--object-store-memory=200000000",
    "--disable-usage-stats",
    "--log-color=false",
  ];
}

/** Runs a command to its end, in a session of its own, which is noted. */
async function run(
  program: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  noted: readonly Marks[],
): Promise<void> {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  for (const { sessions } of noted) if (child.pid !== undefined) sessions.add(child.pid);
  let told = "";
  child.stdout.on("data", (data: Buffer) => (told += data.toString()));
  child.stderr.on("data", (data: Buffer) => (told += data.toString()));
  // not "close": the processes that stay hold the pipes
  const code = await new Promise<number | null>((resolve, reject) => child.on("exit", resolve).on("error", reject));
  child.stdout.destroy();
  child.stderr.destroy();
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code ?? "a signal"}:\n${told}`);
}

/**
 * Ports that were free a moment ago, one per name: above those of Ray's workers, and below those that the system gives
 * to whoever asks for any.
 */
async function freePorts(names: readonly string[]): Promise<Record<string, number>> {
  const ports: Record<string, number> = {};
  for (const name of names) {
    let port = randomInt(20_000, 32_768);
    while (Object.values(ports).includes(port) || !(await isFree(port))) port = randomInt(20_000, 32_768);
    ports[name] = port;
  }
  return ports;
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer().on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
