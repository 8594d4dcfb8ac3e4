import { TypeCheck } from "../../plugins/sandbox/index.ts";

/** host-checker.ts: says when it has given the checker types that compute for ever, and waits for the answer. */
const types = new TypeCheck();
await types.problems("export {};");
const bomb = types.problems(
  "type P<T, K = T> = [T] extends [never] ? [] : K extends K ? [K, ...P<Exclude<T, K>>] : never;\nexport const x: P<1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9> = 0 as never;",
);
process.stdout.write("asked\n");
await bomb;
