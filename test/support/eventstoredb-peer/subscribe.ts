import { randomUUID } from "node:crypto";
import type { ReadResp } from "@eventstore/db-client/generated/streams_pb.js";
import streamsMessages from "@eventstore/db-client/generated/streams_pb.js";
import { passes } from "./filter.ts";
import { type StoredEvent, tombstoneRevision } from "./log.ts";
import type { NodeContext } from "./node-context.ts";
import type { Reader } from "./read.ts";
import { streamDeleted } from "./refusals.ts";
import { positionOf, streamOf } from "./wire.ts";

const { ReadResp: Response } = streamsMessages;

/** How many events the server looks at between two checkpoints where the client does not say. */
const defaultWindow = 32;

/** From after a revision, for ever. "Caught up" is said once; not about a stream that does not exist yet. */
export async function subscribeToStream({ log }: NodeContext, reader: Reader): Promise<void> {
  const from = reader.options.getStream();
  const stream = streamOf(from);
  if (log.lastRevision(stream) === tombstoneRevision) throw streamDeleted(stream);
  let last =
    from?.hasStart() === true
      ? -1n
      : from?.hasEnd() === true
        ? log.lastRevision(stream)
        : BigInt(from?.getRevision() ?? "0");
  let told = false;
  await reader.send(confirmation());
  while (reader.isOpen()) {
    const visible = log.visible(stream);
    if (visible === "tombstoned") throw streamDeleted(stream);
    const fresh = visible === "not-found" ? [] : visible.filter(({ revision }) => revision > last);
    for (const event of fresh) {
      if (!reader.isOpen()) return;
      await reader.event(event);
      last = event.revision;
    }
    if (log.lastRevision(stream) > last && visible !== "not-found") continue;
    if (!told && visible !== "not-found") {
      told = true;
      await reader.send(caughtUp());
      continue;
    }
    if (log.lastRevision(stream) <= last || visible === "not-found") await reader.changed();
  }
}

/** Everything from after a position, filtered, with a checkpoint every so many events looked at. */
export async function subscribeToAll({ log, askedFrom }: NodeContext, reader: Reader): Promise<void> {
  const { options } = reader;
  const from = options.getAll();
  askedFrom.push(from?.hasPosition() === true ? BigInt(from.getPosition()?.getCommitPosition() ?? "0") : -1n);
  let index =
    from?.hasStart() === true
      ? 0
      : from?.hasEnd() === true
        ? log.events.length
        : log.indexOf(BigInt(from?.getPosition()?.getCommitPosition() ?? "0") + 1n);
  const filter = options.getFilter();
  const window = filter?.hasMax() === true ? filter.getMax() : defaultWindow;
  const interval = window * Math.max(1, filter?.getCheckpointintervalmultiplier() ?? 1);
  let considered = 0;
  let told = false;
  await reader.send(confirmation());
  while (reader.isOpen()) {
    for (; index < log.events.length && reader.isOpen(); index++) {
      const event = log.events[index];
      if (event === undefined) return;
      if (passes(filter, event)) await reader.event(event);
      if (filter !== undefined && ++considered % interval === 0) await reader.send(checkpoint(event));
    }
    if (!told) {
      told = true;
      await reader.send(caughtUp());
    } else if (index >= log.events.length) {
      await reader.changed();
    }
  }
}

function confirmation(): ReadResp {
  const confirmation = new Response.SubscriptionConfirmation();
  confirmation.setSubscriptionId(randomUUID());
  const message = new Response();
  message.setConfirmation(confirmation);
  return message;
}

function caughtUp(): ReadResp {
  const message = new Response();
  message.setCaughtUp(new Response.CaughtUp());
  return message;
}

function checkpoint(event: StoredEvent): ReadResp {
  const message = new Response();
  message.setCheckpoint(positionOf(new Response.Checkpoint(), event));
  return message;
}
