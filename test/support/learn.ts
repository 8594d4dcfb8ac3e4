import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { environmentWith } from "../../ray-node-client/test/environment.ts";

const packages = ["scikit-learn==1.3.2", "numpy<2", "matplotlib<3.8", "tensorboardX==2.6.2.2"];
/** What the source package asks for before it says what it is; nothing is compiled. */
const forSource = ["cython<3", "setuptools<70", "wheel"];
const release = "1.0.2";
const environment = new URL("../../.cache/learn", import.meta.url).pathname;

/** A Python with scikit-learn, matplotlib and a tracker, from PyPI: installed once, some 400 MB. @throws CannotInstall */
export const learningPython = (): string => environmentWith(environment, [...packages, ...forSource]);

/** An example of scikit-learn as its source package holds it, which pip fetches once. */
export function exampleOfScikitLearn(path: string): string {
  const [name, source] = [`scikit-learn-${release}`, join(environment, "source")];
  const archive = join(source, `${name}.tar.gz`);
  const pip = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"];
  if (!existsSync(archive))
    run(learningPython(), "-m", "pip", ...pip, "--no-binary", ":all:", "--dest", source, `scikit-learn==${release}`);
  run("tar", "-xzf", archive, "-C", source, `${name}/examples/${path}`);
  return readFileSync(join(source, name, "examples", path), "utf8");
}

function run(program: string, ...args: string[]): void {
  const ran = spawnSync(program, args, { encoding: "utf8" });
  if (ran.status === 0) return;
  const why = ran.stderr || String(ran.error);
  throw new Error(`the tests on programs in Python cannot run: ${program} ${args.join(" ")}: ${why}`);
}
