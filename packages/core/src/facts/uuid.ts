import type { Hash } from "../ports/hash.ts";

/** A name-based UUID (RFC 9562 §5.5, version 5) in fetch-image's own namespace: the same name gives the same id. */
export function nameUuid(name: string, hash: Hash): string {
  const bytes = hash.sha1(namespace, name).slice(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  let text = "";
  bytes.forEach((byte, index) => {
    if (index === 4 || index === 6 || index === 8 || index === 10) text += "-";
    text += byteHex[byte];
  });
  return text;
}

const byteHex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

// Drawn once at random; permanent, since every stored id depends on it: 6f1d9b52-7c04-4a8e-9d0a-2b8f5e3c7a11.
const namespace = Uint8Array.of(
  ...[0x6f, 0x1d, 0x9b, 0x52, 0x7c, 0x04, 0x4a, 0x8e],
  ...[0x9d, 0x0a, 0x2b, 0x8f, 0x5e, 0x3c, 0x7a, 0x11],
);
