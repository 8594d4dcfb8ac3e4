import type { Connection } from "./connection.ts";
import { RayError, UnauthorizedError } from "./errors.ts";
import { isTerminal, type JobInfo } from "./job.ts";
import { socketLog, streamLog, wholeLog } from "./log-sources.ts";

/** How a log is followed. */
export interface TailOptions {
  signal?: AbortSignal;
  /**
   * Which way is tried first: `socket`, the documented one (default; lines come 1 to 3 s late), or `stream`, which is
   * some ten times faster and which Ray may change. Each is replaced by the other where it does not get on.
   */
  prefer?: "socket" | "stream";
}

/**
 * How often the job is looked at while its log is followed, in ms. A socket is closed at the job's end; a stream is
 * not.
 */
const lookEveryMs = { socket: 10_000, stream: 1000 };

/** Looks at the job, with everything that a call does about passing failures. */
type Look = (signal?: AbortSignal) => Promise<JobInfo>;

/**
 * The log of a job from its first character to its last. A server's "normal" end says nothing: connections also end so
 * for bytes that are no UTF-8, for very long lines and when the dashboard dies. So after every end the job is looked
 * at; while it is not over, the log is followed anew behind the characters that were given, and when it is, the rest is
 * fetched.
 */
export async function* tail(
  connection: Connection,
  id: string,
  look: Look,
  { signal, prefer = "socket" }: TailOptions,
): AsyncGenerator<string, JobInfo, void> {
  let given = 0;
  let way = prefer;
  let fruitless = 0;
  for (;;) {
    signal?.throwIfAborted();
    const job = await look(signal);
    if (isTerminal(job.status)) {
      const text = await wholeLog(connection, job, id, signal);
      if (text.length > given) yield text.slice(given);
      return job;
    }
    if (job.status === "PENDING") {
      await connection.pause(500, signal); // a socket would be silent
      continue;
    }
    const before = given;
    for await (const text of newText(given, way)) {
      given += text.length;
      yield text;
    }
    fruitless = given > before ? 0 : fruitless + 1;
    if (fruitless === 0) continue;
    way = way === "socket" ? "stream" : "socket";
    await connection.pause(Math.min(50 * 2 ** fruitless, 2000), signal);
  }

  /**
   * One connection: what comes after the first `skip` characters. Ends without an error where another may do better.
   */
  async function* newText(skip: number, by: "socket" | "stream"): AsyncGenerator<string> {
    const ended = new AbortController();
    const either = signal ? AbortSignal.any([signal, ended.signal]) : ended.signal;
    void watch(lookEveryMs[by], either, () => ended.abort());
    let left = skip;
    try {
      const source = by === "socket" ? socketLog : streamLog;
      for await (const text of source(connection, await look(either), id, either)) {
        if (text.length > left) yield text.slice(left);
        left = Math.max(0, left - text.length);
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (ended.signal.aborted) return; // by the watch
      // whatever else ended it, the next look at the job tells whether to go on
      if (!(error instanceof RayError) || error instanceof UnauthorizedError) throw error;
    } finally {
      ended.abort();
    }
    signal?.throwIfAborted();
  }

  /** Ends a connection once the job is over; whatever else is wrong, the next look tells. */
  async function watch(everyMs: number, either: AbortSignal, end: () => void): Promise<void> {
    try {
      for (;;) {
        await connection.pause(everyMs, either);
        if (isTerminal((await look(either)).status)) return end();
      }
    } catch {
      end();
    }
  }
}
