import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import { python } from "./install.ts";

/** A Python process that answers one question at a time: the competitors, and the tasks that live there. */
export class Bridge {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];

  constructor() {
    const script = new URL("bridge.py", import.meta.url).pathname;
    this.#child = spawn(python(), [script], { stdio: ["pipe", "pipe", "pipe"] });
    let told = "";
    this.#child.stderr.on("data", (text: Buffer) => (told = (told + text.toString()).slice(-2000)));
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#waiting.shift()?.resolve(line));
    this.#child.on("exit", (code) => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(`the bridge ended with ${code}: ${told}`));
    });
  }

  /** @throws what Python raised */
  async ask<T>(request: object): Promise<T> {
    const line = await new Promise<string>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    });
    const answer = JSON.parse(line) as T & { error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  close(): void {
    this.#child.stdin.end();
  }
}
