import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, readdir, realpath, stat } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import { RayError, RefusedError } from "./errors.ts";
import { excluder } from "./exclusion.ts";
import { maxZipEntries, zip, type ZipEntry } from "./zip.ts";

/** What is uploaded for a job: its bytes, and the URI that names them in a runtime environment. */
export interface Package {
  /** `gcs://_ray_pkg_` + the SHA-1 of the bytes + the kind of archive: equal contents have equal names. */
  uri: string;
  bytes: Uint8Array;
  /** What is inside, sorted; folders only where they are empty. Undefined for an archive that was made elsewhere. */
  entries?: readonly { path: string; size: number }[];
}

/** What is left out of a package, and how it is laid out. */
export interface PackageOptions {
  /** Patterns of .gitignore, relative to the folder. */
  excludes?: readonly string[];
  /**
   * Leaves out `.git`, `.venv`, `venv` and `__pycache__` (or what RAY_OVERRIDE_RUNTIME_ENV_DEFAULT_EXCLUDES lists).
   * Default true.
   */
  defaultExcludes?: boolean;
  /** Heeds .gitignore files at every level. Default true, unless RAY_RUNTIME_ENV_IGNORE_GITIGNORE is 1. */
  gitignore?: boolean;
  /** Puts everything below the folder's own name, as `py_modules` wants it. Default false. */
  parentFolder?: boolean;
}

/** The most that one request to the dashboard may carry, in bytes. */
export const maxPackageBytes = 104_857_600;

/**
 * Packs a folder: equal contents give equal bytes, whatever their times, owners and order on disk. Of a file's mode the
 * right to execute is kept. What is left out is decided as by Ray's Python client: `excludes`, and the files .gitignore
 * and .rayignore at every level. Links are followed. Throws `INVALID_PACKAGE`, `PACKAGE_TOO_LARGE`.
 */
export async function packFolder(folder: string, options: PackageOptions = {}): Promise<Package> {
  const root = resolve(folder);
  const isFolder = await stat(root).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) throw invalid(`${folder} is no folder`);
  const { defaultExcludes = true, gitignore = process.env.RAY_RUNTIME_ENV_IGNORE_GITIGNORE !== "1" } = options;
  const patterns = [...(defaultExcludes ? excludesByDefault() : []), ...(options.excludes ?? [])];
  const ignoreFiles = gitignore ? [".gitignore", ".rayignore"] : [".rayignore"];
  const entries: ZipEntry[] = [];
  await walk("", [{ base: "", excludes: excluder(patterns) }], []).catch(unreadable);
  const prefix = options.parentFolder ? `${basename(root)}/` : "";
  return packEntries(entries.map((entry) => ({ ...entry, path: prefix + entry.path })));

  async function walk(path: string, inherited: readonly Scope[], above: readonly string[]): Promise<void> {
    const place = join(root, path);
    const found = await stat(place).catch(() => undefined);
    if (found?.isDirectory()) {
      const scopes = [...inherited, ...(await scopesOf(place, path, ignoreFiles))];
      if (scopes.some((scope) => scope.excludes(relative(scope.base, path)))) {
        // Python's client packs nothing then, and the job fails far from the cause
        if (path === "")
          throw invalid(`a pattern excludes ${folder} itself (as "*" and ".*" do), and so everything in it`);
        return;
      }
      const real = await realpath(place);
      if (above.includes(real)) throw invalid(`${place} is a link to a folder that holds it`);
      const names = await readdir(place);
      if (names.length === 0 && path !== "") entries.push({ path: `${path}/`, mode: 0o755, size: 0, read: empty });
      for (const name of names) await walk(path === "" ? name : `${path}/${name}`, scopes, [...above, real]);
    } else if (found?.isFile() && !inherited.some((scope) => scope.excludes(relative(scope.base, path)))) {
      entries.push({ path, mode: found.mode & 0o111 ? 0o755 : 0o644, size: found.size, read: () => readFile(place) });
    }
  }
}

/**
 * Packs files that are given by their contents. Paths have `/` and stay below the package; one that ends in `/` is an
 * empty folder. Throws `INVALID_PACKAGE`.
 */
export async function packFiles(files: Readonly<Record<string, string | Uint8Array>>): Promise<Package> {
  for (const path of Object.keys(files)) {
    if (/^\/|\\|(^|\/)\.{0,2}(\/|$)/.test(path.replace(/\/$/, "")))
      throw invalid(`${JSON.stringify(path)} is no path below the package`);
  }
  return packEntries(
    Object.entries(files).map(([path, content]) => {
      if (path.endsWith("/")) return { path, mode: 0o755, size: 0, read: empty };
      const bytes = typeof content === "string" ? Buffer.from(content) : content;
      return { path, mode: 0o644, size: bytes.length, read: async () => bytes };
    }),
  );
}

