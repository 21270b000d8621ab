import { once } from "node:events";
import type { ServerWritableStream } from "@grpc/grpc-js";
import type { ReadReq, ReadResp } from "@eventstore/db-client/generated/streams_pb.js";
import streamsMessages from "@eventstore/db-client/generated/streams_pb.js";
import { passes } from "./filter.ts";
import type { StoredEvent } from "./log.ts";
import { delayed, isDenied, type NodeContext } from "./node-context.ts";
import { accessDenied, streamDeleted } from "./refusals.ts";
import { subscribeToAll, subscribeToStream } from "./subscribe.ts";
import { eventMessage, identifier, streamOf } from "./wire.ts";

const { ReadReq: Request, ReadResp: Response } = streamsMessages;

export type ReadOptions = NonNullable<ReturnType<ReadReq["getOptions"]>>;

/** The client's side of a read or subscription. */
export interface Reader {
  readonly options: ReadOptions;
  readonly isOpen: () => boolean;
  send(message: ReadResp): Promise<void>;
  event(event: StoredEvent): Promise<void>;
  /** Resolves when something was appended, or the call has ended. */
  changed(): Promise<void>;
}

/** Streams.Read: a stream or everything, once or for ever. */
export async function read(node: NodeContext, call: ServerWritableStream<ReadReq, ReadResp>): Promise<void> {
  const options = call.request.getOptions();
  if (options === undefined) return;
  const what = options.hasStream() ? streamOf(options.getStream()) : "$all";
  if (isDenied(node.faults, what)) throw accessDenied();
  await delayed(node);
  const reader = readerOf(node, call, options);
  if (options.hasSubscription())
    await (what === "$all" ? subscribeToAll(node, reader) : subscribeToStream(node, reader));
  else await (what === "$all" ? readAll(node, reader) : readStream(node, reader));
  if (reader.isOpen()) call.end();
}

function readerOf(node: NodeContext, call: ServerWritableStream<ReadReq, ReadResp>, options: ReadOptions): Reader {
  let open = true;
  const closed = new Promise<void>((resolve) => {
    for (const event of ["cancelled", "error", "close"]) {
      call.on(event, () => {
        open = false;
        resolve();
      });
    }
  });
  const send = async (message: ReadResp): Promise<void> => {
    if (open && !call.write(message)) await Promise.race([once(call, "drain").catch(() => undefined), closed]);
  };
  return {
    options,
    isOpen: () => open,
    send,
    async event(event) {
      await send(eventMessage(event));
      const { faults } = node;
      if (faults.cutAfterEvents === undefined || --faults.cutAfterEvents > 0) return;
      faults.cutAfterEvents = undefined;
      await node.cut();
    },
    changed: async () => {
      const stop = new AbortController();
      await Promise.race([once(node.log, "appended", { signal: stop.signal }).catch(() => undefined), closed]);
      stop.abort();
    },
  };
}

async function readStream({ log }: NodeContext, reader: Reader): Promise<void> {
  const { options } = reader;
  const from = options.getStream();
  const stream = streamOf(from);
  const visible = log.visible(stream);
  if (visible === "tombstoned") throw streamDeleted(stream);
  if (visible === "not-found") {
    const notFound = new Response.StreamNotFound();
    notFound.setStreamIdentifier(identifier(stream));
    const message = new Response();
    message.setStreamNotFound(notFound);
    return reader.send(message);
  }
  const backwards = isBackwards(options);
  const at = from?.hasStart() === true ? 0n : from?.hasEnd() === true ? undefined : BigInt(from?.getRevision() ?? "0");
  const asked = backwards
    ? visible.filter(({ revision }) => at === undefined || revision <= at).toReversed()
    : visible.filter(({ revision }) => at !== undefined && revision >= at);
  const count = BigInt(options.getCount());
  for (const [index, event] of asked.entries()) {
    if (BigInt(index) >= count || !reader.isOpen()) return;
    await reader.event(event);
  }
}

async function readAll({ log, askedFrom }: NodeContext, reader: Reader): Promise<void> {
  const { options } = reader;
  const from = options.getAll();
  const backwards = isBackwards(options);
  let index =
    from?.hasStart() === true
      ? 0
      : from?.hasEnd() === true
        ? log.events.length
        : log.indexOf(BigInt(from?.getPosition()?.getCommitPosition() ?? "0"));
  if (!backwards)
    askedFrom.push(from?.hasPosition() === true ? BigInt(from.getPosition()?.getCommitPosition() ?? "0") : -1n);
  // Forwards the position itself is part of what is read, backwards it is not.
  if (backwards) index--;
  const filter = options.getFilter();
  let left = BigInt(options.getCount());
  for (; left > 0n && reader.isOpen(); index += backwards ? -1 : 1) {
    const event = log.events[index];
    if (event === undefined) return;
    if (!passes(filter, event)) continue;
    left--;
    await reader.event(event);
  }
}

function isBackwards(options: ReadOptions): boolean {
  return options.getReadDirection() === Request.Options.ReadDirection.BACKWARDS;
}
