import { environmentWith } from "../../ray-node-client/test/environment.ts";

/** What the benchmark compares with, and the tasks that are not ours; the report names these versions. */
export const packages = [
  "optuna==5.0.0",
  "cmaes==0.13.1",
  "nevergrad==1.0.12",
  "smac==2.4.1",
  "coco-experiment==2.8.2",
  "scikit-learn==1.9.1",
];

/** The interpreter of the benchmark's own virtual environment; installs it at first use (Python 3.11 or newer, some 700 MB). @throws CannotInstall */
export const python = (): string =>
  environmentWith(new URL("../../.cache/search/venv", import.meta.url).pathname, packages);