/** An archive or wheel that exists already (.zip, .tar.gz, .tgz, .tar.xz, .whl), as it is. Throws `INVALID_PACKAGE`. */
export async function packArchive(file: string): Promise<Package> {
  const extension = /\.(zip|tar\.gz|tgz|tar\.xz|whl)$/.exec(file)?.[0];
  if (extension === undefined || !existsSync(file)) {
    throw invalid(`${file} is neither a folder nor a .zip, .tar.gz, .tgz, .tar.xz or .whl file`);
  }
  checkSize((await stat(file)).size);
  const bytes = await readFile(file).catch(unreadable);
  // a wheel's name says what is in it, and pip reads it
  if (extension === ".whl") return { uri: `gcs://${basename(file)}`, bytes };
  return { uri: uriOf(bytes, extension === ".tgz" ? ".tar.gz" : extension), bytes };
}

/** A folder, a file of Python or an archive, as an element of `py_modules`. */
export async function packModule(path: string, excludes: readonly string[]): Promise<Package> {
  if (extname(path) === ".py") {
    return packFiles({
      [basename(path)]: await readFile(path).catch(() => Promise.reject(invalid(`${path} is no file`))),
    });
  }
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  return isFolder ? packFolder(path, { excludes, defaultExcludes: false, parentFolder: true }) : packArchive(path);
}

/** Patterns that hold from a folder on: `excludes` from the root, those of an ignore file from where it lies. */
interface Scope {
  base: string;
  excludes: (path: string) => boolean;
}

async function scopesOf(place: string, path: string, ignoreFiles: readonly string[]): Promise<Scope[]> {
  const texts = await Promise.all(
    ignoreFiles.map((name) => readFile(join(place, name), "utf8").catch(() => undefined)),
  );
  return texts
    .filter((text) => text !== undefined)
    .map((text) => ({ base: path, excludes: excluder(text.split(/\r\n|\r|\n/)) }));
}

/** The path as seen from a folder above it; the folder itself is `.`, which a pattern such as `*` matches too. */
function relative(base: string, path: string): string {
  const below = base === "" ? path : path.slice(base.length + 1);
  return below === "" ? "." : below;
}

async function packEntries(unsorted: readonly ZipEntry[]): Promise<Package> {
  const sorted = [...unsorted].sort((a, b) => (a.path < b.path ? -1 : 1));
  const entries = sorted.map(({ path, size }) => ({ path, size }));
  if (entries.length > maxZipEntries) throw invalid(`${entries.length} files; an archive holds ${maxZipEntries}`);
  // before anything is read: a folder may hold more than the memory does
  checkSize(
    entries.reduce((sum, { size }) => sum + size, 0),
    entries,
  );
  const bytes = await zip(sorted).catch(unreadable);
  checkSize(bytes.length, entries);
  return { uri: uriOf(bytes, ".zip"), bytes, entries };
}

function checkSize(size: number, entries: readonly { path: string; size: number }[] = []): void {
  if (size <= maxPackageBytes) return;
  const largest = [...entries].sort((a, b) => b.size - a.size).slice(0, 3);
  const told = largest.map((entry) => `${entry.path} (${Math.ceil(entry.size / 1e6)} MB)`).join(", ");
  throw new RefusedError(
    "PACKAGE_TOO_LARGE",
    `a package of ${size} bytes; the dashboard takes ${maxPackageBytes} at most. ` +
      `${told === "" ? "Put" : `The largest files are ${told}: exclude them, or put`} it where a remote URI leads to`,
  );
}

const uriOf = (bytes: Uint8Array, extension: string): string =>
  `gcs://_ray_pkg_${createHash("sha1").update(bytes).digest("hex")}${extension}`;

const excludesByDefault = (): string[] =>
  (process.env.RAY_OVERRIDE_RUNTIME_ENV_DEFAULT_EXCLUDES ?? ".git,.venv,venv,__pycache__")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");

const empty = async (): Promise<Uint8Array> => new Uint8Array();

const invalid = (message: string, cause?: unknown): RefusedError =>
  new RefusedError("INVALID_PACKAGE", message, { cause });

function unreadable(cause: unknown): never {
  throw cause instanceof RayError ? cause : invalid((cause as Error).message, cause);
}
