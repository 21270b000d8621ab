import { type sendUnaryData, type ServerReadableStream } from "@grpc/grpc-js";
import type { AppendReq, AppendResp } from "@eventstore/db-client/generated/streams_pb.js";
import streamsMessages from "@eventstore/db-client/generated/streams_pb.js";
import { anyRevision, streamExists } from "./check-append.ts";
import { expectedRevision } from "./expected-revision.ts";
import { type AppendOutcome, noStream, type ProposedEvent } from "./log.ts";
import { delayed, isDenied, losesAnswer, type NodeContext } from "./node-context.ts";
import { accessDenied, appendTooLarge, missingProperty, streamDeleted } from "./refusals.ts";
import { empty, positionOf, proposedEvent, sizeOf, streamOf } from "./wire.ts";

const { AppendResp: Response } = streamsMessages;

/** Streams.Append: one append in a call of its own. A revision that does not fit is an answer, not an error. */
export async function append(
  node: NodeContext,
  call: ServerReadableStream<AppendReq, AppendResp>,
  reply: sendUnaryData<AppendResp>,
): Promise<void> {
  let options: ReturnType<AppendReq["getOptions"]>;
  const events: ProposedEvent[] = [];
  let size = 0;
  for await (const request of call as AsyncIterable<AppendReq>) {
    if (request.hasOptions()) {
      options = request.getOptions();
      continue;
    }
    const event = proposedEvent(request.getProposedMessage());
    if (event === undefined) throw missingProperty();
    size += sizeOf(event);
    if (size > node.faults.maxAppendSize) throw appendTooLarge(node.faults.maxAppendSize);
    events.push(event);
  }
  const stream = streamOf(options);
  if (isDenied(node.faults, stream)) throw accessDenied();
  const expected = expectedRevision(options);
  await delayed(node);
  const outcome = node.log.append(stream, expected, events);
  if (losesAnswer(node)) return;
  if (outcome.kind === "deleted") throw streamDeleted(stream);
  reply(null, answer(outcome, expected));
}

function answer(outcome: Exclude<AppendOutcome, { kind: "deleted" }>, expected: bigint): AppendResp {
  const response = new Response();
  if (outcome.kind === "wrong-revision") {
    const wrong = new Response.WrongExpectedVersion();
    if (outcome.actual === noStream) wrong.setCurrentNoStream(empty());
    else wrong.setCurrentRevision(outcome.actual.toString());
    if (expected === noStream) wrong.setExpectedNoStream(empty());
    else if (expected === streamExists) wrong.setExpectedStreamExists(empty());
    else if (expected === anyRevision) wrong.setExpectedAny(empty());
    else wrong.setExpectedRevision(expected.toString());
    response.setWrongExpectedVersion(wrong);
    return response;
  }
  const success = new Response.Success();
  if (outcome.revision === noStream) success.setNoStream(empty());
  else success.setCurrentRevision(outcome.revision.toString());
  if (outcome.last === undefined) success.setNoPosition(empty());
  else success.setPosition(positionOf(new Response.Position(), outcome.last));
  response.setSuccess(success);
  return response;
}
