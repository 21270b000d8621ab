/** Synchronous hashing, handed in so that core needs no I/O library. Texts are hashed as UTF-8. */
export interface Hash {
  /** 20 bytes: SHA-1 over `prefix` and then `text`. Used for name-based UUIDs (RFC 9562 §5.5) only. */
  sha1(prefix: Uint8Array, text: string): Uint8Array;
  /** 64 lower-case hex digits. */
  sha256Hex(text: string): string;
}
