import type { Plugin } from "../../core/index.ts";
import { proposeCma } from "../../plugins/propose-cma/index.ts";
import { proposeLocal } from "../../plugins/propose-local/index.ts";
import { proposeRandom } from "../../plugins/propose-random/index.ts";
import { proposeSearch } from "../../plugins/propose-search/index.ts";
import { proposeTpe } from "../../plugins/propose-tpe/index.ts";

/** Our own, by name. */
export const own: Readonly<Record<string, () => Plugin>> = {
  search: proposeSearch,
  local: proposeLocal,
  random: proposeRandom,
  tpe: proposeTpe,
  cma: proposeCma,
};

/** Python's, by name: see samplers.py. Optuna's default and its multivariate TPE are one from version 5 on. */
export const others = ["optuna", "optuna-multivariate", "optuna-cma", "nevergrad", "smac"] as const;
