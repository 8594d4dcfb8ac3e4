import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import type { Judging, Run } from "../../core/index.ts";
import { plain } from "../../kit/text.ts";
import { endProcesses, markerName } from "../evaluate-process/index.ts";
import { isProgram, noProgram } from "../task/index.ts";

const limitMs = 60_000;

/** @throws E_TASK_INVALID where the check's program is not on PATH; one in the task's folder may be made by a trial */
export async function findCheck(run: Run): Promise<void> {
  const { objective, task } = run.config;
  const [program] = objective.check ?? [];
  if (program === undefined || (await isProgram(program, resolve(run.home, task?.folder ?? ".")))) return;
  if (program.includes("/") && !isAbsolute(program))
    return run.notice(`objective.check: ${program} is not in the task's folder, so each trial has to make it`);
  throw noProgram("objective.check[0]", program);
}

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

/**
 * Over when the program ends; what it left behind is ended too, as with a trial. A group of its own, so that a terminal's
 * ^C does not reach it: a check that was cut short would cost an improvement.
 */
function run(command: readonly string[], cwd: string): Promise<string | null> {
  return new Promise((resolve) => {
    const [program = "", ...args] = command;
    const marker = randomUUID();
    const env = { ...process.env, [markerName]: marker };
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const end = (): void => void endProcesses(marker, 0, child.pid);
    const limit = setTimeout(() => {
      end();
      for (const stream of [child.stdout, child.stderr]) stream.destroy(); // whoever holds them without the marker
    }, limitMs);
    process.once("exit", end);
    const over = (failed: string | null): void => {
      clearTimeout(limit);
      process.off("exit", end);
      resolve(failed);
    };
    let output = "";
    const keep = (chunk: Buffer): void => void (output = (output + chunk.toString("utf8")).slice(-4000));
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) => over(`the check could not be run: ${error.message}`));
    child.on("exit", end);
    child.on("close", (code, signal) => {
      if (code === 0) return over(null);
      const last = plain(output).trim().split("\n").at(-1) ?? "";
      over(`the check failed (${signal ? `ended by ${signal}` : `exit code ${code}`})${last ? `: ${last}` : ""}`);
    });
  });
}
