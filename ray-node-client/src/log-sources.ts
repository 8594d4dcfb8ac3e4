import type { Connection } from "./connection.ts";
import { InfrastructureError } from "./errors.ts";
import type { JobInfo } from "./job.ts";

/** A job's log from its first character on, in pieces as they come; ends when the server ends it, or on abort. */
export type LogSource = (
  connection: Connection,
  job: JobInfo,
  id: string,
  signal: AbortSignal,
) => AsyncGenerator<string>;

/**
 * Through the documented WebSocket: every Ray has it, but it stops for good at bytes that are no UTF-8 and at very long
 * lines.
 */
export const socketLog: LogSource = (connection, _job, id, signal) =>
  untilAborted(connection.messages(`/api/jobs/${encodeURIComponent(id)}/logs/tail`, signal), signal);

/**
 * Through the State API: faster, and any bytes pass (those that are no UTF-8 as U+FFFD); Ray promises no stability of
 * it.
 */
export const streamLog: LogSource = (connection, job, id, signal) =>
  untilAborted(decoded(connection.stream(`${logPath("stream", job, id)}&interval=0.1`, signal)), signal);

async function* untilAborted(source: AsyncIterable<string>, signal: AbortSignal): AsyncGenerator<string> {
  try {
    yield* source;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The whole log at once, by the Jobs API or, where that fails over its bytes, by the State API. */
export async function wholeLog(
  connection: Connection,
  job: JobInfo,
  id: string,
  signal?: AbortSignal,
): Promise<string> {
  try {
    return await logsAnswer(connection, id, signal);
  } catch (error) {
    if (!(error instanceof InfrastructureError) || error.code !== "SERVER_ERROR") throw error;
    let text = "";
    try {
      for await (const piece of decoded(connection.stream(logPath("file", job, id), signal, { whole: true })))
        text += piece;
    } catch (cause) {
      signal?.throwIfAborted();
      const message = `the log of job ${id} cannot be read: ${error.message}; ${(cause as Error).message}`;
      throw new InfrastructureError("LOG_UNREADABLE", message, { job, cause });
    }
    return text;
  }
}

/** The log as the Jobs API tells it. A 500 is final here: the log has bytes that are no UTF-8, or its node is gone. */
async function logsAnswer(connection: Connection, id: string, signal: AbortSignal | undefined): Promise<string> {
  const path = `/api/jobs/${encodeURIComponent(id)}/logs`;
  const answer = await connection.json({ method: "GET", path, signal, isPlain500Final: true });
  return String((answer as { logs?: unknown }).logs ?? "");
}

/** `lines=-1`: from the beginning. The node is where the entrypoint runs, and must be named. */
const logPath = (kind: "stream" | "file", job: JobInfo, id: string): string =>
  `/api/v0/logs/${kind}?submission_id=${encodeURIComponent(job.submissionId ?? id)}` +
  `&node_id=${encodeURIComponent(job.driverNodeId ?? "")}&lines=-1`;

/** Bytes as text with `\n` at each line's end, which is how the Jobs API tells logs. */
async function* decoded(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let rest = "";
  for await (const chunk of bytes) {
    const text = rest + decoder.decode(chunk, { stream: true });
    rest = text.endsWith("\r") ? "\r" : ""; // a line feed may follow
    const whole = text.slice(0, text.length - rest.length);
    if (whole !== "") yield whole.replace(/\r\n?/g, "\n");
  }
  const last = rest + decoder.decode();
  if (last !== "") yield last.replace(/\r\n?/g, "\n");
}
