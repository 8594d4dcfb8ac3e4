/** How the runner says that a trial ended. */
export interface RunnerExit {
  /** Null where a signal ended it, or nothing was run. */
  code: number | null;
  signal: string | null;
  /** Why the runner ended it, if it did. */
  ended?: "limit" | "asked";
  /** Why the command could not be started. */
  failed?: string;
  /** Why nothing was run, through no fault of the trial. */
  unstarted?: string;
  seconds: number;
  /** Protected files that were changed. */
  tampered: readonly string[];
  /** Processes that the program left behind, ended since. */
  leftBehind: number;
  /** The node, and the devices that it gave. */
  host: string;
  device?: string;
}

/**
 * Reads the runner's frames out of a log that comes in pieces, which may end anywhere. Lines of others, and what stands
 * before a frame on its line, are passed over.
 */
export class FrameReader {
  /** How the trial ended, once that was read. */
  exit: RunnerExit | undefined;
  /** The text of the metrics file, as far as it was read. */
  file: string | undefined;
  readonly #token: string;
  #rest: string[] = [];

  constructor(token: string) {
    this.#token = `${token} `;
  }

  /** Takes a piece of the log, and gives back what the program printed in it. */
  read(piece: string): string {
    const end = piece.lastIndexOf("\n") + 1;
    if (end === 0) {
      this.#rest.push(piece); // joined once its line is whole: a line may come in very many pieces
      return "";
    }
    const lines = (this.#rest.join("") + piece.slice(0, end)).split("\n");
    this.#rest = [piece.slice(end)];
    return lines.map((line) => this.#take(line)).join("");
  }

  #take(line: string): string {
    const at = line.indexOf(this.#token);
    if (at < 0) return "";
    const frame = line.slice(at + this.#token.length);
    const space = frame.indexOf(" ");
    const value = parsed(frame.slice(space + 1));
    switch (frame.slice(0, space)) {
      case "out":
        return typeof value === "string" ? value : "";
      case "file":
        if (typeof value === "string") this.file = (this.file ?? "") + value;
        return "";
      case "exit":
        if (typeof value === "object") this.exit = value as RunnerExit;
        return "";
      default:
        return "";
    }
  }
}

/** Undefined where it is no JSON: the log shows the token in another place than a frame, as in a command line. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
