import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Judging } from "../../core/index.ts";

const limitMs = 60_000;

/** Runs the objective's check in the trial's folder, once; says why it failed, or undefined where it passed. */
export async function failedCheck(
  command: readonly string[],
  trial: number,
  judging: Pick<Judging<unknown>, "folder" | "once">,
): Promise<string | undefined> {
  const failed = await judging.once("check", { trial, command }, () => {
    const places = [join(judging.folder, "work"), judging.folder];
    return run(command, places.find((place) => existsSync(place)) ?? process.cwd());
  });
  return failed ?? undefined;
}

function run(command: readonly string[], cwd: string): Promise<string | null> {
  return new Promise((resolve) => {
    const [program = "", ...args] = command;
    const child = spawn(program, args, {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: limitMs,
      killSignal: "SIGKILL",
    });
    let output = "";
    const keep = (chunk: Buffer): void => void (output = (output + chunk.toString("utf8")).slice(-4000));
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) => resolve(`the check could not be run: ${error.message}`));
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(null);
      const last = output.trim().split("\n").at(-1) ?? "";
      resolve(`the check failed (${signal ? `ended by ${signal}` : `exit code ${code}`})${last ? `: ${last}` : ""}`);
    });
  });
}
