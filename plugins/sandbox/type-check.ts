import { fork, type ChildProcess } from "node:child_process";
import type { Problem } from "./scan.ts";

const deadlineMs = 5_000; // for a file, on a warm process
const startMs = 20_000; // more for a process that has yet to load the compiler
const memoryMb = 512;

const checkerFile = new URL(import.meta.url.endsWith(".ts") ? "./checker.ts" : "./checker.js", import.meta.url);

/** Keeps one checking process warm between files; what does not answer in time is ended and told as a problem of the file. */
export class TypeCheck {
  #child?: ChildProcess;
  #order: Promise<unknown> = Promise.resolve();

  /** What imports, forms and types of the file are against; empty where nothing is. */
  problems(code: string): Promise<Problem[]> {
    const result = this.#order.then(async () => {
      if (!this.#child) await this.#ask("export {};", startMs); // loads the compiler and the kit's types
      return this.#ask(code, deadlineMs);
    });
    this.#order = result.catch(() => undefined);
    return result;
  }

  close(): void {
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
  }

  #start(): ChildProcess {
    const child = fork(checkerFile, {
      env: {},
      execArgv: [`--max-old-space-size=${memoryMb}`, "--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const forget = (): void => {
      if (this.#child === child) this.#child = undefined;
    };
    return child.on("exit", forget).on("error", forget); // one that ends between two files is replaced for the next
  }

  #ask(code: string, withinMs: number): Promise<Problem[]> {
    const child = (this.#child ??= this.#start());
    return new Promise((resolve) => {
      const end = (problems: Problem[]): void => {
        clearTimeout(timer);
        child.off("message", answer).off("exit", died).off("error", never);
        child.unref();
        child.channel?.unref();
        resolve(problems);
      };
      const give = (message: string) => (): void => {
        this.close();
        end([{ check: "types", message }]);
      };
      const timer = setTimeout(
        give(`its types could not be checked within ${deadlineMs / 1000} s: make them simpler`),
        withinMs,
      );
      child.ref();
      child.channel?.ref();
      const answer = (problems: unknown): void => end(problems as Problem[]);
      const died = give("checking its types took too much memory: make them simpler");
      const never = give("the type checker could not be started");
      child.once("message", answer).once("exit", died).once("error", never);
      child.send(code);
    });
  }
}
