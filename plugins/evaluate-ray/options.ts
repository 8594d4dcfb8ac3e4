/** What a trial holds on the cluster. */
export interface TrialResources {
  /** CPUs that a trial holds. Default 1; with 0, and nothing else asked for, trials run on the head's node. */
  numCpus?: number;
  /** GPUs that a trial holds and sees: a fraction below 1, or a whole number. Default 0: it sees none. */
  numGpus?: number;
  /** Memory that is counted for a trial, in MB. It is no limit. */
  memoryMb?: number;
  /** The cluster's own resources, by name. */
  resources?: Readonly<Record<string, number>>;
  /** Labels that a trial's node must have, such as `{ "ray.io/accelerator-type": "H100" }`. */
  labelSelector?: Readonly<Record<string, string>>;
}

export interface EvaluateRayOptions extends TrialResources {
  /** The dashboard, such as `http://head:8265`. Default: RAY_API_SERVER_ADDRESS, RAY_ADDRESS, then this machine. */
  address?: string;
  /** The variable that holds the cluster's token. Default: as Ray's own clients, with RAY_AUTH_MODE=token. */
  tokenEnv?: string;
  /**
   * `jobs`: each trial is a Ray job; some seconds each. `auto` (default): `pool` where the baseline takes less than a
   * minute, else `jobs`.
   */
  mode?: "auto" | "jobs";
  /** Further keys of Ray's runtime environment: pip, uv, conda, env_vars, container. */
  runtimeEnv?: Readonly<Record<string, unknown>>;
  /** Where linked paths of the task lie on the cluster; false: left out there. Default: where they lie here. */
  links?: Readonly<Record<string, string | false>>;
  /** A trial's time limit. Default: three times the slowest baseline, 60 s at least. */
  limitSeconds?: number;
  /** Between SIGTERM and SIGKILL. */
  graceSeconds?: number;
  /** For so long a trial waits for room. */
  queueSeconds?: number;
  /** For so long its environment may take to be made. */
  setupSeconds?: number;
  /** Names of secrets of the cluster that trials with edits get all the same. */
  passEnv?: readonly string[];
  /** Of a trial's log, so much is kept. */
  logMb?: number;
  /** Of so many best trials everything is kept; of the others logs, metrics and patch. */
  keep?: number;
}

/** With the defaults filled in. */
export type Options = EvaluateRayOptions &
  Required<
    Pick<
      EvaluateRayOptions,
      "numCpus" | "numGpus" | "mode" | "links" | "graceSeconds" | "queueSeconds" | "setupSeconds" | "passEnv" | "logMb"
    >
  > & { keep: number };

const positive = { type: "number", exclusiveMinimum: 0 };
const amount = { type: "number", minimum: 0 };
const texts = { type: "object", additionalProperties: { type: "string" } };

export const schema = {
  type: "object",
  additionalProperties: false,
  properties: {
    address: { type: "string" },
    tokenEnv: { type: "string" },
    mode: { enum: ["auto", "jobs"], default: "auto" },
    numCpus: { ...amount, default: 1 },
    numGpus: { ...amount, default: 0 },
    memoryMb: positive,
    resources: { type: "object", additionalProperties: positive },
    labelSelector: texts,
    runtimeEnv: { type: "object" },
    links: { type: "object", additionalProperties: { anyOf: [{ type: "string" }, { const: false }] }, default: {} },
    limitSeconds: positive,
    graceSeconds: { ...amount, default: 5 },
    queueSeconds: { ...positive, default: 900 },
    setupSeconds: { ...positive, default: 600 },
    passEnv: { type: "array", items: { type: "string" }, default: [] },
    logMb: { ...positive, default: 64 },
    keep: { type: "integer", minimum: 0, default: 3 },
  },
};
