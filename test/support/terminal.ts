import { spawn, spawnSync } from "node:child_process";
import { stripVTControlCharacters } from "node:util";

const command = new URL("../../cli/bilevel.js", import.meta.url).pathname;
const { stdout: version } = spawnSync("script", ["--version"], { encoding: "utf8" });

/** Pseudo-terminals are made by `script` of util-linux; elsewhere there is none. */
export const hasTerminal = (version ?? "").includes("util-linux");

/** Runs `bilevel` with each of these lines of arguments, one after the other, in a terminal; types an answer when it is asked. */
export async function inTerminal(
  folder: string,
  lines: readonly string[],
  { columns = 80, answer = "" }: { columns?: number; answer?: string } = {},
): Promise<{ status: number | null; lines: string[] }> {
  const all = lines.map((line) => `${process.execPath} --no-warnings ${command} ${line}`);
  const child = spawn(
    "script",
    ["--quiet", "--return", "--command", [`stty cols ${columns} rows 50`, ...all].join(" && "), "/dev/null"],
    { cwd: folder, stdio: ["pipe", "pipe", "inherit"] },
  );
  let text = "";
  for await (const bytes of child.stdout) {
    const isAsked = text.includes("[Y/n]");
    text += String(bytes);
    if (!isAsked && text.includes("[Y/n]")) child.stdin.write(answer);
  }
  const status = child.exitCode ?? (await new Promise<number | null>((done) => child.once("close", done)));
  return { status, lines: stripVTControlCharacters(text).split(/\r*\n/) };
}
