import type { HostClient } from "./options.ts";
import { isBroken } from "./pg-errors.ts";

/** Has a connection for as long as `work` takes, and gives it up where that rejects with what breaks it. */
type WithClient = (work: (client: HostClient) => Promise<void>) => Promise<void>;

/** A connection, while statements are under way on it. */
interface Held {
  readonly client: Promise<HostClient>;
  underWay: number;
  readonly giveBack: () => void;
  readonly giveUp: (error: unknown) => void;
}

/**
 * Statements on one connection of a pool in `pg`'s pipeline mode, each sent behind those before it without waiting for their
 * answers. It is held while any is under way, and given back with the last answer.
 */
export class PgLine {
  readonly #withClient: WithClient;
  #held: Held | undefined;

  constructor(withClient: WithClient) {
    this.#withClient = withClient;
  }

  /** `place`: how many are under way with this one, so how often the time that one may take is to be waited for. */
  async run<T>(work: (client: HostClient, place: number) => Promise<T>): Promise<T> {
    const held = (this.#held ??= this.#hold());
    const place = ++held.underWay;
    try {
      return await work(await held.client, place);
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
    const client = new Promise<HostClient>((resolve, reject) => {
      const holding = this.#withClient((connected) => {
        resolve(connected);
        return ended;
      });
      // Once there is a connection, what breaks it is told by its statements.
      holding.catch(reject);
    });
    // Where there is none, nobody waits for this.
    ended.catch(() => undefined);
    return { client, underWay: 0, giveBack, giveUp };
  }
}
