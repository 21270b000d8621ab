import type { ServerDuplexStream } from "@grpc/grpc-js";
import codes from "@eventstore/db-client/generated/code_pb.js";
import type { UUID } from "@eventstore/db-client/generated/shared_pb.js";
import sharedMessages from "@eventstore/db-client/generated/shared_pb.js";
import statusMessages from "@eventstore/db-client/generated/status_pb.js";
import type { BatchAppendReq, BatchAppendResp } from "@eventstore/db-client/generated/streams_pb.js";
import streamsMessages from "@eventstore/db-client/generated/streams_pb.js";
import { anyRevision, streamExists } from "./check-append.ts";
import { expectedRevision } from "./expected-revision.ts";
import { noStream, type ProposedEvent } from "./log.ts";
import { delayed, isDenied, losesAnswer, type NodeContext } from "./node-context.ts";
import { googleEmpty, identifier, packed, positionOf, proposedEvent, sizeOf, streamOf, uuidOf } from "./wire.ts";

const { AccessDenied, AllStreamPosition, MaximumAppendSizeExceeded, StreamDeleted, Timeout, WrongExpectedVersion } =
  sharedMessages;
const { BatchAppendResp: Response } = streamsMessages;
const { Status } = statusMessages;

type Call = ServerDuplexStream<BatchAppendReq, BatchAppendResp>;

interface PendingAppend {
  readonly id: UUID | undefined;
  readonly stream: string;
  readonly expected: bigint;
  readonly events: ProposedEvent[];
  size: number;
}

/** Streams.BatchAppend: appends of any streams, in parts, over one call; each is answered by its correlation id. */
export async function batchAppend(node: NodeContext, call: Call): Promise<void> {
  const pending = new Map<string, PendingAppend>();
  for await (const request of call as AsyncIterable<BatchAppendReq>) {
    const id = request.getCorrelationId();
    const key = uuidOf(id);
    const options = request.getOptions();
    if (options !== undefined) {
      const begun = begin(id, options);
      if (isDenied(node.faults, begun.stream)) refuse(call, begun, "AccessDenied", new AccessDenied());
      else if (isLate(options, node.faults.clockAheadMs)) refuse(call, begun, "Timeout", new Timeout());
      else pending.set(key, begun);
    }
    const append = pending.get(key);
    if (append === undefined) continue;
    for (const message of request.getProposedMessagesList()) {
      const event = proposedEvent(message);
      if (event === undefined) continue;
      append.size += sizeOf(event);
      append.events.push(event);
    }
    if (append.size > node.faults.maxAppendSize) {
      pending.delete(key);
      const tooLarge = new MaximumAppendSizeExceeded();
      tooLarge.setMaxappendsize(node.faults.maxAppendSize);
      refuse(call, append, "MaximumAppendSizeExceeded", tooLarge);
      continue;
    }
    if (!request.getIsFinal()) continue;
    pending.delete(key);
    await delayed(node);
    carryOut(node, call, append);
  }
  call.end();
}

function begin(id: UUID | undefined, options: NonNullable<ReturnType<BatchAppendReq["getOptions"]>>): PendingAppend {
  const expected = expectedRevision({
    hasRevision: () => options.hasStreamPosition(),
    getRevision: () => options.getStreamPosition(),
    hasNoStream: () => options.hasNoStream(),
    hasStreamExists: () => options.hasStreamExists(),
  });
  return { id, stream: streamOf(options), expected, events: [], size: 0 };
}

/** The deadline is a time of the client's clock: a client whose clock is behind is refused whatever it asks. */
function isLate(options: NonNullable<ReturnType<BatchAppendReq["getOptions"]>>, aheadMs: number): boolean {
  const deadline = options.getDeadline();
  return deadline !== undefined && deadline.toDate().getTime() <= Date.now() + aheadMs;
}

function carryOut(node: NodeContext, call: Call, append: PendingAppend): void {
  if (node.faults.notReady > 0) {
    node.faults.notReady--;
    refuse(call, append, "google.protobuf.Empty", googleEmpty(), "Server Is Not Ready");
    return;
  }
  const outcome = node.log.append(append.stream, append.expected, append.events);
  if (losesAnswer(node)) return;
  if (node.faults.timeouts > 0) {
    node.faults.timeouts--;
    refuse(call, append, "Timeout", new Timeout());
    return;
  }
  switch (outcome.kind) {
    case "deleted": {
      const deleted = new StreamDeleted();
      deleted.setStreamIdentifier(identifier(append.stream));
      return refuse(call, append, "StreamDeleted", deleted);
    }
    case "wrong-revision":
      return refuse(call, append, "WrongExpectedVersion", wrongVersion(append.expected, outcome.actual));
    case "appended": {
      const success = new Response.Success();
      success.setCurrentRevision(outcome.revision.toString());
      if (outcome.last === undefined) success.setNoPosition(googleEmpty());
      else success.setPosition(positionOf(new AllStreamPosition(), outcome.last));
      return answer(call, append, (response) => response.setSuccess(success));
    }
  }
}

function wrongVersion(expected: bigint, actual: bigint): InstanceType<typeof WrongExpectedVersion> {
  const wrong = new WrongExpectedVersion();
  if (actual === noStream) wrong.setCurrentNoStream(googleEmpty());
  else wrong.setCurrentStreamRevision(actual.toString());
  if (expected === noStream) wrong.setExpectedNoStream(googleEmpty());
  else if (expected === streamExists) wrong.setExpectedStreamExists(googleEmpty());
  else if (expected === anyRevision) wrong.setExpectedAny(googleEmpty());
  else wrong.setExpectedStreamPosition(expected.toString());
  return wrong;
}

function refuse(
  call: Call,
  append: PendingAppend,
  detail: string,
  message: { serializeBinary(): Uint8Array },
  text: string = detail,
): void {
  const error = new Status();
  error.setCode(codes.Code.UNKNOWN);
  error.setMessage(text);
  error.setDetails(packed(message, detail.includes(".") ? detail : `event_store.client.${detail}`));
  answer(call, append, (response) => response.setError(error));
}

function answer(call: Call, { id, stream }: PendingAppend, fill: (response: BatchAppendResp) => unknown): void {
  const response = new Response();
  response.setCorrelationId(id);
  response.setStreamIdentifier(identifier(stream));
  fill(response);
  call.write(response);
}
