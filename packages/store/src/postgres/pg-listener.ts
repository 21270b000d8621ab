import { Client, escapeIdentifier } from "pg";
import type { HostPoolOptions } from "./options.ts";
import { asSqlError } from "./pg-errors.ts";

const longestRetryMs = 1_000;

/**
 * One connection that does nothing but LISTEN, and is made again whenever it breaks. Not one of the pool's: it is held
 * for as long as anybody listens.
 */
export class PgListener {
  readonly #config: HostPoolOptions;
  readonly #channel: string;
  readonly #heard: () => void;
  #client: Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = 100;
  #stopped = false;

  constructor(config: HostPoolOptions, channel: string, heard: () => void) {
    this.#config = config;
    this.#channel = channel;
    this.#heard = heard;
  }

  /** Rejects where the first connection fails. */
  async start(): Promise<void> {
    const client = new Client(this.#config);
    client.on("error", () => undefined);
    client.on("notification", () => this.#heard());
    try {
      await client.connect();
      await client.query(`listen ${escapeIdentifier(this.#channel)}`);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw asSqlError(error, "lost");
    }
    if (this.#stopped) {
      await client.end();
      return;
    }
    this.#client = client;
    this.#retryMs = 100;
    client.once("end", () => this.#again());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  #again(): void {
    if (this.#stopped) return;
    this.#client = undefined;
    this.#retry = setTimeout(() => {
      this.start().then(
        // What was notified in between was missed.
        () => this.#heard(),
        () => this.#again(),
      );
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
  }
}
