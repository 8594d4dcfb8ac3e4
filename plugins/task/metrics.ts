import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Progress, Task } from "../../core/index.ts";
import { plain } from "../../kit/text.ts";

/** Longer lines are looked at to here. */
const longestLine = 65_536;
const number = /^[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?$/;

/** Reads metrics and intermediate values from a program's output, chunk by chunk. */
export interface MetricReader {
  /** Takes in a piece of what was printed, to stdout or stderr where they are apart, and gives back the intermediate values in it. */
  read(chunk: string, from?: "stdout" | "stderr"): Progress[];
  /** All metrics, NaN and infinities included, and what is wrong with them. */
  finish(folder: string): Promise<{ metrics: Record<string, number>; problems: string[] }>;
}

/** What was printed of the metric in one way: the last, and whether that was always the same. Text is what looks like a number and is none. */
interface Printed {
  last?: number | string;
  /** The first two that differ. */
  differs?: string;
}

/** Between two digits this is no separator of values: decimals and thousands are written so, and half a number would be another one. */
const goesOn = /\d[,\u00a0\u2009\u202f]\d/;

/** Takes in a `value` and what it stands in. What cannot be read is not passed over for an older value where it goes on like a number. */
function take(printed: Printed, value: string, said: string): void {
  const { last } = printed;
  const isTold = goesOn.test(value) || (last === undefined && /\d/.test(value));
  const next = readNumber(value) ?? (isTold ? said : last);
  if (typeof last === "number" && !Object.is(last, next)) printed.differs ??= `as ${last} and as ${next}`;
  printed.last = next;
}

/** `metric: value`, `metric = value` or `metric is value` in a sentence. */
const sentenceOf = (metric: string): RegExp => {
  const name = metric.replace(/[^\w\s]/g, "\\$&");
  const value = "(?:[^\\s,;|)\\]]|[,\\u00a0\\u2009\\u202f](?=\\d))+";
  return new RegExp(`(?:^|[\\s([|,\\]])(${name}(?:\\s*[:=]\\s*|\\s+is\\s+)(${value}))`, "g");
};

/**
 * By `from`: `key: value` lines (ended by CR, LF or both; a number alone as the
 * value; where the metric has none, or several that differ, the last `metric: value`
 * or `metric = value` or `metric is value` anywhere in a line), the named groups or the first group (as `metric`) of a
 * regular expression, JSON objects one a line, or a JSON file in the trial's folder. Of several values the last counts;
 * where edits may change the program, the metric must be printed once, so that nothing is believed that they print beside it.
 * Lines `progress STEP VALUE` are intermediate values, whatever else is read.
 */
export function createMetricReader(
  { metrics: given = { from: "lines" }, editable = [] }: Pick<Task, "metrics" | "editable">,
  metric: string,
): MetricReader {
  const metrics: Record<string, number> = {};
  const [own, anywhere]: [Printed, Printed] = [{}, {}];
  const pattern = given.from === "regex" ? new RegExp(given.pattern, "g") : undefined;
  const sentence = given.from === "lines" ? sentenceOf(metric) : undefined;
  const rests = { stdout: "", stderr: "" }; // a progress bar on the one is no beginning of a line on the other
  const set = (name: string, value: string, said: string): void => {
    const read = readNumber(value);
    if (read !== undefined) metrics[name] = read;
    if (name === metric) take(own, value, said);
  };
  const readLine = (line: string): Progress | undefined => {
    const text = plain(line).trim();
    const progress = /^progress\s+(\d+)\s+(\S+)$/.exec(text);
    const value = progress && readNumber(progress[2] ?? "");
    if (progress && typeof value === "number") return { step: Number(progress[1]), value };
    if (sentence) {
      const [, name, shown] = /^([A-Za-z_][\w./-]*)\s*:\s*(\S+)$/.exec(text) ?? [];
      if (name !== undefined && shown !== undefined) set(name, shown, text);
      for (const [, said = "", shown = ""] of text.matchAll(sentence)) take(anywhere, shown, said);
    } else if (given.from === "json-lines" && text.startsWith("{")) readJson(text, set);
    else if (pattern)
      for (const match of text.matchAll(pattern)) {
        const named = Object.entries(match.groups ?? {});
        for (const [name, shown] of named.length > 0 ? named : [[metric, match[1]] as const])
          if (shown !== undefined) set(name, shown, match[0]);
      }
    return undefined;
  };
  return {
    read(chunk, from = "stdout") {
      const lines = (rests[from] + chunk).split(/\r\n|\r|\n/);
      rests[from] = (lines.pop() ?? "").slice(0, longestLine);
      return lines.flatMap((line) => readLine(line.slice(0, longestLine)) ?? []);
    },
    async finish(folder) {
      const problems: string[] = [];
      for (const rest of [rests.stderr, rests.stdout]) if (rest) readLine(rest);
      Object.assign(rests, { stdout: "", stderr: "" });
      if (given.from === "file") {
        const text = await readFile(join(folder, given.file), "utf8").catch(() => undefined);
        if (text === undefined) problems.push(`the program wrote no ${given.file}`);
        else if (!readJson(text, set)) problems.push(`${given.file} holds no JSON object`);
      }
      const isOwn = typeof own.last === "number" && own.differs === undefined;
      const last = isOwn ? own.last : (anywhere.last ?? own.last);
      if (own.differs !== undefined && editable.length > 0)
        problems.push(
          `${metric} was printed twice, ${own.differs}: where files are editable print it once, at the end, ` +
            "and what comes before it as `progress STEP VALUE`",
        );
      if (typeof last === "number") metrics[metric] = last;
      else if (last !== undefined)
        problems.push(`it printed "${last.slice(0, 80)}", which is no number as they are read here: 0.5, 1234.5, 1e-3`);
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

/** A string of JSON, or what Python writes and JSON does not know. */
const orSpecial = /"(?:[^"\\]|\\.)*"|(NaN|-?Infinity)/g;

function readJson(text: string, set: (name: string, value: string, said: string) => void): boolean {
  try {
    const legal = text.replace(orSpecial, (all, special?: string) => (special === undefined ? all : `"${special}"`));
    const parsed = JSON.parse(legal) as unknown;
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return false;
    for (const [name, value] of Object.entries(parsed)) {
      if (typeof value === "number" || isSpecial(value)) set(name, String(value), text);
    }
    return true;
  } catch {
    return false;
  }
}

const isSpecial = (value: unknown): boolean => typeof value === "string" && /^(NaN|-?Infinity)$/.test(value);
