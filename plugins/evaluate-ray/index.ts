import type { JobSubmissionClient } from "#ray-node-client";
import type { Evaluation, Outcome, Plugin, TaskChange, Trial } from "../../core/index.ts";
import { BilevelError } from "../../core/index.ts";
import { Keeper } from "../evaluate-process/index.ts";
import { openTask } from "../task/index.ts";
import { Auto } from "./auto.ts";
import type { Backend, Ground } from "./backend.ts";
import { connect } from "./cluster.ts";
import { Jobs } from "./jobs.ts";
import { PoolBackend } from "./pool.ts";
import { schema, type EvaluateRayOptions, type Options } from "./options.ts";
import { runKeyOf } from "./run-files.ts";
import { sweep } from "./sweep.ts";

export type { EvaluateRayOptions, PoolOptions, TrialResources } from "./options.ts";

/** What is known once the run is open. */
interface Opened {
  ground: Ground;
  keeper: Keeper;
  backend: Backend;
}

/**
 * Runs trials on a Ray cluster, through its dashboard alone. The task's folder is sent once and copied for each trial on
 * its node; the same program has the same outcome as under `evaluateProcess`. Python 3.9 or newer must be on the nodes,
 * and the program of `task.command`; nothing of Ray is needed on this machine.
 * @throws E_CLUSTER when the run opens: unreachable, a token missing or refused, too old
 */
export function evaluateRay(given: EvaluateRayOptions = {}): Plugin {
  const options = { ...given } as Options;
  let opened: Opened | undefined;
  /** Trials that came to something which is not journaled: on a full disk they stay so, until the run is resumed. */
  const unheard = new Set<number>();
  return {
    name: "evaluate-ray",
    contract: 1,
    schema,
    options,
    async open(run) {
      const { task, objective } = run.config;
      if (!task)
        throw new BilevelError("E_CONFIG_INVALID", "evaluateRay() needs a task", {
          path: "task",
          received: "nothing",
          allowed: "folder, command and how values reach the program",
        });
      if (options.numGpus > 1 && !Number.isInteger(options.numGpus))
        throw new BilevelError("E_OPTIONS_INVALID", "Ray gives a part of one GPU, or whole ones", {
          path: "evaluator.numGpus",
          received: String(options.numGpus),
          allowed: "a fraction below 1, or a whole number",
        });
      const client: JobSubmissionClient = await connect(options);
      const frozen = await openTask(run, task);
      const told = new Set<string>();
      const tell: Ground["tell"] = (topic, text, detail) => {
        if (!told.has(topic)) run.notice(text, detail);
        told.add(topic);
      };
      const level = run.config.levels[0]?.name;
      run.on(({ type, level: of, trial }) => {
        if (type === "outcome" && of === level) unheard.delete(trial as number);
      });
      const runKey = await runKeyOf(run.folder);
      const ground: Ground = { run, task, frozen, client, options, metric: objective.metric, runKey, tell };
      opened = { ground, keeper: new Keeper(run, task, frozen, options.keep), backend: backendOf(ground) };
    },
    async close() {
      if (!opened) return;
      const { ground, keeper, backend } = opened;
      await sweep(ground, await backend.close([...unheard]));
      await keeper.done();
      await ground.client.close();
    },
    apply(taps) {
      taps.evaluate(async (trial: Trial<TaskChange>, evaluation: Evaluation<TaskChange>): Promise<Outcome> => {
        if (!opened) throw new Error("the evaluator is not open");
        const outcome = await opened.backend.evaluate(trial, evaluation);
        if (outcome.status !== "lost" && outcome.status !== "cancelled") unheard.add(trial.id);
        return outcome;
      });
    },
  };
}

function backendOf(ground: Ground): Backend {
  switch (ground.options.mode) {
    case "jobs":
      return new Jobs(ground);
    case "pool":
      return new PoolBackend(ground);
    case "auto":
      return new Auto(ground, new Jobs(ground), () => new PoolBackend(ground));
  }
}
