import { setImmediate as turn } from "node:timers/promises";
import { Zip, ZipDeflate } from "fflate";

/** A file of an archive, or an empty folder, whose path then ends in a slash. */
export interface ZipEntry {
  path: string;
  /** Permissions, as in 0o755. */
  mode: number;
  read: () => Promise<Uint8Array>;
}

/** The earliest time that the format knows. Local time, as the format means it, so that the bytes are the same everywhere. */
const epoch = new Date(1980, 0, 1);

/**
 * A zip archive of the entries in their order, and the size of each before compression. A function of paths, modes and
 * contents alone: compressed by plain JavaScript, whose result, unlike zlib's, is the same on every machine.
 */
export async function zip(entries: readonly ZipEntry[]): Promise<{ bytes: Uint8Array; sizes: number[] }> {
  const chunks: Uint8Array[] = [];
  const sizes: number[] = [];
  const archive = new Zip((error, chunk) => {
    if (error) throw error;
    chunks.push(chunk);
  });
  for (const { path, mode, read } of entries) {
    const isFolder = path.endsWith("/");
    const file = new ZipDeflate(path, { level: 6 });
    file.mtime = epoch;
    file.os = 3; // Unix: the upper half of the attributes is the mode
    file.attrs = (((isFolder ? 0o040000 : 0o100000) | mode) << 16) >>> 0;
    archive.add(file);
    const content = await read();
    sizes.push(content.length);
    file.push(content, true);
    await turn(); // others get a turn between two files
  }
  archive.end();
  return { bytes: Buffer.concat(chunks), sizes };
}
