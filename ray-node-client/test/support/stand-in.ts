import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { send } from "./send.ts";
import { StandInJobs } from "./stand-in-jobs.ts";
import { StandInLogs } from "./stand-in-logs.ts";

/** What goes wrong with the next request that fits. */
export interface Fault {
  method: string;
  path: RegExp;
  /** `lose` does what is asked and loses the answer; `refuse` drops the connection at once; else what is answered. */
  do: "lose" | "refuse" | "hang" | { status: number; text: string; headers?: Record<string, string> };
}

export interface StandInOptions {
  gpus?: number;
  token?: string;
  /** After how long a job that waits for resources fails. */
  startTimeoutMs?: number;
}

/**
 * A small server that answers as a Ray dashboard does where that is surprising, and runs entrypoints as processes of
 * this machine. The numbers of its comments are those of the contract tests.
 */
export class StandIn {
  readonly jobs: StandInJobs;
  readonly logs: StandInLogs;
  readonly packages = new Map<string, Buffer>();
  /** Every request, as `METHOD /path`. */
  readonly requests: string[] = [];
  readonly faults: Fault[] = [];
  address = "";
  sessionName = "session_1";
  readonly #options: StandInOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(options: StandInOptions) {
    this.#options = options;
    this.jobs = new StandInJobs(this.packages, options);
    this.logs = new StandInLogs(this.jobs);
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket)).on("error", () => undefined);
    });
    this.#server.on("upgrade", (request, socket: Socket) => {
      this.requests.push(`GET ${request.url ?? ""}`);
      const refusal = this.#refusal(request);
      if (refusal) return socket.end(`HTTP/1.1 ${refusal.status} X\r\ncontent-length: 0\r\n\r\n`);
      this.logs.tail(idOf(request.url ?? ""), request, socket);
    });
  }

  static async start(options: StandInOptions = {}): Promise<StandIn> {
    const standIn = new StandIn(options);
    await standIn.listen(0);
    return standIn;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    this.address = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Stops listening and drops all connections; jobs run on. */
  async vanish(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Begins anew as a head does that was killed: other session, no jobs, no packages (2.9). */
  forget(): void {
    this.jobs.killAll();
    this.packages.clear();
    this.sessionName = `session_${Number(this.sessionName.slice(8)) + 1}`;
  }

  async stop(): Promise<void> {
    this.jobs.killAll();
    await this.vanish();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", url = "/" } = request;
    const body = await bodyOf(request);
    this.requests.push(`${method} ${url}`);
    const at = this.faults.findIndex((fault) => fault.method === method && fault.path.test(url));
    const fault = at < 0 ? undefined : this.faults.splice(at, 1)[0]?.do;
    if (fault === "refuse") return void request.socket.destroy();
    if (fault === "hang") return;
    if (typeof fault === "object") return send(response, fault.status, fault.text, fault.headers);
    const refusal = this.#refusal(request);
    if (refusal) return send(response, refusal.status, refusal.text);
    if (fault === "lose") response.end = () => response.destroy();
    this.#route(method, url, body, response);
  }

  /** 1.2: what looks like a browser may only read. 4.2, 4.3: the token's exact form. */
  #refusal({ method = "GET", headers }: IncomingMessage): { status: number; text: string } | undefined {
    const marks = ["referer", "origin", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site"];
    const isBrowser = headers["user-agent"]?.startsWith("Mozilla") || marks.some((name) => name in headers);
    if (isBrowser && !["GET", "HEAD", "OPTIONS"].includes(method)) {
      return { status: 405, text: `'${method}' method not allowed for browser traffic.` };
    }
    const { token } = this.#options;
    const given = headers.authorization ?? headers["x-ray-authorization"];
    if (token === undefined || given === `Bearer ${token}`) return undefined;
    return given === undefined
      ? { status: 401, text: "Unauthorized: Missing authentication token" }
      : { status: 403, text: "Forbidden: Invalid authentication token" };
  }

  #route(method: string, url: string, body: Buffer, response: ServerResponse): void {
    const [path = "", query] = url.split("?");
    const json = (value: unknown): void =>
      send(response, 200, JSON.stringify(value), { "content-type": "application/json" });
    if (path === "/api/version") {
      return json({ version: "4", ray_version: "2.60.0", ray_commit: "stand-in", session_name: this.sessionName });
    }
    if (path === "/api/jobs/") {
      if (method === "GET") return json(this.jobs.list());
      const { status, text } = this.jobs.submit(body.toString());
      return send(response, status, text);
    }
    if (path.startsWith("/api/packages/")) return this.#package(method, path, body, response);
    if (path.startsWith("/api/v0/logs/")) return this.logs.state(path, new URLSearchParams(query), response);
    if (path === "/api/v0/nodes")
      return json({ data: { result: { result: this.jobs.nodes(new URLSearchParams(query)) } } });
    if (path === "/api/cluster_status") {
      const load = this.jobs.load();
      return json({ data: { clusterStatus: load && { loadMetricsReport: load } } });
    }
    const [, id, action] = /^\/api\/jobs\/([^/]+)(\/[a-z]+)?$/.exec(path) ?? [];
    if (id === undefined) return send(response, 404, "404: Not Found");
    const job = this.jobs.find(decodeURIComponent(id));
    if (job === undefined) return send(response, 404, `Job ${decodeURIComponent(id)} does not exist`);
    switch (`${method} ${action ?? ""}`) {
      case "GET ":
        return json(this.jobs.wire(job));
      case "POST /stop":
        return json({ stopped: this.jobs.stop(job) });
      case "GET /logs":
        return this.logs.whole(job, response);
      case "DELETE ": {
        const isDeleted = this.jobs.delete(job);
        const text = `Job '${job.id}' is in a non-terminal state ${job.status} and cannot be deleted.`;
        return isDeleted ? json({ deleted: true }) : send(response, 500, `Traceback …\nRuntimeError: ${text}`);
      }
      default:
        return send(response, 404, "404: Not Found");
    }
  }

  /** 1.10, 1.11, 3.6. */
  #package(method: string, path: string, body: Buffer, response: ServerResponse): void {
    const [, protocol, name = ""] = /^\/api\/packages\/([^/]+)\/(.+)$/.exec(path) ?? [];
    if (protocol !== "gcs") return send(response, 500, "Traceback …");
    if (method === "GET") return send(response, this.packages.has(name) ? 200 : 404, "");
    if (body.length > 104_857_600) return send(response, 413, "Maximum request body size 104857600 exceeded.");
    this.packages.set(name, body);
    send(response, 200, "");
  }
}

const idOf = (url: string): string => decodeURIComponent(url.split("/")[3] ?? "");

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
