import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { send } from "./send.ts";
import type { StandInJob, StandInJobs } from "./stand-in-jobs.ts";

/** The logs of a stand-in's jobs, with the faults of the real ones: text only, long lines, ends that say nothing. */
export class StandInLogs {
  /** How many frames a tail may send before it ends as if all were said. */
  framesPerTail = Infinity;
  /** Whether the State API answers; another Ray may have another one. */
  hasStateApi = true;
  /** What takes requests and never answers them, as a half-open connection does. */
  silent: readonly ("socket" | "stream" | "file")[] = [];
  readonly #jobs: StandInJobs;

  constructor(jobs: StandInJobs) {
    this.#jobs = jobs;
  }

  /** 1.8: a 500 for bytes that are no UTF-8. */
  whole(job: StandInJob, response: ServerResponse): void {
    const text = textOf(Buffer.concat(job.log));
    if (text === undefined)
      return send(response, 500, "Traceback …\nUnicodeDecodeError: 'utf-8' codec can't decode byte");
    send(response, 200, JSON.stringify({ logs: text }), { "content-type": "application/json" });
  }

  /** 1.16: raw bytes, of a node that must be named; `stream` never ends by itself. */
  state(path: string, query: URLSearchParams, response: ServerResponse): void {
    const job = this.#jobs.find(query.get("submission_id") ?? "");
    if (!this.hasStateApi) return send(response, 404, "404: Not Found");
    if (!query.get("node_id") || !job)
      return send(response, 500, "500 Internal Server Error\n\nServer got itself in trouble");
    if (this.silent.includes("stream") && path.endsWith("/stream")) return;
    response.writeHead(200, { "content-type": "text/plain" });
    if (this.silent.includes("file") && path.endsWith("/file")) return response.flushHeaders();
    if (path.endsWith("/file")) return void response.end(Buffer.concat(job.log));
    let sent = 0;
    const timer = setInterval(() => {
      const bytes = Buffer.concat(job.log);
      if (bytes.length > sent) response.write(bytes.subarray(sent));
      sent = bytes.length;
    }, 20);
    response.on("close", () => clearInterval(timer));
  }

  /** 1.9, 1.15: text frames from the first byte on; silent while pending; always the same close. */
  tail(id: string, request: IncomingMessage, socket: Socket): void {
    const job = this.#jobs.find(id);
    if (!job) return void socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    if (this.silent.includes("socket")) return;
    const key = createHash("sha1")
      .update(`${request.headers["sec-websocket-key"] ?? ""}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    const upgrade = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: upgrade"];
    socket.write(`${[...upgrade, `sec-websocket-accept: ${key}`].join("\r\n")}\r\n\r\n`);
    let sent = 0;
    let frames = 0;
    const offersCompression = request.headers["sec-websocket-extensions"] !== undefined;
    const close = (): void => {
      clearInterval(timer);
      socket.end(frame(0x8, Buffer.from([1000 >> 8, 1000 & 255])));
    };
    const timer = setInterval(() => {
      if (job.status === "PENDING") return;
      const isOver = job.endTime !== null;
      while (frames < this.framesPerTail) {
        const chunk = nextChunk(Buffer.concat(job.log).subarray(sent));
        if (chunk.length === 0) return isOver ? close() : undefined;
        const text = textOf(chunk);
        if (text === undefined || chunk.length > 4 * 1024 * 1024 || offersCompression) return close();
        socket.write(frame(0x1, Buffer.from(text)));
        sent += chunk.length;
        frames++;
      }
      close();
    }, 20);
    socket.on("close", () => clearInterval(timer)).on("data", () => undefined);
  }
}

/** Up to ten lines, or just past 20,000 bytes; an unfinished line as it is. */
function nextChunk(bytes: Buffer): Buffer {
  let end = 0;
  for (let line = 0; line < 10 && end < 20_000 && end < bytes.length; line++) {
    const at = bytes.indexOf(10, end);
    end = at < 0 ? bytes.length : at + 1;
  }
  return bytes.subarray(0, end);
}

/** As text with plain line ends; undefined where that is not possible. */
function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r\n?/g, "\n");
  } catch {
    return undefined;
  }
}

function frame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  if (length < 126) head[1] = length;
  else if (length < 65_536) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}
