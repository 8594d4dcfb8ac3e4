import { RefusedError } from "./errors.ts";
import type { RuntimeEnv } from "./runtime-env.ts";

type Check = (value: unknown, path: string) => void;

/**
 * Throws `INVALID_RUNTIME_ENV` for what Ray would ignore (an unknown key), or accept and then fail the job for: a value
 * of the wrong type, two installers at once, a package URI without a known ending.
 */
export function checkRuntimeEnv(env: RuntimeEnv): void {
  fields(known)(env, "runtimeEnv");
  const installers = (["pip", "uv", "conda"] as const).filter((key) => env[key] !== undefined);
  if (installers.length > 1) throw invalid("runtimeEnv", `${installers.join(" and ")} exclude each other`);
}

const expect =
  (what: string, is: (value: unknown) => boolean): Check =>
  (value, path) => {
    if (!is(value)) throw invalid(path, `expected ${what}, received ${JSON.stringify(value) ?? typeof value}`);
  };

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
const text = expect("a string that is not empty", isText);
const flag = expect("true or false", (value) => typeof value === "boolean");
const record = expect("an object", isRecord);
const texts: Check = (value, path) => {
  if (!Array.isArray(value)) throw invalid(path, "expected a list of strings");
  value.forEach((element, index) => text(element, `${path}[${index}]`));
};

const either =
  (...checks: readonly [is: (value: unknown) => boolean, check: Check][]): Check =>
  (value, path) => {
    const check = checks.find(([is]) => is(value))?.[1];
    if (check === undefined) throw invalid(path, `received ${JSON.stringify(value) ?? typeof value}`);
    check(value, path);
  };

const fields =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value, path) => {
    record(value, path);
    for (const [key, element] of Object.entries(value as object)) {
      if (element === undefined) continue;
      const check = checks[key];
      if (check === undefined) throw invalid(path, `unknown key ${key}; known are ${Object.keys(checks).join(", ")}`);
      check(element, `${path}.${key}`);
    }
  };

/** A URI of a package must end as Ray can unpack it; what is no URI lies on this machine. */
const place =
  (endings: RegExp): Check =>
  (value, path) => {
    text(value, path);
    const [, scheme, rest = ""] = /^([a-z][a-z0-9+.-]+):\/\/([^?]*)/i.exec(value as string) ?? [];
    if (scheme === undefined) return;
    if (scheme === "local") return expect("local:// and an absolute path", () => rest.startsWith("/"))(value, path);
    if (!endings.test(rest)) throw invalid(path, `${rest} does not end in ${endings.source.replace(/[\\$()]/g, "")}`);
  };

const lists: [(value: unknown) => boolean, Check] = [Array.isArray, texts];
const seconds = expect(
  "a whole number of seconds, or -1",
  (value) => Number.isInteger(value) && ((value as number) > 0 || value === -1),
);

const known: Readonly<Record<keyof RuntimeEnv, Check>> = {
  working_dir: place(/\.(zip|tar\.gz|tgz|tar\.xz)$/),
  py_modules: (value, path) => {
    texts(value, path);
    (value as string[]).forEach((module, index) =>
      place(/\.(zip|whl|tar\.gz|tgz|tar\.xz)$/)(module, `${path}[${index}]`),
    );
  },
  py_executable: text,
  pip: either([isText, text], lists, [
    isRecord,
    fields({ packages: either([isText, text], lists), pip_check: flag, pip_version: text, pip_install_options: texts }),
  ]),
  uv: either([isText, text], lists, [
    isRecord,
    fields({ packages: texts, uv_check: flag, uv_version: text, uv_pip_install_options: texts }),
  ]),
  conda: either(
    [isText, expect("a name or an object (a .yaml file is not read)", (value) => !/\.ya?ml$/.test(value as string))],
    [isRecord, record],
  ),
  env_vars: (value, path) => {
    record(value, path);
    const string = expect("a string", (element) => typeof element === "string");
    for (const [name, element] of Object.entries(value as object)) string(element, `${path}.${name}`);
  },
  excludes: texts,
  container: record,
  image_uri: text,
  config: fields({ setup_timeout_seconds: seconds, eager_install: flag, log_files: texts }),
  worker_process_setup_hook: text,
  java_jars: texts,
};

const invalid = (path: string, message: string): RefusedError =>
  new RefusedError("INVALID_RUNTIME_ENV", `${path}: ${message}`);
