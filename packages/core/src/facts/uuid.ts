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

// Drawn once at random; permanent, since every stored id depends on it.
const namespace = Uint8Array.from("6f1d9b527c044a8e9d0a2b8f5e3c7a11".match(/../g) ?? [], (hex) =>
  Number.parseInt(hex, 16),
);
