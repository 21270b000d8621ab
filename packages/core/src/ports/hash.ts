/** Synchronous hashing, handed in so that core needs no I/O library. Texts are hashed as UTF-8. */
export interface Hash {
  /** SHA-1 over `prefix` and then `text`, as 40 lower-case hex digits. For name-based UUIDs (RFC 9562 §5.5) only. */
  sha1Hex(prefix: Uint8Array, text: string): string;
  /** 64 lower-case hex digits. */
  sha256Hex(text: string): string;
}
