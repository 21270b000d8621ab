import { connect as connectSocket, type Socket } from "node:net";
import { FetchImageError, type SubscribeOptions, type SubscriptionMessage } from "@fetch-image/core/fetching";
import {
  documents,
  errorFromWire,
  messageFromWire,
  protocolVersion,
  type Question,
  type Questions,
  type Received,
  send,
} from "./protocol.ts";
import { withSocketPath } from "./socket-path.ts";

/** How long a holder may be busy, opening the store for the first time say, before it is taken for gone. */
const greetingMs = 60_000;

/** Where the holder answers: its directory, and the socket's name in it or absolute path. */
export interface HolderAddress {
  readonly directory: string;
  readonly socket: string;
}

/** One connection to a holder, for calls that are answered once. Every rejection is a `FetchImageError`. */
export class Connection {
  readonly #address: HolderAddress;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #ended: FetchImageError | undefined;

  private constructor(address: HolderAddress, { socket, received }: Greeted) {
    this.#address = address;
    this.#socket = socket;
    // A question that waits keeps the process alive; an idle connection does not.
    socket.unref();
    void this.#receive(received);
  }

  static async open(address: HolderAddress): Promise<Connection> {
    return new Connection(address, await greeted(address));
  }

  ask<Name extends Question>(call: Name, asked: Questions[Name]["asked"]): Promise<Questions[Name]["answer"]> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended);
        return;
      }
      const id = ++this.#next;
      this.#waiting.set(id, { resolve, reject });
      this.#socket.ref();
      send(this.#socket, { ...asked, id, call }).catch(reject);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  async #receive(received: AsyncGenerator<Received, void>): Promise<void> {
    try {
      for await (const document of received) {
        if ("error" in document) this.#take(document.id)?.reject(errorFromWire(document.error));
        else if ("result" in document) this.#take(document.id)?.resolve(document.result);
      }
    } catch {
      // Broken or ended, it comes to the same.
    }
    this.#ended = holderGone(this.#address);
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#socket.unref();
    return waiting;
  }
}

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: unknown) => void;
}

/** One subscription on a connection of its own, until the consumer leaves or the holder goes. */
export async function* subscribeTo(
  address: HolderAddress,
  { signal, ...options }: SubscribeOptions,
): AsyncGenerator<SubscriptionMessage, void> {
  const { socket, received } = await greeted(address);
  const end = (): void => void socket.destroy();
  signal.addEventListener("abort", end, { once: true });
  try {
    if (signal.aborted) return;
    const subscription = { id: 1, call: "subscribe", options } as const;
    await send(socket, subscription);
    for await (const document of received) {
      if ("error" in document) throw errorFromWire(document.error);
      if ("message" in document) yield messageFromWire(document.message);
    }
  } catch (error) {
    if (signal.aborted) return;
    throw FetchImageError.is(error) ? error : holderGone(address);
  } finally {
    signal.removeEventListener("abort", end);
    socket.destroy();
  }
  if (!signal.aborted) throw holderGone(address);
}

interface Greeted {
  readonly socket: Socket;
  readonly received: AsyncGenerator<Received, void>;
}

async function greeted(address: HolderAddress): Promise<Greeted> {
  const socket = await withSocketPath(address.directory, address.socket, open).catch(() => {
    throw holderGone(address);
  });
  const received = documents(socket);
  socket.setTimeout(greetingMs, () => socket.destroy());
  const first = await received.next().catch(() => undefined);
  socket.setTimeout(0);
  const greeting = first?.value;
  if (greeting === undefined || !("fetch-image" in greeting)) {
    socket.destroy();
    throw holderGone(address);
  }
  if (greeting.version !== protocolVersion) {
    socket.destroy();
    throw new FetchImageError("FI_STORE_TOO_NEW", {
      message: `${address.directory}: the process that holds it speaks version ${greeting.version} to its readers, this one ${protocolVersion}`,
      hint: "Use the same version of fetch-image as the process that holds the directory.",
    });
  }
  return { socket, received };
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(path);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.on("error", () => socket.destroy());
      resolve(socket);
    });
  });
}

function holderGone({ directory }: HolderAddress): FetchImageError {
  return new FetchImageError("FI_STORE_UNAVAILABLE", {
    message: `${directory}: the process that held it no longer answers`,
    hint: "Open the directory again.",
  });
}
