import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Outcome, Progress, Task } from "../../core/index.ts";
import { CappedLog, LastLines, outcomeOf, shownMetrics } from "../evaluate-process/index.ts";
import { createMetricReader, type MetricReader } from "../task/index.ts";
import { FrameReader } from "./frames.ts";

/** What is needed to make an outcome of a trial's log. */
export interface HarvestOptions {
  /** The trial's own folder; `output.log` is written there, from its beginning. */
  folder: string;
  /** The token of the trial's frames. */
  frame: string;
  /** Name of the objective's metric. */
  metric: string;
  task: Pick<Task, "metrics" | "editable">;
  slot: number;
  /** Of the output, so much is kept. */
  logMb: number;
}

/**
 * Makes an outcome of a trial's log as it comes: the same program has the same outcome as under `evaluateProcess`. To
 * read a log again from its beginning, make another one.
 */
export class Harvest {
  /** An intermediate value was not finite: the trial may be ended. */
  diverged = false;
  readonly #options: HarvestOptions;
  readonly #frames: FrameReader;
  readonly #reader: MetricReader;
  readonly #log: CappedLog;
  readonly #lines = new LastLines();

  constructor(options: HarvestOptions) {
    this.#options = options;
    this.#frames = new FrameReader(options.frame);
    this.#reader = createMetricReader(options.task, options.metric);
    this.#log = new CappedLog(join(options.folder, "output.log"), options.logMb * 1e6);
  }

  /** Whether the runner has said how the trial ended. */
  get isWhole(): boolean {
    return this.#frames.exit !== undefined;
  }

  /** Takes a piece of the log, torn anywhere, and gives back the intermediate values in it. */
  take(piece: string): Progress[] {
    const text = this.#frames.read(piece);
    if (text === "") return [];
    this.#log.write(Buffer.from(text));
    this.#lines.take(text);
    const points = this.#reader.read(text);
    this.diverged ||= points.some(({ value }) => !Number.isFinite(value));
    return points.filter(({ value }) => Number.isFinite(value));
  }

  /** Ends `output.log`. Nothing can be taken any more. */
  close(): void {
    this.#log.close();
  }

  /**
   * The outcome; undefined where the log ended without the runner's word. `stop`: why the trial was asked to end, if it
   * was.
   */
  async outcome(stop?: "pruned" | "cancelled"): Promise<Outcome | undefined> {
    const { exit, file } = this.#frames;
    if (!exit) return undefined;
    const { folder, metric, task, slot } = this.#options;
    const where = { host: exit.host, slot, ...(exit.device === undefined ? {} : { device: exit.device }) };
    const base = { seconds: exit.seconds, where };
    if (exit.unstarted !== undefined) return { ...base, status: "lost", reason: exit.unstarted };
    if (exit.ended === "asked" && !this.diverged) {
      if (stop === "pruned") return { ...base, status: "pruned", reason: "stopped early: it could not win any more" };
      if (stop === "cancelled") return { ...base, status: "cancelled", reason: "the run was stopped" };
      return { ...base, status: "lost", reason: "it was stopped on the cluster, by someone else" };
    }
    const work = join(folder, "work");
    if (file !== undefined && task.metrics?.from === "file") {
      await mkdir(dirname(join(work, task.metrics.file)), { recursive: true });
      await writeFile(join(work, task.metrics.file), file);
    }
    const { metrics: read, problems } = await this.#reader.finish(work);
    const ended = exit.ended === "asked" ? "diverged" : exit.ended;
    const rest = { ended, metrics: shownMetrics(read), problems, lastLines: this.#lines.lines } as const;
    return outcomeOf({ ...exit, ...rest }, metric, where, exit.tampered);
  }
}
