/** Synchronous hashing of UTF-8 text, handed in so that core needs no I/O library. */
export interface Hash {
  /** 20 bytes. Used for name-based UUIDs (RFC 9562 §5.5) only. */
  sha1(bytes: Uint8Array): Uint8Array;
  /** 64 lower-case hex digits. */
  sha256Hex(text: string): string;
}
