/** The permissions of an archive's entries by path, as its directory has them. */
export function modesOf(archive: Uint8Array): Record<string, number> {
  const bytes = Buffer.from(archive);
  const modes: Record<string, number> = {};
  for (let at = bytes.indexOf("PK\x01\x02"); at >= 0; at = bytes.indexOf("PK\x01\x02", at + 4)) {
    const nameLength = bytes.readUInt16LE(at + 28);
    modes[bytes.toString("utf8", at + 46, at + 46 + nameLength)] = (bytes.readUInt32LE(at + 38) >>> 16) & 0o777;
  }
  return modes;
}
