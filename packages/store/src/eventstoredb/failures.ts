import {
  AccessDeniedError,
  CancelledError,
  convertToCommandError,
  DeadlineExceededError,
  isCommandError,
  MaxAppendSizeExceededError,
  NotLeaderError,
  StreamDeletedError,
  StreamNotFoundError,
  UnavailableError,
  WrongExpectedVersionError,
} from "@eventstore/db-client";

/** What went wrong with a call, as far as it decides what happens next. */
export type Failure =
  /** `actual`: undefined where the stream does not exist. */
  | { readonly kind: "wrong-revision"; readonly actual: bigint | undefined }
  | { readonly kind: "not-found" }
  | { readonly kind: "deleted" }
  | { readonly kind: "too-large"; readonly largest: number }
  | { readonly kind: "denied"; readonly text: string }
  | { readonly kind: "defect"; readonly error: Error }
  | {
      readonly kind: "passing";
      readonly text: string;
      /** Whether the server may have got what was sent. */
      readonly sent: boolean;
      /** Whether the connection is no good any more. */
      readonly broken: boolean;
    };

/** A call that we gave up, or never made. */
export class GivenUp extends Error {
  readonly sent: boolean;
  readonly broken: boolean;

  constructor(text: string, { sent, broken }: { readonly sent: boolean; readonly broken: boolean }) {
    super(text);
    this.sent = sent;
    this.broken = broken;
  }
}

export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof GivenUp) {
    return { kind: "passing", text: thrown.message, sent: thrown.sent, broken: thrown.broken };
  }
  // A refused connection comes as gRPC's own error, unlike every other failure.
  const error = thrown instanceof Error ? convertToCommandError(thrown) : new Error(String(thrown));
  if (error instanceof WrongExpectedVersionError) {
    const { actualVersion } = error;
    return { kind: "wrong-revision", actual: typeof actualVersion === "bigint" ? actualVersion : undefined };
  }
  if (error instanceof StreamNotFoundError) return { kind: "not-found" };
  if (error instanceof StreamDeletedError) return { kind: "deleted" };
  if (error instanceof MaxAppendSizeExceededError) return { kind: "too-large", largest: error.maxAppendSize };
  // Not one of the client's: where it is not about the connection, it is a defect.
  if (!isCommandError(error) && !isNeverSent(error)) return { kind: "defect", error };
  if (error instanceof AccessDeniedError) return { kind: "denied", text: words(error) };
  return { kind: "passing", text: words(error), sent: !isNeverSent(error), broken: isBroken(error) };
}

/** The connection, or the node at its end, is not the one to go on with; the server's own "not now" is no such thing. */
function isBroken(error: Error): boolean {
  if (error instanceof UnavailableError || error instanceof CancelledError || error instanceof NotLeaderError)
    return true;
  // With gRPC's error behind it, nobody answered; without, the server did.
  if (error instanceof DeadlineExceededError) return error.code !== undefined;
  return !isCommandError(error);
}

const neverSent =
  /No connection established|Name resolution failed|Failed to discover|has been shut down|before call started/;

function isNeverSent(error: Error): boolean {
  return neverSent.test(error.message);
}

function words(error: Error): string {
  if (error instanceof NotLeaderError) return `the leader is ${error.leader.address}:${error.leader.port}`;
  if (error instanceof DeadlineExceededError) return "the server did not finish in time";
  const text = error.message
    .replace(/^\d+ [A-Z_]+: /, "")
    .replace(/^Could not recognize /, "the server says: ")
    // gRPC's frame around what the network said.
    .replace(/[.] Last error: (?:Error: )?(.*?)[.] Resolution note: *$/, ": $1");
  return text === "" ? "the server does not say why" : text;
}
