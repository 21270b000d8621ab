import type { HostClient } from "./options.ts";
import { isBroken } from "./pg-errors.ts";

export interface PgLineOptions {
  /** Has a connection for as long as `work` takes, and gives it up where that rejects with what breaks it. */
  readonly withClient: <T>(work: (client: HostClient) => Promise<T>) => Promise<T>;
  /** Whether the connection leads to the server itself. */
  readonly isDirect: (client: HostClient) => Promise<boolean>;
}

/** A connection, while statements are under way on it; none where a pooler is in between. */
interface Held {
  readonly client: Promise<HostClient | undefined>;
  underWay: number;
  /** Statements that it was used for. */
  uses: number;
  readonly giveBack: () => void;
  readonly giveUp: (error: unknown) => void;
}

/** Then the pool has it back once, for others who wait, and for what it does to connections that it gets back. */
const mostUses = 32;

/**
 * Statements on one connection of a pool in `pg`'s pipeline mode, each sent behind those before it without waiting for their
 * answers. It is held while any is under way, and given back with the last answer.
 */
export class PgLine {
  readonly #options: PgLineOptions;
  #held: Held | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(options: PgLineOptions) {
    this.#options = options;
  }

  /** `place`: how many are under way with this one, so how often the time that one may take is to be waited for. */
  async run<T>(work: (client: HostClient, place: number) => Promise<T>): Promise<T> {
    const held = (this.#held ??= this.#hold());
    const place = ++held.underWay;
    held.uses++;
    if (held.uses === mostUses) this.#leave(held);
    try {
      const client = await held.client;
      if (client !== undefined) return await work(client, place);
    } catch (error) {
      if (isBroken(error)) {
        this.#leave(held);
        held.giveUp(error);
      }
      throw error;
    } finally {
      held.underWay--;
      if (held.underWay === 0) {
        this.#leave(held);
        held.giveBack();
      }
    }
    return await this.#options.withClient((client) => work(client, 1));
  }

  #leave(held: Held): void {
    if (this.#held === held) this.#held = undefined;
  }

  #hold(): Held {
    let giveBack = (): void => {};
    let giveUp: (error: unknown) => void = giveBack;
    const ended = new Promise<void>((resolve, reject) => {
      giveBack = resolve;
      giveUp = reject;
    });
    const before = this.#ended;
    const client = new Promise<HostClient | undefined>((resolve, reject) => {
      const holding = before.then(() =>
        this.#options.withClient(async (connected) => {
          const isDirect = await this.#options.isDirect(connected);
          resolve(isDirect ? connected : undefined);
          if (isDirect) await ended;
        }),
      );
      // Once there is a connection, what breaks it is told by its statements.
      this.#ended = holding.catch(reject);
    });
    // Where there is none, nobody waits for this.
    ended.catch(() => undefined);
    return { client, underWay: 0, uses: 0, giveBack, giveUp };
  }
}
