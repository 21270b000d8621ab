import { connect, type Socket } from "node:net";
import {
  type EventLog,
  FetchImageError,
  type ReadModel,
  type SubscribeOptions,
  type SubscriptionMessage,
} from "@fetch-image/core";
import { lines, writeLine } from "./lines.ts";
import {
  type ErrorOnWire,
  factFromWire,
  messageFromWire,
  type Method,
  pageFromWire,
  type Reply,
  versionFromWire,
} from "./messages.ts";
import { connectingPath } from "./socket-path.ts";

/** A store that another process holds, for reading. */
export interface ReaderConnection {
  /** Its `append` rejects with `FI_STORE_LOCKED`. */
  readonly eventLog: EventLog;
  /** Its `apply` and `reset` reject with `FI_STORE_LOCKED`. */
  readonly readModel: ReadModel;
  close(): Promise<void>;
}

/** Connects to the process that holds the directory. Rejects with `FI_STORE_UNAVAILABLE` where none answers. */
export async function connectReader(directory: string): Promise<ReaderConnection> {
  const socket = connect(connectingPath(directory));
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
  } catch (error) {
    throw gone(directory, error);
  }
  const client = new ReaderClient(socket, directory);
  const locked = () =>
    Promise.reject(
      new FetchImageError("FI_STORE_LOCKED", {
        message: `${directory} is open for reading: another process writes it`,
      }),
    );
  const close = () => client.close();
  return {
    eventLog: {
      append: locked,
      async read(stream, { from, ...options } = {}) {
        const asked = { ...options, ...(from === undefined ? {} : { from: String(from) }) };
        const facts = await client.ask<Parameters<typeof factFromWire>[0][]>("read", stream, asked);
        return facts.map(factFromWire);
      },
      async readAll(options) {
        return pageFromWire(await client.ask("readAll", options));
      },
      subscribe: (options) => client.subscribe(options),
      close,
    },
    readModel: {
      checkpoint: () => client.askOptional("checkpoint"),
      apply: locked,
      reset: locked,
      build: (buildId) => client.askOptional("build", buildId),
      builds: (options) => client.ask("builds", options),
      imagesOfBuild: (buildId) => client.ask("imagesOfBuild", buildId),
      imagesByDigest: (digest, options) => client.ask("imagesByDigest", digest, options),
      scopes: (filter) => client.ask("scopes", filter),
      async versions(scope) {
        const rows = await client.ask<Parameters<typeof versionFromWire>[0][]>("versions", scope);
        return rows.map(versionFromWire);
      },
      close,
    },
    close,
  };
}

class ReaderClient {
  readonly #socket: Socket;
  readonly #directory: string;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #nextId = 1;

  constructor(socket: Socket, directory: string) {
    this.#socket = socket;
    this.#directory = directory;
    // The end of the connection is what ends every question; the error before it adds nothing.
    socket.on("error", () => {});
    void this.#listen();
  }

  ask<T>(method: Method, ...parameters: readonly unknown[]): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#send(method, parameters, (reply, id) => {
        this.#waiting.delete(id);
        if ("result" in reply) resolve(reply.result);
        else reject("error" in reply ? errorFromWire(reply.error) : gone(this.#directory));
      });
    });
  }

  /** JSON's null stands for what is not there. */
  async askOptional<T>(method: Method, ...parameters: readonly unknown[]): Promise<T | undefined> {
    return (await this.ask<T | null>(method, ...parameters)) ?? undefined;
  }

  async *subscribe({ signal, ...options }: SubscribeOptions): AsyncIterable<SubscriptionMessage> {
    const queue: Reply[] = [];
    let wake: () => void = () => {};
    const id = this.#send("subscribe", [options], (reply) => {
      queue.push(reply);
      wake();
    });
    const onAbort = () => {
      wake();
    };
    signal.addEventListener("abort", onAbort);
    try {
      while (!signal.aborted) {
        const reply = queue.shift();
        if (reply === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
            if (signal.aborted || queue.length > 0) resolve();
          });
        } else if ("next" in reply) {
          yield messageFromWire(reply.next);
        } else if ("error" in reply) {
          throw errorFromWire(reply.error);
        } else {
          return;
        }
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#waiting.delete(id);
      void writeLine(this.#socket, { cancel: id });
    }
  }

  async close(): Promise<void> {
    this.#socket.destroy();
  }

  #send(method: Method, parameters: readonly unknown[], take: (reply: Reply, id: number) => void): number {
    const id = this.#nextId++;
    this.#waiting.set(id, (reply) => {
      take(reply, id);
    });
    if (this.#socket.destroyed) take({ id, error: wireOf(gone(this.#directory)) }, id);
    else void writeLine(this.#socket, { id, method, parameters });
    return id;
  }

  async #listen(): Promise<void> {
    try {
      for await (const line of lines(this.#socket)) {
        const reply: Reply = JSON.parse(line);
        this.#waiting.get(reply.id)?.(reply);
      }
    } catch {
      // Told below, as an end without an error is.
    }
    for (const [id, take] of this.#waiting) take({ id, error: wireOf(gone(this.#directory)) });
  }
}

function gone(directory: string, cause?: unknown): FetchImageError {
  return new FetchImageError("FI_STORE_UNAVAILABLE", {
    message: `the process that holds ${directory} does not answer readers`,
    hint: "Try again; if it lasts, look whether that process still runs.",
    ...(cause === undefined ? {} : { cause }),
  });
}

function wireOf({ code, message, hint, details }: FetchImageError): ErrorOnWire {
  return { code, message, hint, details };
}

function errorFromWire({ code, message, hint, details }: ErrorOnWire): FetchImageError {
  return new FetchImageError(code, { message, hint, details });
}
