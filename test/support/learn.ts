import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const packages = ["scikit-learn==1.3.2", "numpy<2", "matplotlib<3.8", "tensorboardX==2.6.2.2"];
/** What the source package asks for before it says what it is; nothing is compiled. */
const forSource = ["cython<3", "setuptools<70", "wheel"];
const release = "1.0.2";
const environment = new URL("../../.cache/learn", import.meta.url).pathname;
const python = join(environment, "bin", "python");

/** A Python with scikit-learn, matplotlib and a tracker, from PyPI: installed once, some 400 MB. */
export function learningPython(): string {
  const whole = join(environment, "installed");
  if (existsSync(whole) && readFileSync(whole, "utf8") === packages.join()) return python;
  rmSync(environment, { recursive: true, force: true });
  mkdirSync(environment, { recursive: true });
  run("python3", "-m", "venv", environment);
  run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages, ...forSource);
  writeFileSync(whole, packages.join());
  return python;
}

/** An example of scikit-learn as its source package holds it, which pip fetches once. */
export function exampleOfScikitLearn(path: string): string {
  const [name, source] = [`scikit-learn-${release}`, join(environment, "source")];
  const archive = join(source, `${name}.tar.gz`);
  const pip = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"];
  if (!existsSync(archive))
    run(python, "-m", "pip", ...pip, "--no-binary", ":all:", "--dest", source, `scikit-learn==${release}`);
  run("tar", "-xzf", archive, "-C", source, `${name}/examples/${path}`);
  return readFileSync(join(source, name, "examples", path), "utf8");
}

function run(program: string, ...args: string[]): void {
  const ran = spawnSync(program, args, { encoding: "utf8" });
  if (ran.status === 0) return;
  const why = ran.stderr || String(ran.error);
  throw new Error(`the tests on programs in Python cannot run: ${program} ${args.join(" ")}: ${why}`);
}
