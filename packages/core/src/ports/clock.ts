/** Time, handed in. Milliseconds since the Unix epoch. */
export interface Clock {
  now(): number;
  /** Calls `callback` once, `ms` from now; the returned function cancels it. Never keeps a process alive by itself. */
  after(ms: number, callback: () => void): () => void;
}
