/** Time, handed in. Milliseconds since the Unix epoch. */
export interface Clock {
  now(): number;
  /** Calls `callback` once, `ms` from now; the returned function cancels it. */
  after(ms: number, callback: () => void): () => void;
}
