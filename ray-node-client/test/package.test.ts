import { unzipSync } from "fflate";
import { chmodSync, cpSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { maxPackageBytes, packArchive, packFiles, packFolder } from "ray-node-client";
import { tree, trickyTree } from "./support/tree.ts";
import { modesOf } from "./support/zip-modes.ts";

const folders: string[] = [];
const made = (files: Parameters<typeof tree>[0]): string => {
  const folder = tree(files);
  folders.push(folder);
  return folder;
};
afterEach(() => {
  vi.unstubAllEnvs();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});
const paths = async (folder: string, options: Parameters<typeof packFolder>[1] = {}): Promise<string[]> =>
  ((await packFolder(folder, options)).entries ?? []).map(({ path }) => path);
const invalid = expect.objectContaining({ kind: "refused", code: "INVALID_PACKAGE" }) as Error;

describe("a package", () => {
  it("rj_3_3 rj_3_5 has the same bytes and the same name wherever and whenever its folder is packed", async () => {
    const folder = made(trickyTree);
    const copy = join(made({}), "copy");
    cpSync(folder, copy, { recursive: true, verbatimSymlinks: true });
    for (const file of ["run.sh", "keep.log"]) utimesSync(join(copy, file), 1, 1);
    const [one, other] = [await packFolder(folder), await packFolder(copy)];
    expect(Buffer.compare(one.bytes, other.bytes)).toBe(0);
    expect(one.uri).toBe(other.uri);
    writeFileSync(join(copy, "run.sh"), "#!/bin/sh\necho changed\n");
    expect((await packFolder(copy)).uri).not.toBe(one.uri);
  });

  it.runIf(process.platform === "linux")("says which file cannot be read", async () => {
    const folder = made({ "data.bin": { link: "/proc/self/mem" } });
    await expect(packFolder(folder)).rejects.toThrow(invalid);
  });

  it("rj_3_5 has the bytes that it has always had", async () => {
    const { uri } = await packFiles({ "a.txt": "a".repeat(1000), "b/ü.txt": "b" });
    expect(uri).toMatchInlineSnapshot(`"gcs://_ray_pkg_3cd9b74ac6522f49cd8a2e2f7e9c54bd82c8d91c.zip"`);
  });

  it("rj_3_5 keeps text, and the right to execute", async () => {
    const folder = made({ "run.sh": "#!/bin/sh", "data.txt": "ü", empty: null });
    chmodSync(join(folder, "run.sh"), 0o700);
    chmodSync(join(folder, "data.txt"), 0o600);
    const { bytes } = await packFolder(folder);
    expect(modesOf(bytes)).toEqual({ "data.txt": 0o644, "empty/": 0o755, "run.sh": 0o755 });
    expect(Buffer.from(unzipSync(bytes)["data.txt"] ?? []).toString()).toBe("ü");
  });

  it("rj_3_4 of contents may have an empty folder", async () => {
    expect(modesOf((await packFiles({ "empty/": "", "a/b.txt": "b" })).bytes)).toEqual({
      "a/b.txt": 0o644,
      "empty/": 0o755,
    });
    await expect(packFiles({ "/": "" })).rejects.toThrow(invalid);
  });

  it("rj_3_4 leaves out what patterns and ignore files say, and no more", async () => {
    const folder = made(trickyTree);
    expect(await paths(folder, { excludes: ["/own", "doc/"] })).toMatchInlineSnapshot(`
      [
        ".gitignore",
        ".rayignore",
        "build-like/build",
        "deep/a/b/y",
        "empty/",
        "keep.log",
        "linked-file",
        "linked-folder/empty/",
        "linked-folder/only-root",
        "run.sh",
        "space d/a b",
        "src/empty/",
        "src/only-root",
        "ü/naïve.txt",
      ]
    `);
  });

  it("rj_3_4 follows links, but not round in a circle", async () => {
    const folder = made({ "a/file": "", link: { link: "a" } });
    expect(await paths(folder)).toEqual(["a/file", "link/file"]);
    symlinkSync("..", join(folder, "a", "up"));
    await expect(packFolder(folder)).rejects.toThrow(invalid);
  });

  it("rj_3_4 heeds the settings that Ray's Python client has in the environment", async () => {
    const folder = made({ ".gitignore": "a", a: "", "venv/b": "" });
    expect(await paths(folder)).toEqual([".gitignore"]);
    vi.stubEnv("RAY_RUNTIME_ENV_IGNORE_GITIGNORE", "1");
    vi.stubEnv("RAY_OVERRIDE_RUNTIME_ENV_DEFAULT_EXCLUDES", "");
    expect(await paths(folder)).toEqual([".gitignore", "a", "venv/b"]);
  });

  it("rj_3_4 is refused where a pattern excludes the folder itself, and so everything", async () => {
    await expect(packFolder(made({ ".rayignore": ".*\n", "main.py": "" }))).rejects.toThrow(invalid);
  });

  it("rj_3_2 lies below its folder's name where it is a module", async () => {
    const folder = made({ "mod/a.py": "" });
    expect(await paths(join(folder, "mod"), { parentFolder: true })).toEqual(["mod/a.py"]);
  });

  it("rj_3_6 is refused above the limit, with its largest files", async () => {
    const folder = made({ "large.zip": "", "small.txt": "x" });
    truncateSync(join(folder, "large.zip"), maxPackageBytes + 1);
    const refused = expect.objectContaining({ code: "PACKAGE_TOO_LARGE" }) as Error;
    await expect(packArchive(join(folder, "large.zip"))).rejects.toThrow(refused);
    await expect(packFolder(folder)).rejects.toThrow(refused);
    await expect(packFolder(folder)).rejects.toThrow("large.zip (105 MB), small.txt (1 MB)");
  });

  it.each(["", "/a", "a//b", "../a", "a/./b", "a\\b"])("refuses the path %j", async (path) => {
    await expect(packFiles({ [path]: "" })).rejects.toThrow(invalid);
  });

  it("rj_3_3 of a ready archive is named by its contents, of a wheel by its name", async () => {
    const folder = made({ "a.tgz": "x", "b.whl": "x", "c.rar": "x" });
    expect((await packArchive(join(folder, "a.tgz"))).uri).toBe(
      "gcs://_ray_pkg_11f6ad8ec52a2984abaafd7c3b516503785c2072.tar.gz",
    );
    expect((await packArchive(join(folder, "b.whl"))).uri).toBe("gcs://b.whl");
    await expect(packArchive(join(folder, "c.rar"))).rejects.toThrow(invalid);
  });
});
