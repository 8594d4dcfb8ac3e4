import type { TaskChange } from "../../core/index.ts";

/** Names of variables that hold secrets. */
export const secretNames = /(_|^)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$|^AWS_/i;

/**
 * The environment of a trial: the user's, but for what bilevel itself uses.
 * Where the candidate carries edits, secrets are taken out unless they are named.
 */
export function environmentFor(
  { edits = [] }: TaskChange,
  passEnv: readonly string[],
  from: NodeJS.ProcessEnv = process.env,
): { env: Record<string, string>; taken: string[] } {
  const env: Record<string, string> = {};
  const taken: string[] = [];
  for (const [name, value] of Object.entries(from)) {
    if (value === undefined || name.startsWith("BILEVEL_")) continue;
    if (edits.length > 0 && secretNames.test(name) && !passEnv.includes(name)) taken.push(name);
    else env[name] = value;
  }
  return { env, taken };
}
