import type { Hash } from "../ports/hash.ts";

/** A name-based UUID (RFC 9562 §5.5, version 5) in fetch-image's own namespace: the same name gives the same id. */
export function nameUuid(name: string, hash: Hash): string {
  const hex = hash.sha1Hex(namespace, name);
  const variant = variants[Number.parseInt(hex.charAt(16), 16) & 3] ?? "";
  // Joined: what a template makes is a tree of texts, made flat once more where it is stored.
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `5${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join("-");
}

/** The digit that holds the two bits of the variant, by the two below. */
const variants = ["8", "9", "a", "b"];

// Drawn once at random; permanent, since every stored id depends on it.
const namespace = Uint8Array.from("6f1d9b527c044a8e9d0a2b8f5e3c7a11".match(/../g) ?? [], (hex) =>
  Number.parseInt(hex, 16),
);
