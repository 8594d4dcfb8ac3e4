import { InfrastructureError, RayError, RefusedError, UnauthorizedError, type RayErrorCode } from "./errors.ts";

/** What a server answered. */
export interface Answer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  text: string;
}

/** Texts that tell apart what Ray answers with one status, 500 above all: a pattern, and what it means. */
const meanings: readonly [pattern: RegExp, code: RayErrorCode][] = [
  [/Job with submission_id .+ already exists/, "DUPLICATE_ID"],
  [/non-terminal state/, "NOT_TERMINAL"],
  [/No available agent to submit job/, "NO_AGENT"],
];

/** Statuses of proxies and of servers that are just starting: the same request may pass a moment later. */
const passing = new Set([429, 502, 503, 504]);

/** The error that an answer other than 2xx stands for. Its message holds what the server said, cut to a screenful. */
export function refusalOf({ status, headers, text }: Answer, request: string): RayError {
  const said = `${request}: ${status} ${brief(text)}`;
  if (status === 401) {
    const hint = "pass `token`, or set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN";
    return new UnauthorizedError("TOKEN_MISSING", `${said} (${hint})`, { status });
  }
  if (status === 403) return new UnauthorizedError("TOKEN_REFUSED", said, { status });
  if (status === 413) return new RefusedError("PACKAGE_TOO_LARGE", said, { status });
  if (status === 405 && text.includes("browser")) return new RefusedError("BROWSER_LIKE", said, { status });
  if (status < 400) {
    const target = String(headers.location ?? "nowhere");
    return new RefusedError("NOT_RAY", `${said} (sent on to ${target}; is that the address to use?)`, { status });
  }
  const code = meanings.find(([pattern]) => pattern.test(text))?.[1];
  if (code === "NO_AGENT") return new InfrastructureError(code, said, { status });
  if (code !== undefined) return new RefusedError(code, said, { status });
  if (status === 404) return new RefusedError(/^\s*</.test(text) ? "NOT_RAY" : "NOT_FOUND", said, { status });
  if (status >= 500 || status === 429) return new InfrastructureError("SERVER_ERROR", said, { status });
  return new RefusedError("BAD_REQUEST", said, { status });
}

/** The body of a good answer; throws `NOT_RAY` for what is no JSON, such as a page of a proxy that asks to log in. */
export function jsonOf({ status, text }: Answer, request: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const hint = "is the address that of a Ray dashboard?";
    throw new RefusedError("NOT_RAY", `${request}: the answer is no JSON: ${brief(text)} (${hint})`, { status, cause });
  }
}

/** Whether what failed may pass when asked again: no answer, or one that says "not now". */
export function isPassing(error: unknown): error is RayError {
  if (!(error instanceof RayError)) return false;
  if (error.code === "SERVER_ERROR") return passing.has(error.status ?? 0);
  return error.code === "UNREACHABLE" || error.code === "NO_AGENT" || error.code === "REQUEST_TIMEOUT";
}

const brief = (text: string): string => {
  const line = text.trim();
  return line.length > 2000 ? `${line.slice(0, 1000)} … ${line.slice(-1000)}` : line;
};
