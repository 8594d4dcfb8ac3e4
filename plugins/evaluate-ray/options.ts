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
   * `jobs`: each trial is a Ray job; some seconds each. `pool`: one job for all, which holds what `slots` trials need.
   * `auto` (default): `pool` where the baseline takes less than a minute, else `jobs`.
   */
  mode?: "auto" | "jobs" | "pool";
  pool?: PoolOptions;
  /** Further keys of Ray's runtime environment: pip, uv, conda, env_vars, container. */
  runtimeEnv?: Readonly<Record<string, unknown>>;
  /** Where linked paths of the task lie on the cluster; false: left out there. Default: where they lie here. */
  links?: Readonly<Record<string, string | false>>;
  /** A trial's time limit. Default: three times the slowest baseline, 60 s at least. */
  limitSeconds?: number;
  /** Between SIGTERM and SIGKILL. */
  graceSeconds?: number;
  /** For so long a trial waits for room while no trial of the run holds any. */
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

/** Where the driver of a pool is reached, and for how long it waits. */
export interface PoolOptions {
  /** The port on the head's node. Default: one that is free. */
  port?: number;
  /** Where that port is reached from here, such as `http://localhost:8100`. Default: at the head's own address. */
  address?: string;
  /** Without a word from the run for so long, the pool ends itself. Default 10. */
  idleMinutes?: number;
}

/** With the defaults filled in. */
export type Options = EvaluateRayOptions &
  Required<
    Pick<
      EvaluateRayOptions,
      "numCpus" | "numGpus" | "mode" | "links" | "graceSeconds" | "queueSeconds" | "setupSeconds" | "passEnv" | "logMb"
    >
  > & { keep: number; pool: PoolOptions & Required<Pick<PoolOptions, "port" | "idleMinutes">> };

const positive = { type: "number", exclusiveMinimum: 0 };
const amount = { type: "number", minimum: 0 };
const text = { type: "string" };
const texts = { type: "object", additionalProperties: text };
const list = { type: "array", items: text };
const requirements = { anyOf: [text, list, { type: "object" }] };

/** Ray's keys but for `working_dir`, which is the task. What is wrong within them is refused when the first job is sent. */
const runtimeEnv = {
  type: "object",
  additionalProperties: false,
  properties: {
    pip: requirements,
    uv: requirements,
    conda: { anyOf: [text, { type: "object" }] },
    env_vars: texts,
    py_modules: list,
    excludes: list,
    py_executable: text,
    container: { type: "object" },
    image_uri: text,
    config: { type: "object" },
    worker_process_setup_hook: text,
    java_jars: list,
  },
};

export const schema = {
  type: "object",
  additionalProperties: false,
  properties: {
    address: { type: "string" },
    tokenEnv: { type: "string" },
    mode: { enum: ["auto", "jobs", "pool"], default: "auto" },
    pool: {
      type: "object",
      additionalProperties: false,
      default: {},
      properties: {
        port: { type: "integer", minimum: 0, maximum: 65535, default: 0 },
        address: { type: "string", pattern: "^https?://", description: "a URL: http://… or https://…" },
        idleMinutes: { ...positive, default: 10 },
      },
    },
    numCpus: { ...amount, default: 1 },
    numGpus: { ...amount, default: 0 },
    memoryMb: positive,
    resources: { type: "object", additionalProperties: positive },
    labelSelector: texts,
    runtimeEnv,
    links: { type: "object", additionalProperties: { anyOf: [{ type: "string" }, { const: false }] }, default: {} },
    limitSeconds: positive,
    graceSeconds: { ...amount, default: 5 },
    queueSeconds: { ...positive, default: 900 },
    setupSeconds: { ...positive, default: 600 },
    passEnv: { ...list, default: [] },
    logMb: { ...positive, default: 64 },
    keep: { type: "integer", minimum: 0, default: 3 },
  },
};
