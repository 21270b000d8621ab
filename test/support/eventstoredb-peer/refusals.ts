import { Metadata, type ServiceError, status } from "@grpc/grpc-js";

/** An error as the server ends a call with: a status, and trailers by which the client tells what happened. */
function refusal(
  code: status,
  details: string,
  trailers: { readonly [name: string]: string | number } = {},
): ServiceError {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, String(value));
  return Object.assign(new Error(details), { code, details, metadata });
}

export const streamDeleted = (stream: string): ServiceError =>
  refusal(status.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
    exception: "stream-deleted",
    "stream-name": stream,
  });

export const wrongExpectedVersion = (stream: string, expected: bigint, actual: bigint): ServiceError =>
  refusal(
    status.FAILED_PRECONDITION,
    `Delete failed due to WrongExpectedVersion. Stream: ${stream}, Expected version: ${expected}, Actual version: ${actual}`,
    {
      exception: "wrong-expected-version",
      "stream-name": stream,
      "expected-version": String(expected),
      "actual-version": String(actual),
    },
  );

export const appendTooLarge = (largest: number): ServiceError =>
  refusal(status.INVALID_ARGUMENT, `Maximum Append Size of ${largest} Exceeded.`, {
    exception: "maximum-append-size-exceeded",
    "maximum-append-size": largest,
  });

export const missingProperty = (): ServiceError =>
  refusal(status.INVALID_ARGUMENT, "Required Metadata Property 'type' is missing", {
    exception: "missing-required-metadata-property",
    "required-metadata-properties": "type,content-type",
  });

export const notLeader = (host: string, port: number): ServiceError =>
  refusal(status.NOT_FOUND, "Leader info available", {
    exception: "not-leader",
    "leader-endpoint-host": host,
    "leader-endpoint-port": port,
  });

export const accessDenied = (): ServiceError =>
  refusal(status.PERMISSION_DENIED, "Access Denied", { exception: "access-denied" });

export const unauthenticated = (): ServiceError => refusal(status.UNAUTHENTICATED, "Unauthenticated");

/** What a server that is going down ends its calls with. */
export const cancelledByServer = (): ServiceError => refusal(status.CANCELLED, "Cancelled on server");

export const brokenDown = (error: unknown): ServiceError => refusal(status.UNKNOWN, String(error));
