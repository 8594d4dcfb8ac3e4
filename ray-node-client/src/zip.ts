import { setImmediate as turn } from "node:timers/promises";
import { crc32 } from "node:zlib";

/** A file of an archive, or an empty folder, whose path then ends in a slash. */
export interface ZipEntry {
  path: string;
  /** Permissions, as in 0o755. */
  mode: number;
  /** In bytes, as far as it is known before reading. */
  size: number;
  read: () => Promise<Uint8Array>;
}

/** The most entries that the format counts without its extension for large archives. */
export const maxZipEntries = 65_535;

/**
 * A zip archive of the entries in their order: a function of paths, modes and contents alone, on every machine. Nothing
 * is compressed, as by Ray's Python client: zlib's bytes differ between versions and processors.
 */
export async function zip(entries: readonly ZipEntry[]): Promise<Uint8Array> {
  const body: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { path, mode, read } of entries) {
    const content = await read();
    const name = Buffer.from(path);
    const common = commonFields(name.length, content);
    const local = Buffer.concat([uint32(0x04034b50), common, name]);
    body.push(local, content);
    const type = path.endsWith("/") ? 0o040000 : 0o100000;
    directory.push(
      uint32(0x02014b50),
      uint16((3 << 8) | 20), // made by Unix: the upper half of the attributes is the mode
      common,
      Buffer.alloc(6), // no comment, one disk, no hint at text
      uint32((((type | mode) << 16) >>> 0) + (type === 0o040000 ? 0x10 : 0)),
      uint32(offset),
      name,
    );
    offset += local.length + content.length;
    await turn(); // others get a turn between two files
  }
  const index = Buffer.concat(directory);
  const count = uint16(entries.length);
  const end = [
    uint32(0x06054b50),
    Buffer.alloc(4),
    count,
    count,
    uint32(index.length),
    uint32(offset),
    Buffer.alloc(2),
  ];
  return Buffer.concat([...body, index, ...end]);
}

/** What an entry's own header and its line in the directory both say. */
function commonFields(nameLength: number, content: Uint8Array): Buffer {
  return Buffer.concat([
    uint16(20), // the version of the format
    uint16(0x0800), // names are UTF-8
    uint16(0), // not compressed
    uint16(0),
    uint16((1 << 5) | 1), // midnight of 1980-01-01, the earliest time that the format knows
    uint32(crc32(content)),
    uint32(content.length),
    uint32(content.length),
    uint16(nameLength),
    uint16(0),
  ]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
