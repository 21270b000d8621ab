import { anyRevision, streamExists } from "./check-append.ts";
import { noStream } from "./log.ts";

interface RevisionOptions {
  hasNoStream(): boolean;
  hasStreamExists(): boolean;
  hasRevision(): boolean;
  getRevision(): string;
}

/** The revision that an append or a delete expects, as a number: the special ones are negative. */
export function expectedRevision(options: RevisionOptions | undefined): bigint {
  if (options?.hasRevision() === true) return BigInt(options.getRevision());
  if (options?.hasNoStream() === true) return noStream;
  return options?.hasStreamExists() === true ? streamExists : anyRevision;
}
