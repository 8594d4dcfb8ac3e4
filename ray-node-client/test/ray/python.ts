import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { bin } from "./install.ts";

/** Ray's own Python client, asked through test/ray/parity.py. */
export class Python implements AsyncDisposable {
  readonly #child = spawn(bin("python"), [new URL("parity.py", import.meta.url).pathname], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { PATH: process.env.PATH, RAY_AUTH_MODE: "disabled", RAY_LOG_TO_STDERR: "0" },
  });
  readonly #answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();

  /** The answer of a function of parity.py. One at a time. */
  async ask(question: string, args: object): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify([question, args])}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`Python ended without an answer to ${question}`);
    return JSON.parse(value) as unknown;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await new Promise((resolve) => (this.#child.exitCode === null ? this.#child.on("exit", resolve) : resolve(null)));
  }
}
