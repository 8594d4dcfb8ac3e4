import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  execute,
  resolveConfig,
  type Config,
  type Plugin,
  type TaskChange,
  type Taps,
  type Trial,
} from "../../core/index.ts";
import { defaults, median, streamOf, type Values } from "../../kit/index.ts";
import { evaluateFunction } from "../../plugins/evaluate-function/index.ts";
import { innerLoop } from "../../plugins/inner-loop/index.ts";
import { Bridge } from "./bridge.ts";
import { Clock, Slots } from "./clock.ts";
import type { Instance, Task } from "./tasks.ts";

/** One search to do. `trials`: measurements after the baseline's, repeats included. */
export interface Game {
  task: string;
  method: string;
  seed: number;
  trials: number;
  slots: number;
}

export interface Played extends Game {
  /** True value of the winner that was returned. */
  value: number;
  baseline: number;
  best?: number;
  /** The best that was measured. */
  seen: number;
  /** True value of the best so far after each measurement, crashed ones included. */
  curve: number[];
  crashes: number;
  /** Median time to propose, in milliseconds. */
  ms: number;
}

let python: Bridge | undefined;
export const bridge = (): Bridge => (python ??= new Bridge());
export const closeBridge = (): void => python?.close();

/** True values of the baselines, which are the same for every method. */
const baselines = new Map<string, number>();
const scratch = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const round = (value: number): number => Number(value.toPrecision(6));

export async function play(game: Game, task: Task, proposer: Plugin | undefined): Promise<Played> {
  const instance = await task.open(game.seed, bridge);
  const told = proposer ? await playOwn(game, instance, proposer) : await playOther(game, instance);
  const key = `${game.task} ${game.seed}`;
  const baseline = baselines.get(key) ?? (await instance.truth(defaults(instance.space)));
  baselines.set(key, baseline);
  return {
    ...game,
    ...told,
    baseline: round(baseline),
    ...(instance.best === undefined ? {} : { best: instance.best }),
  };
}

type Told = Pick<Played, "value" | "seen" | "curve" | "crashes" | "ms">;

/** Through the real loop, until it has measured as often as the others: its repeats of the baseline and of the best count. */
async function playOwn({ seed, trials, slots }: Game, instance: Instance, proposer: Plugin): Promise<Told> {
  const folder = mkdtempSync(join(scratch, "bilevel-search-"));
  const times: number[] = [];
  const curve = new Curve(instance);
  const stop = new AbortController();
  let [measured, crashes] = [0, 0];
  const sideBySide = new Slots(slots, streamOf("delay", seed));
  const config: Config = {
    objective: { metric: "loss", direction: "minimize", ...(instance.noiseless ? { noise: "none" as const } : {}) },
    space: instance.space,
    evaluator: evaluateFunction({
      function: async (values, context) => {
        if (++measured > trials + 1) {
          stop.abort();
          throw new Error("it was measured often enough");
        }
        try {
          return await sideBySide.take(async () =>
            curve.measured(values, await instance.measure(values, context.seed)),
          );
        } catch (error) {
          crashes++;
          curve.count();
          throw error;
        }
      },
      thread: false,
    }),
    proposer: timed(proposer, times),
    levels: [innerLoop({ slots, confirm: 0 })],
    budget: { trials },
    seed: `search ${seed}`,
  };
  try {
    const resolved = resolveConfig(config, join(folder, "bilevel.config.ts"));
    const end = await execute(resolved, join(folder, "run"), { signal: stop.signal });
    const view = end.levels.get("inner");
    const winner = (view?.incumbent?.trial as Trial<TaskChange>).candidate.values ?? {};
    return {
      value: round(await instance.truth(winner)),
      seen: round(curve.least),
      curve: curve.points,
      crashes,
      ms: round(median(times)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same plugin with its drafts timed, what it learns before them included. */
export function timed(plugin: Plugin, times: number[]): Plugin {
  return {
    ...plugin,
    apply(taps: Taps<TaskChange>) {
      plugin.apply?.({
        ...taps,
        propose: (stage, tap) =>
          taps.propose(stage, async (draft, turn) => {
            const started = performance.now();
            const answer = await tap(draft, turn);
            times.push(performance.now() - started);
            return answer;
          }),
      });
    },
  };
}

/** A competitor by ask and tell; its winner is the best that it measured. */
async function playOther({ method, seed, trials, slots }: Game, instance: Instance): Promise<Told> {
  const { space } = instance;
  await bridge().ask({
    do: "begin",
    sampler: method,
    space,
    baseline: defaults(space),
    seed,
    trials: trials + 1,
    slots,
  });
  const curve = new Curve(instance);
  const times: number[] = [];
  const clock = new Clock<{ number: number; values: Values }>(streamOf("delay", seed));
  let [crashes, asked] = [0, 0];
  let best = { loss: Infinity, values: defaults(space) };
  while (asked <= trials || clock.running > 0) {
    if (clock.running < slots && asked <= trials && (asked !== 1 || clock.running === 0)) {
      const { number, values, ms } = await bridge().ask<{ number: number; values: Values; ms: number }>({ do: "ask" });
      times.push(ms);
      clock.begin({ number, values });
      asked++;
      continue;
    }
    const ended = clock.next();
    if (!ended) break;
    let loss: number | undefined;
    try {
      loss = await instance.measure(ended.values, 42);
      await curve.measured(ended.values, loss);
      if (loss < best.loss) best = { loss, values: ended.values };
    } catch {
      crashes++;
      curve.count();
    }
    const { ms } = await bridge().ask<{ ms: number }>({ do: "tell", number: ended.number, loss: loss ?? null });
    times[times.length - 1] = (times.at(-1) ?? 0) + ms;
  }
  return {
    value: round(await instance.truth(best.values)),
    seen: round(curve.least),
    curve: curve.points,
    crashes,
    ms: round(median(times)),
  };
}

/** True value of the luckiest so far, measurement by measurement; where the truth is dear, what was measured. */
class Curve {
  readonly points: number[] = [];
  readonly #instance: Instance;
  least = Infinity;
  #true = Infinity;

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  async measured(values: Values, loss: number): Promise<number> {
    if (loss < this.least) {
      this.least = loss;
      this.#true = this.#instance.isDear ? loss : await this.#instance.truth(values);
    }
    this.count();
    return loss;
  }

  /** One more measurement, whatever it told. */
  count(): void {
    this.points.push(round(this.#true));
  }
}
