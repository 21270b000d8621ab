// The protocol's messages, which the client's own package carries, and what they say in our words.
import { createRequire } from "node:module";
import type { UUID } from "@eventstore/db-client/generated/shared_pb.js";
import sharedMessages from "@eventstore/db-client/generated/shared_pb.js";
import type { Status } from "@eventstore/db-client/generated/status_pb.js";
import streamsMessages from "@eventstore/db-client/generated/streams_pb.js";
import { type ProposedEvent, type StoredEvent, text } from "./log.ts";

const { Empty, StreamIdentifier, UUID: Uuid } = sharedMessages;
const { ReadResp } = streamsMessages;

interface Message {
  serializeBinary(): Uint8Array;
}

interface WellKnown {
  readonly Any: new () => NonNullable<ReturnType<Status["getDetails"]>>;
  readonly Empty: new () => Message;
}

// google-protobuf is the client's dependency, not ours: taken from where the client finds it.
const fromClient = createRequire(createRequire(import.meta.url).resolve("@eventstore/db-client"));
const anyModule: Pick<WellKnown, "Any"> = fromClient("google-protobuf/google/protobuf/any_pb");
const emptyModule: Pick<WellKnown, "Empty"> = fromClient("google-protobuf/google/protobuf/empty_pb");

export const empty = (): InstanceType<typeof Empty> => new Empty();

/** `google.protobuf.Empty`, which the newer messages use in place of the protocol's own; untyped in what is generated. */
export const googleEmpty = (): ReturnType<typeof empty> => new emptyModule.Empty() as ReturnType<typeof empty>;

export function packed(message: Message, type: string): InstanceType<WellKnown["Any"]> {
  const any = new anyModule.Any();
  any.pack(message.serializeBinary(), type);
  return any;
}

export function identifier(stream: string): InstanceType<typeof StreamIdentifier> {
  const identifier = new StreamIdentifier();
  identifier.setStreamName(new Uint8Array(Buffer.from(stream, "utf8")));
  return identifier;
}

export function streamOf(
  holder: { getStreamIdentifier(): ReturnType<typeof identifier> | undefined } | undefined,
): string {
  return text(holder?.getStreamIdentifier()?.getStreamName_asU8() ?? new Uint8Array());
}

export function uuid(value: string): UUID {
  const message = new Uuid();
  message.setString(value);
  return message;
}

export function uuidOf(message: UUID | undefined): string {
  const halves = message?.getStructured();
  if (halves === undefined) return (message?.getString() ?? "").toLowerCase();
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64BE(BigInt(halves.getMostSignificantBits()), 0);
  bytes.writeBigInt64BE(BigInt(halves.getLeastSignificantBits()), 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

interface ProposedMessage {
  getId(): UUID | undefined;
  getMetadataMap(): { get(key: string): string | undefined };
  getData_asU8(): Uint8Array;
  getCustomMetadata_asU8(): Uint8Array;
}

/** The event in a message; undefined where one of its two obligatory fields is missing. */
export function proposedEvent(message: ProposedMessage | undefined): ProposedEvent | undefined {
  const fields = message?.getMetadataMap();
  const type = fields?.get("type");
  const contentType = fields?.get("content-type");
  if (message === undefined || type === undefined || contentType === undefined) return undefined;
  return {
    id: uuidOf(message.getId()),
    type,
    isJson: contentType === "application/json",
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}

/** What an event counts towards the server's largest append. */
export function sizeOf({ data, metadata, type }: ProposedEvent): number {
  return data.length + metadata.length + 2 * type.length;
}

export function eventMessage(event: StoredEvent): InstanceType<typeof ReadResp> {
  const recorded = new ReadResp.ReadEvent.RecordedEvent();
  recorded.setId(uuid(event.id));
  recorded.setStreamIdentifier(identifier(event.stream));
  recorded.setStreamRevision(event.revision.toString());
  recorded.setCommitPosition(event.position.toString());
  recorded.setPreparePosition(event.position.toString());
  const fields = recorded.getMetadataMap();
  fields.set("type", event.type);
  fields.set("created", (BigInt(event.created) * 10_000n).toString());
  fields.set("content-type", event.isJson ? "application/json" : "application/octet-stream");
  recorded.setData(event.data);
  recorded.setCustomMetadata(event.metadata);
  const read = new ReadResp.ReadEvent();
  read.setEvent(recorded);
  read.setCommitPosition(event.position.toString());
  const message = new ReadResp();
  message.setEvent(read);
  return message;
}

export function positionOf<
  T extends { setCommitPosition(value: string): unknown; setPreparePosition(value: string): unknown },
>(message: T, event: StoredEvent): T {
  message.setCommitPosition(event.position.toString());
  message.setPreparePosition(event.position.toString());
  return message;
}
