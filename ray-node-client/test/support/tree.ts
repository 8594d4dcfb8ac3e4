import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Makes a folder of files by their paths: text, `null` for an empty folder, `{ link }` for a symbolic link. */
export function tree(files: Readonly<Record<string, string | null | { link: string }>>): string {
  const root = mkdtempSync(join(tmpdir(), "tree-"));
  for (const [path, content] of Object.entries(files)) {
    const place = join(root, path);
    mkdirSync(content === null ? place : dirname(place), { recursive: true });
    if (typeof content === "string") writeFileSync(place, content);
    else if (content !== null) symlinkSync(content.link, place);
  }
  return root;
}

/** A folder with most of what decides what is packed. */
export const trickyTree = {
  ".gitignore":
    "*.log\n!keep.log\nbuild/\n/only-root\n# a comment\n\\#hash\n\\!bang\n  spaced  \ndoc/*.txt\ndeep/**/x\n",
  ".rayignore": "secret.*\r\nnested/ignored\r\n",
  ".git/config": "",
  ".venv/bin/python": "",
  "venv/x": "",
  "__pycache__/a.pyc": "",
  "pkg/__pycache__/a.pyc": "",
  "a.log": "",
  "keep.log": "",
  "build/out": "",
  "build/keep.log": "",
  "src/build/out": "",
  "only-root": "",
  "src/only-root": "",
  "#hash": "",
  "!bang": "",
  spaced: "",
  "doc/a.txt": "",
  "doc/sub/a.txt": "",
  "deep/x": "",
  "deep/a/b/x": "",
  "deep/a/b/y": "",
  "secret.key": "",
  "src/secret.key": "",
  "nested/ignored/a": "",
  "nested/kept/a": "",
  "nested/.gitignore": "*\n",
  "own/.gitignore": "local\n!a.log\n",
  "own/local": "",
  "own/a.log": "",
  "own/sub/local": "",
  "own/sub/.rayignore": "!local\nmore\n",
  "own/sub/more": "",
  "own/more": "",
  empty: null,
  "build-like/build": "",
  "src/empty": null,
  "ü/naïve.txt": "",
  "space d/a b": "",
  "run.sh": "#!/bin/sh\n",
  "linked-file": { link: "run.sh" },
  "linked-folder": { link: "src" },
  "linked-nowhere": { link: "nosuch" },
} as const;
