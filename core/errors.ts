/**
 * One error class and one table of codes. A message says what, where, what was received, what is allowed, and what to
 * do; the command line prints it without a stack and exits with the code's status.
 */

/** Exit status of the process: 2 usage or config, 3 environment, 4 journal. 1 is left for "no measured trial". */
const codes = {
  E_USAGE: 2,
  E_CONFIG_MISSING: 2,
  E_CONFIG_UNREADABLE: 2,
  E_CONFIG_INVALID: 2,
  E_OPTIONS_INVALID: 2,
  E_SPACE_INVALID: 2,
  E_TASK_INVALID: 2,
  E_PLUGIN_INVALID: 2,
  E_PLUGIN_MISSING: 2,
  E_PLUGIN_FAILED: 2,
  E_TRIAL_UNKNOWN: 2,
  E_RUN_UNKNOWN: 2,
  E_RUN_EXISTS: 2,
  E_MODEL: 3,
  E_BASELINE_FAILED: 1,
  E_INFRASTRUCTURE: 3,
  E_CLUSTER: 3,
  E_FOLDER: 3,
  E_DISK_FULL: 3,
  E_RUN_LOCKED: 4,
  E_JOURNAL_VERSION: 4,
  E_JOURNAL_DAMAGED: 4,
  E_CONFIG_CHANGED: 4,
  E_REPLAY_DIFFERS: 4,
} as const;

export type ErrorCode = keyof typeof codes;

export interface ErrorDetails {
  /** Where: a path in the config (`levels[0].slots`), a file, a plugin and its hook. */
  path?: string;
  received?: string;
  allowed?: string;
  /** What to do. */
  hint?: string;
  cause?: unknown;
}

/** Every failure that a user can cause or mend. Its `message` is one line; `toString()` is the whole text. */
export class BilevelError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "BilevelError";
    this.code = code;
    this.details = details;
  }

  /** A folder may have a bilevel of its own beside the command's: its errors are these. */
  static override [Symbol.hasInstance](thrown: unknown): thrown is BilevelError {
    return thrown instanceof Error && thrown.name === "BilevelError";
  }

  get exitCode(): number {
    return codes[this.code];
  }

  override toString(): string {
    const { path, received, allowed, hint } = this.details;
    const lines = [`${this.code}  ${path ?? this.message}`];
    for (const [label, text] of Object.entries({ problem: path && this.message, received, allowed, hint }))
      if (text) lines.push(`  ${label.padEnd(8)}  ${text}`);
    return lines.join("\n");
  }
}

/** The message of whatever was thrown. */
export const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
