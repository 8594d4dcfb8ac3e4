import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { UnauthorizedError } from "./errors.ts";

/** A token, a function that is asked for one before every request (for tokens that expire), or false for none. */
export type TokenSource = string | false | (() => string | Promise<string>);

/**
 * The token that Ray's own clients would send: none unless RAY_AUTH_MODE is "token", then RAY_AUTH_TOKEN, else the file
 * at RAY_AUTH_TOKEN_PATH, else `~/.ray/auth_token` where it exists. Throws `TOKEN_UNREADABLE` for a named file that
 * cannot be read or is empty.
 */
export function tokenFromEnvironment(env: Readonly<Record<string, string | undefined>>): string | false {
  if (env.RAY_AUTH_MODE?.toLowerCase() !== "token") return false;
  if (env.RAY_AUTH_TOKEN) return env.RAY_AUTH_TOKEN.trim();
  const named = env.RAY_AUTH_TOKEN_PATH;
  const path = named || join(env.HOME ?? homedir(), ".ray", "auth_token");
  try {
    const token = readFileSync(path, "utf8").trim();
    if (token === "" && named) throw new Error("the file is empty");
    return token || false;
  } catch (cause) {
    if (!named) return false;
    throw new UnauthorizedError("TOKEN_UNREADABLE", `RAY_AUTH_TOKEN_PATH: ${(cause as Error).message}`, { cause });
  }
}

/** The token to send. Throws `TOKEN_UNREADABLE` where the function that is asked for it fails. */
export async function tokenFrom(source: TokenSource): Promise<string | false> {
  if (typeof source !== "function") return source;
  try {
    return await source();
  } catch (cause) {
    throw new UnauthorizedError("TOKEN_UNREADABLE", `token: ${(cause as Error).message}`, { cause });
  }
}
