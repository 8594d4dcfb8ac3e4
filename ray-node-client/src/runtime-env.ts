import { readFile } from "node:fs/promises";
import { RefusedError } from "./errors.ts";
import { packArchive, packFolder, packModule, type Package } from "./package.ts";
import { checkRuntimeEnv } from "./runtime-env-check.ts";

/** Requirements for pip: a list, or the path of a local requirements file, whose lines are sent. */
export interface PipOptions {
  packages: string[] | string;
  pip_check?: boolean;
  pip_version?: string;
  pip_install_options?: string[];
}

/** Requirements for uv. */
export interface UvOptions {
  packages: string[];
  uv_check?: boolean;
  uv_version?: string;
  uv_pip_install_options?: string[];
}

/**
 * What a job finds around it. The keys are Ray's own, as its documentation has them; at most one of pip, uv and conda.
 */
export interface RuntimeEnv {
  /**
   * A folder or archive here, which is packed and uploaded; or a URI that ends in .zip, .tar.gz, .tgz or .tar.xz; or
   * `local:///folder`.
   */
  working_dir?: string;
  /** Folders, .py files or wheels here, or URIs. */
  py_modules?: string[];
  /** The command that starts Python in the job's own tasks and actors. */
  py_executable?: string;
  pip?: string[] | string | PipOptions;
  uv?: string[] | string | UvOptions;
  /** The name of an environment on the cluster, or one that is described; a .yaml file is not read. */
  conda?: string | Record<string, unknown>;
  env_vars?: Record<string, string>;
  /** Patterns of .gitignore for what is packed from `working_dir` and `py_modules`. */
  excludes?: string[];
  container?: Record<string, unknown>;
  image_uri?: string;
  config?: {
    /** In seconds; -1 for no limit. Default 600. */
    setup_timeout_seconds?: number;
    eager_install?: boolean;
    log_files?: string[];
  };
  /** The name of a module and function (`module.function`). */
  worker_process_setup_hook?: string;
  java_jars?: string[];
}

/** A runtime environment in the form that is sent, and what must be uploaded first. */
export interface PreparedRuntimeEnv {
  env: RuntimeEnv;
  packages: Package[];
}

/**
 * Checks a runtime environment, packs what it names on this machine, and puts the packages' URIs and the lines of
 * requirements files in its place. Throws `INVALID_RUNTIME_ENV`, `INVALID_PACKAGE`, `PACKAGE_TOO_LARGE`.
 */
export async function prepareRuntimeEnv(given: RuntimeEnv): Promise<PreparedRuntimeEnv> {
  checkRuntimeEnv(given);
  const env = { ...given };
  const packages: Package[] = [];
  const uploaded = (pack: Package): string => {
    packages.push(pack);
    return pack.uri;
  };
  const excludes = env.excludes ?? [];
  if (env.working_dir !== undefined && !isUri(env.working_dir)) {
    const path = env.working_dir;
    env.working_dir = uploaded(await (isArchive(path) ? packArchive(path) : packFolder(path, { excludes })));
  }
  if (env.py_modules !== undefined) {
    const modules: string[] = [];
    for (const module of env.py_modules)
      modules.push(isUri(module) ? module : uploaded(await packModule(module, excludes)));
    env.py_modules = modules;
  }
  if (typeof env.pip === "string") env.pip = await linesOf(env.pip, "pip");
  if (typeof env.uv === "string") env.uv = await linesOf(env.uv, "uv");
  if (typeof env.pip === "object" && !Array.isArray(env.pip) && typeof env.pip.packages === "string") {
    env.pip = { ...env.pip, packages: await linesOf(env.pip.packages, "pip.packages") };
  }
  return { env, packages };
}

/** Whether a place is told as a URI, and so is the cluster's to find. */
export const isUri = (place: string): boolean => /^[a-z][a-z0-9+.-]+:\/\//i.test(place);

const isArchive = (path: string): boolean => /\.(zip|tar\.gz|tgz|tar\.xz)$/.test(path);

async function linesOf(file: string, key: string): Promise<string[]> {
  try {
    return (await readFile(file, "utf8")).trim().split(/\r?\n/);
  } catch (cause) {
    throw new RefusedError("INVALID_RUNTIME_ENV", `runtimeEnv.${key}: ${(cause as Error).message}`, { cause });
  }
}
