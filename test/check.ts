import { spawn } from "node:child_process";

/** All checks but the tests themselves, at the same time; of those that fail, the whole output. */
const checks: Readonly<Record<string, readonly string[]>> = {
  types: ["tsc", "--noEmit", "-p", "."],
  format: ["prettier", "--check", "."],
  lint: ["eslint", "."],
  imports: ["depcruise", "--output-type", "err", "core", "kit", "plugins", "presets", "cli", "ray-node-client"],
  "unused code": ["knip"],
  "affected tests": ["vitest", "run", "--project", "quick", "--changed", "--passWithNoTests"],
};

const root = new URL("..", import.meta.url).pathname;
const results = await Promise.all(
  Object.entries(checks).map(
    ([name, [program = "", ...args]]) =>
      new Promise<boolean>((resolve) => {
        const started = performance.now();
        const child = spawn(`${root}node_modules/.bin/${program}`, args, {
          cwd: root,
          stdio: ["ignore", "pipe", "pipe"],
        });
        let output = "";
        child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
        child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
        child.on("close", (code) => {
          const seconds = ((performance.now() - started) / 1000).toFixed(1);
          console.log(`${code === 0 ? "ok  " : "FAIL"}  ${name.padEnd(15)} ${seconds} s`);
          if (code !== 0) console.log(output);
          resolve(code === 0);
        });
      }),
  ),
);
const failed = results.filter((isGood) => !isGood).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
