/**
 * For Node, in processes that live for seconds: V8 optimizes a WebAssembly function once it has run so often. The embedded
 * PostgreSQL of a test is over before that pays, and costs three times the processor time.
 */
export const shortLived: readonly string[] = ["--liftoff-only"];
