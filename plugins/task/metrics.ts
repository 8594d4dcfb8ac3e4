import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Progress, Task } from "../../core/index.ts";

/** Longer lines are looked at to here. */
const longestLine = 65_536;
const ansi = /\u001b\[[0-9;?]*[A-Za-z]/g;
const number = /^[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?$/;

/** Reads metrics and intermediate values from a program's output, chunk by chunk. */
export interface MetricReader {
  /** Takes in a piece of output and gives back the intermediate values in it. */
  read(chunk: string): Progress[];
  /** All metrics, NaN and infinities included, and what is wrong with them. */
  finish(folder: string): Promise<{ metrics: Record<string, number>; problems: string[] }>;
}

/**
 * By `from`: `key: value` lines (ended by CR, LF or both; a number alone as the
 * value; where none is the metric's, the last `metric: value` or `metric = value`
 * or `metric is value` anywhere in a line), the named groups or the first group (as `metric`) of a regular
 * expression, JSON objects one a line, or a JSON file in the trial's folder.
 * Lines `progress STEP VALUE` are intermediate values, whatever else is read.
 */
export function createMetricReader(given: Task["metrics"] = { from: "lines" }, metric = "metric"): MetricReader {
  const metrics: Record<string, number> = {};
  const problems: string[] = [];
  const pattern = given.from === "regex" ? new RegExp(given.pattern, "g") : undefined;
  let rest = "";
  const loose =
    given.from === "lines"
      ? new RegExp(
          `(?:^|[\\s([|,])${metric.replace(/[^\w\s]/g, "\\$&")}(?:\\s*[:=]\\s*|\\s+is\\s+)([^\\s,;|)\\]]+)`,
          "g",
        )
      : undefined;
  let spoken: number | undefined;
  const set = (name: string, value: number): void => {
    const known = metrics[name];
    if (known !== undefined && !Object.is(known, value))
      problems.push(`${name} was printed twice, as ${known} and as ${value}`);
    metrics[name] = value;
  };
  const readLine = (line: string): Progress | undefined => {
    const text = line.replace(ansi, "").trim();
    const progress = /^progress\s+(\d+)\s+(\S+)$/.exec(text);
    const value = progress && readNumber(progress[2] ?? "");
    if (progress && typeof value === "number") return { step: Number(progress[1]), value };
    if (given.from === "lines") {
      const [, name, shown] = /^([A-Za-z_][\w./-]*)\s*:\s*(\S+)$/.exec(text) ?? [];
      const read = shown === undefined ? undefined : readNumber(shown);
      if (name !== undefined && read !== undefined) set(name, read);
      for (const [, value = ""] of loose ? text.matchAll(loose) : []) spoken = readNumber(value) ?? spoken;
    } else if (given.from === "json-lines" && text.startsWith("{")) readJson(text, set);
    else if (pattern)
      for (const match of text.matchAll(pattern)) {
        const named = Object.entries(match.groups ?? {});
        for (const [name, shown] of named.length > 0 ? named : [[metric, match[1] ?? ""]]) {
          const read = readNumber(shown ?? "");
          if (read !== undefined) set(name ?? metric, read);
        }
      }
    return undefined;
  };
  return {
    read(chunk) {
      const lines = (rest + chunk).split(/\r\n|\r|\n/);
      rest = (lines.pop() ?? "").slice(0, longestLine);
      return lines.flatMap((line) => readLine(line.slice(0, longestLine)) ?? []);
    },
    async finish(folder) {
      if (rest) readLine(rest);
      rest = "";
      if (metrics[metric] === undefined && spoken !== undefined) metrics[metric] = spoken;
      if (given.from === "file") {
        const text = await readFile(join(folder, given.file), "utf8").catch(() => undefined);
        if (text === undefined) problems.push(`the program wrote no ${given.file}`);
        else if (!readJson(text, set)) problems.push(`${given.file} holds no JSON object`);
      }
      return { metrics, problems };
    },
  };
}

/** Undefined where the text is no number. */
function readNumber(text: string): number | undefined {
  if (/^[-+]?nan$/i.test(text)) return NaN;
  const infinite = /^([-+]?)inf(inity)?$/i.exec(text);
  if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
  return number.test(text) ? Number(text.replaceAll("_", "")) : undefined;
}

function readJson(text: string, set: (name: string, value: number) => void): boolean {
  try {
    const parsed = JSON.parse(text.replace(/\b(NaN|-?Infinity)\b/g, '"$1"')) as unknown;
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return false;
    for (const [name, value] of Object.entries(parsed)) {
      const read = typeof value === "number" ? value : typeof value === "string" ? special(value) : undefined;
      if (read !== undefined) set(name, read);
    }
    return true;
  } catch {
    return false;
  }
}

const special = (text: string): number | undefined => (/^(NaN|-?Infinity)$/.test(text) ? Number(text) : undefined);
