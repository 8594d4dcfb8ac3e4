import { createHash } from "node:crypto";
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimes,
  writeFileSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { canonical } from "../kit/json.ts";
import type { Fact } from "./contract.ts";
import { BilevelError, messageOf } from "./errors.ts";

/** Version of the journal's format; in its first line. */
export const journalVersion = 1;

const inlineLimit = 16_384; // results longer than this lie beside the journal under their hash
const [beatMs, silenceMs] = [10_000, 60_000]; // signs of life in the lock, by which another machine knows a writer
const fullDisk = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

export const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 32);

/** What a journal's file holds. `length` bytes of it are whole lines; `torn` is what follows them. */
export interface JournalText {
  facts: Fact[];
  length: number;
  torn: string;
}

/** Reads a journal without its lock, also while a run writes it. @throws E_JOURNAL_VERSION, E_JOURNAL_DAMAGED (a line that is no fact, other than a torn last one) */
export function readJournal(file: string): JournalText {
  const bytes = readFileSync(file);
  const length = bytes.lastIndexOf(10) + 1;
  const torn = bytes.subarray(length).toString("utf8");
  const lines = bytes.subarray(0, length).toString("utf8").split("\n").slice(0, -1);
  const facts = lines.map((line, index) => {
    try {
      const fact = JSON.parse(line) as Fact;
      if (fact.n === index) return fact;
    } catch {
      // told below, with what was found
    }
    throw new BilevelError("E_JOURNAL_DAMAGED", `line ${index + 1} is not fact number ${index}`, {
      path: file,
      received: line.slice(0, 80),
      hint: "only the last line of a journal can be torn by a crash; this one was changed by something else: restore it from a copy",
    });
  });
  const version = facts[0]?.version;
  if (facts[0] && version !== journalVersion)
    throw new BilevelError("E_JOURNAL_VERSION", "the journal was written by another version of bilevel", {
      path: file,
      received: `journal version ${JSON.stringify(version)}`,
      allowed: `journal version ${journalVersion}`,
      hint: "resume it with the version of bilevel that wrote it; nothing was changed",
    });
  return { facts, length, torn };
}

/** The append-only log of one run: one writer, whole lines, in order. */
export class Journal {
  readonly folder: string;
  readonly recorded: readonly Fact[]; // what was there when it was opened
  readonly repaired: string; // the torn last line that opening cut off, if there was one
  #descriptor: number;
  #length: number;
  #next: number;
  #answers = new Map<string, Promise<unknown>>();
  #durable: boolean;
  #syncedAt = 0;
  readonly #beat: NodeJS.Timeout;
  /** Hears of every answer that `once` records: the facts that nobody appends by hand. */
  hear: (fact: Fact) => void = () => undefined;

