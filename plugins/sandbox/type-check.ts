import { fork, type ChildProcess } from "node:child_process";
import type { Problem } from "./scan.ts";

const mostSeconds = 5; // of the processor, for a file
const patienceMs = 120_000; // by the clock, for one that gets next to nothing of the processor
const memoryMb = 512;

const checkerFile = new URL(import.meta.url.endsWith(".ts") ? "./checker.ts" : "./checker.js", import.meta.url);

/** Keeps one checking process warm between files; what does not answer in time is ended and told as a problem of the file. */
export class TypeCheck {
  #child?: ChildProcess;
  #order: Promise<unknown> = Promise.resolve();

  /** What imports, forms and types of the file are against; empty where nothing is. */
  problems(code: string): Promise<Problem[]> {
    const result = this.#order.then(() => this.#ask(code));
    this.#order = result.catch(() => undefined);
    return result;
  }

  close(): void {
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
  }

  #start(): ChildProcess {
    const child = fork(checkerFile, [String(mostSeconds)], {
      detached: true, // ^C in a terminal is for who asked: a check that it ended would be told as the file's fault
      env: {},
      execArgv: [`--max-old-space-size=${memoryMb}`, "--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const forget = (): void => {
      if (this.#child === child) this.#child = undefined;
    };
    return child.on("exit", forget).on("error", forget); // one that ends between two files is replaced for the next
  }

  #ask(code: string): Promise<Problem[]> {
    const child = (this.#child ??= this.#start());
    return new Promise((resolve) => {
      const end = (problems: Problem[]): void => {
        clearTimeout(timer);
        child.off("message", answer).off("exit", died).off("error", never);
        child.unref();
        child.channel?.unref();
        resolve(problems);
      };
      const give = (reason: string): void => {
        this.close();
        end([{ check: "types", message: `${reason}: make them simpler` }]);
      };
      const slow = (seconds: number): void => give(`its types could not be checked within ${seconds} s`);
      const timer = setTimeout(slow, patienceMs, patienceMs / 1000);
      child.ref();
      child.channel?.ref();
      const answer = (problems: unknown): void => end(problems as Problem[]);
      const died = (_code: number | null, signal: string | null): void =>
        signal === "SIGTERM" ? slow(mostSeconds) : give("checking its types took too much memory");
      const never = (): void => end([{ check: "types", message: "the type checker could not be started" }]);
      child.once("message", answer).once("exit", died).once("error", never);
      child.send(code);
    });
  }
}
