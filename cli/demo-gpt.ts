import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "./package-root.ts";

const shipped = ["bilevel.config.ts", "examples/gpt-pretrain-cpu"];

/** Lays the example of GPT pretraining, with its config, into `bilevel-gpt` of this folder; what is there already stays as it is. */
export function layOutGpt(cwd: string): { folder: string; isNew: boolean } {
  const folder = join(cwd, "bilevel-gpt");
  const isNew = !existsSync(join(folder, "bilevel.config.ts"));
  if (isNew)
    for (const path of shipped)
      cpSync(new URL(path, packageRoot), join(folder, path), {
        recursive: true,
        filter: (from) => !from.includes(".bilevel"),
      });
  return { folder, isNew };
}
