import { createHash, randomBytes } from "node:crypto";
import { upgrade, type Dispatcher } from "undici";
import { RefusedError, TimeoutError } from "./errors.ts";

/** Where a WebSocket leads to (`http:` or `https:`), and how. */
export interface WebSocketOptions {
  dispatcher: Dispatcher;
  headers: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /** How long the server has to open it, in ms. */
  timeoutMs: number;
}

const opcodes = { continuation: 0x0, text: 0x1, close: 0x8, ping: 0x9, pong: 0xa } as const;

/**
 * The text messages of a server, until it closes or the signal aborts (RFC 6455, the client's side of a one-way
 * connection). A slow reader slows the server. No compression is offered, as the common clients all do: Ray's dashboard
 * passes the offer on to an inner server, cannot read what that answers, and closes without a word.
 */
export async function* textMessages(
  url: string,
  { dispatcher, headers, signal, timeoutMs }: WebSocketOptions,
): AsyncGenerator<string> {
  const key = randomBytes(16).toString("base64");
  const handshake = { "sec-websocket-key": key, "sec-websocket-version": "13" };
  const late = new AbortController();
  const tooLate = new TimeoutError("REQUEST_TIMEOUT", `GET ${url}: no WebSocket within ${timeoutMs / 1000} s`);
  const timer = setTimeout(() => late.abort(tooLate), timeoutMs);
  const answer = await upgrade(url, {
    dispatcher,
    signal: AbortSignal.any([signal, late.signal]),
    protocol: "websocket",
    headers: { ...headers, ...handshake },
  }).finally(() => clearTimeout(timer));
  const { socket } = answer;
  const destroy = (): void => void socket.destroy();
  signal.addEventListener("abort", destroy);
  try {
    if (answer.headers["sec-websocket-accept"] !== acceptanceOf(key))
      throw new RefusedError("NOT_RAY", `GET ${url}: the server accepts no WebSocket`);
    let unread: Buffer = Buffer.alloc(0);
    let message: Buffer[] = [];
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      unread = Buffer.concat([unread, chunk]);
      for (let frame = firstFrame(unread); frame !== undefined; frame = firstFrame(unread)) {
        unread = unread.subarray(frame.length);
        if (frame.opcode === opcodes.close) return;
        if (frame.opcode === opcodes.ping) socket.write(maskedFrame(opcodes.pong, frame.payload));
        if (frame.opcode !== opcodes.text && frame.opcode !== opcodes.continuation) continue;
        message.push(frame.payload);
        if (!frame.isFinal) continue;
        yield Buffer.concat(message).toString("utf8");
        message = [];
      }
    }
  } finally {
    signal.removeEventListener("abort", destroy);
    socket.destroy();
  }
}

interface Frame {
  opcode: number;
  isFinal: boolean;
  payload: Buffer;
  /** Of the whole frame, in bytes. */
  length: number;
}

/** The frame that the bytes begin with; undefined while it is not all there. Servers do not mask theirs. */
function firstFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const start = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < start) return undefined;
  const size = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  if (bytes.length < start + size) return undefined;
  const head = bytes.readUInt8(0);
  const payload = bytes.subarray(start, start + size);
  return { opcode: head & 0x0f, isFinal: (head & 0x80) !== 0, payload, length: start + size };
}

/** A control frame, whose payload has at most 125 bytes; clients mask theirs. */
function maskedFrame(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const masked = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length]), mask, masked]);
}

const acceptanceOf = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
