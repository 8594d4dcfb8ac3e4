import type { Config } from "../core/index.ts";
import type { EvaluateProcessOptions } from "../plugins/evaluate-process/index.ts";
import { evaluateRay } from "../plugins/evaluate-ray/index.ts";

/**
 * The same run on a Ray cluster: `bilevel run --preset ray` puts `evaluateRay` in the place of `evaluateProcess`, with
 * its limits, and the cluster that RAY_API_SERVER_ADDRESS or RAY_ADDRESS names. A trial holds one CPU and, where
 * BILEVEL_RAY_GPUS says so, GPUs. A config that has `evaluateRay` already stays as it is.
 */
export default function ray(config: Config): Config {
  const { name, options } = config.evaluator;
  if (name === "evaluate-ray") return config;
  const { limitSeconds, graceSeconds, passEnv, keep } = (options ?? {}) as EvaluateProcessOptions;
  const given = Object.entries({ limitSeconds, graceSeconds, passEnv, keep }).filter(
    ([, value]) => value !== undefined,
  );
  const numGpus = Number(process.env.BILEVEL_RAY_GPUS ?? 0);
  return { ...config, evaluator: evaluateRay({ numGpus, ...Object.fromEntries(given) }) };
}
