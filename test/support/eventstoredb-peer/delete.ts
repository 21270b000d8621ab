import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import type { DeleteReq, DeleteResp, TombstoneReq, TombstoneResp } from "@eventstore/db-client/generated/streams_pb.js";
import streamsMessages from "@eventstore/db-client/generated/streams_pb.js";
import { expectedRevision } from "./expected-revision.ts";
import type { AppendOutcome, StoredEvent } from "./log.ts";
import { isDenied, type NodeContext } from "./node-context.ts";
import { accessDenied, streamDeleted, wrongExpectedVersion } from "./refusals.ts";
import { empty, positionOf, streamOf } from "./wire.ts";

const { DeleteResp: Deleted, TombstoneResp: Tombstoned } = streamsMessages;

/** Streams.Delete: readers find nothing any more, appends go on where the stream was. */
export function deleteStream(
  node: NodeContext,
  call: ServerUnaryCall<DeleteReq, DeleteResp>,
  reply: sendUnaryData<DeleteResp>,
): void {
  const last = remove(node, call.request.getOptions(), (stream, expected) => node.log.delete(stream, expected));
  const response = new Deleted();
  if (last === undefined) response.setNoPosition(empty());
  else response.setPosition(positionOf(new Deleted.Position(), last));
  reply(null, response);
}

/** Streams.Tombstone: the name is used up for ever. */
export function tombstoneStream(
  node: NodeContext,
  call: ServerUnaryCall<TombstoneReq, TombstoneResp>,
  reply: sendUnaryData<TombstoneResp>,
): void {
  const last = remove(node, call.request.getOptions(), (stream, expected) => node.log.tombstone(stream, expected));
  const response = new Tombstoned();
  if (last === undefined) response.setNoPosition(empty());
  else response.setPosition(positionOf(new Tombstoned.Position(), last));
  reply(null, response);
}

function remove(
  node: NodeContext,
  options: ReturnType<DeleteReq["getOptions"]> | ReturnType<TombstoneReq["getOptions"]>,
  act: (stream: string, expected: bigint) => AppendOutcome,
): StoredEvent | undefined {
  const stream = streamOf(options);
  if (isDenied(node.faults, stream)) throw accessDenied();
  const expected = expectedRevision(options);
  const outcome = act(stream, expected);
  if (outcome.kind === "deleted") throw streamDeleted(stream);
  if (outcome.kind === "wrong-revision") throw wrongExpectedVersion(stream, expected, outcome.actual);
  return outcome.last;
}