  /** @throws E_RUN_LOCKED, E_JOURNAL_VERSION, E_JOURNAL_DAMAGED, E_DISK_FULL */
  constructor(folder: string, options: { durable?: boolean } = {}) {
    mkdirSync(folder, { recursive: true });
    lock(folder);
    try {
      const file = journalFile(folder);
      this.#descriptor = openSync(file, "a");
      const text = readJournal(file);
      this.folder = folder;
      this.recorded = text.facts;
      this.repaired = text.torn;
      this.#durable = options.durable ?? false;
      this.#length = text.length;
      this.#next = text.facts.length;
      if (text.torn) ftruncateSync(this.#descriptor, text.length);
      for (const fact of text.facts)
        if (fact.type === "once") this.#answers.set(String(fact.key), Promise.resolve(answerOf(folder, fact)));
    } catch (error) {
      rmSync(join(folder, "lock"), { force: true });
      throw error;
    }
    this.#beat = setInterval(() => utimes(join(folder, "lock"), new Date(), new Date(), () => 0), beatMs).unref();
  }

  /** Number of the last fact; -1 where there is none. */
  get last(): number {
    return this.#next - 1;
  }

  /** Appends one fact; once it returns, the fact survives SIGKILL. @throws E_DISK_FULL: the fact is not in the journal, and those before it are whole */
  append(fact: Omit<Fact, "n"> & { type: string }): Fact {
    const line = JSON.stringify({ n: this.#next, ...fact });
    const bytes = Buffer.from(`${line}\n`);
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(this.#descriptor, bytes, done);
    } catch (error) {
      ftruncateSync(this.#descriptor, this.#length);
      throw diskError(error, journalFile(this.folder));
    }
    this.#length += bytes.length;
    this.#next++;
    this.#sync();
    return JSON.parse(line) as Fact; // what a resumed run will read, to the last bit
  }

  /**
   * The recorded result of this request within this scope; when there is none,
   * runs it and records the result before it is given back. Equal requests of
   * one scope that run at the same time are one. Neither a failure nor undefined is recorded.
   */
  once<T>(scope: string, kind: string, request: unknown, run: () => Promise<T>): Promise<T> {
    const key = digest(canonical([scope, kind, request]));
    const known = this.#answers.get(key) as Promise<T> | undefined;
    if (known) return known;
    const answer = run().then((result) => {
      const text = JSON.stringify(result) as string | undefined;
      if (text === undefined) return result;
      const body = text.length > inlineLimit ? digest(text) : undefined;
      if (body) writeAtomically(bodyFile(this.folder, body), text);
      this.hear(this.append({ type: "once", scope, kind, key, ...(body ? { body } : { result }) }));
      return result;
    });
    this.#answers.set(key, answer);
    answer.then(
      (result) => result === undefined && this.#answers.delete(key),
      () => this.#answers.delete(key),
    );
    return answer;
  }

  close(): void {
    clearInterval(this.#beat);
    try {
      fdatasyncSync(this.#descriptor);
    } finally {
      closeSync(this.#descriptor);
      rmSync(join(this.folder, "lock"), { force: true });
    }
  }

  #sync(): void {
    if (this.#durable) return fdatasyncSync(this.#descriptor);
    const now = Date.now();
    if (now - this.#syncedAt < 1000) return;
    this.#syncedAt = now;
    fdatasync(this.#descriptor, () => undefined); // against a power cut; a failing disk shows itself in the next write
  }
}

export const journalFile = (folder: string): string => join(folder, "journal.jsonl");
const bodyFile = (folder: string, hash: string): string => join(folder, "bodies", `${hash}.json`);

/** The result that a `once` fact of the journal in this folder holds. */
export function answerOf(folder: string, fact: Fact): unknown {
  return fact.body === undefined
    ? fact.result
    : (JSON.parse(readFileSync(bodyFile(folder, String(fact.body)), "utf8")) as unknown);
}

/** The file has the old bytes or the new ones, never a mixture. */
export function writeAtomically(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, text, { flush: true });
    renameSync(draft, file);
  } catch (error) {
    throw diskError(error, file);
  }
}

function diskError(error: unknown, file: string): unknown {
  return fullDisk.has((error as NodeJS.ErrnoException).code ?? "")
    ? new BilevelError("E_DISK_FULL", "the disk is full", {
        path: file,
        received: messageOf(error),
        hint: "free some space, then `bilevel resume`: everything up to here is safe",
        cause: error,
      })
    : error;
}

/** When that process started, in the system's own unit; undefined where it is gone or cannot be told. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // the name may hold blanks; after it come fields 3…
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** The process that works in this folder now, if one does, in words; one of another machine is known by its signs of life. */
export function ownerOf(folder: string, file = join(folder, "lock")): string | undefined {
  try {
    const { pid, startTime, host = hostname() } = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
    const [here, silentMs] = [host === hostname(), Date.now() - statSync(file).mtimeMs];
    if (!here) return silentMs < silenceMs ? `process ${pid} on ${host}` : undefined;
    // the number may have been given to another process since
    const isIt = process.platform !== "linux" ? process.kill(Number(pid), 0) : startTimeOf(Number(pid)) === startTime;
    return isIt ? `process ${pid}` : undefined;
  } catch {
    return undefined;
  }
}

function lock(folder: string): void {
  const { pid } = process;
  const [file, mine] = [join(folder, "lock"), join(folder, `lock.${pid}.${hostname()}`)];
  writeFileSync(mine, JSON.stringify({ pid, startTime: startTimeOf(pid) ?? "", host: hostname() }));
  try {
    for (let tries = 0; tries < 10; tries++) {
      try {
        return linkSync(mine, file); // fails where the file exists: one of two wins
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const owner = ownerOf(folder);
      if (owner !== undefined)
        throw new BilevelError("E_RUN_LOCKED", "another process is working on this run", {
          path: folder,
          received: owner,
          hint: "wait for it, stop it there (kill -INT and its number), or give this run another name",
        });
      const stale = `${mine}.stale`;
      try {
        renameSync(file, stale);
        if (ownerOf(folder, stale) !== undefined) linkSync(stale, file); // taken since we looked: put back
        rmSync(stale);
      } catch {
        // another process was faster: look again
      }
    }
    throw new BilevelError("E_RUN_LOCKED", "the lock of this run could not be taken", { path: file });
  } finally {
    rmSync(mine, { force: true });
  }
}
