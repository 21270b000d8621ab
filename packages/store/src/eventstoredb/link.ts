import {
  type AppendResult,
  CancelledError,
  convertToCommandError,
  type EventData,
  NotLeaderError,
  UnavailableError,
} from "@eventstore/db-client";
import { FetchImageError, type Logger } from "@fetch-image/core/fetching";
import { securityOf, StoreClient } from "./client.ts";
import { type Address, describe, type Host } from "./connection-string.ts";
import { Ending, within } from "./ending.ts";
import { failureOf, GivenUp } from "./failures.ts";

/** A client to start calls on, for as long as it lasts. */
export interface Lease {
  readonly client: StoreClient;
  /** When everything under way on the client is ended, and why. */
  readonly lost: Ending;
}

/**
 * The deadline that a batch is given on the server, which reads it by its own clock: so far away that clocks may differ
 * by minutes. How long we wait is ours to say.
 */
const serverDeadlineMs = 300_000;

/** How often one reason is warned of: a server that is away is tried twice a second. */
const sameReasonMs = 60_000;

/**
 * The one client that a process has for a server, shared by everything that is opened on it.
 *
 * When a connection breaks, the client's next call makes a new one, while appends of the old one may still be waiting
 * for answers; an error of either rejects what waits on both, and a late answer to what was rejected ends the process.
 * So the first sign of trouble closes the gate: the client is retired with everything under way on it, and only then the
 * next one begins. No two connections ever carry batches at the same time.
 */
export class Link {
  readonly name: string;
  readonly mayBatch: boolean;
  readonly #address: Address;
  readonly #security: ReturnType<typeof securityOf>;
  readonly #logger: Logger;
  /** Which of the clients' servers take appends in batches. */
  readonly #batches = new WeakMap<StoreClient, boolean>();
  #client: StoreClient;
  #lost = new Ending();
  #gate: Promise<void> | undefined;
  #told = { reason: "", at: 0 };
  #closed = false;

  /** `mayBatch`: whether appends may share one call. Throws `FI_SETTING_INVALID` where a file of the address's cannot be read. */
  constructor(address: Address, { logger, mayBatch }: { readonly logger: Logger; readonly mayBatch: boolean }) {
    this.name = describe(address);
    this.#address = address;
    this.#logger = logger;
    this.#security = securityOf(address);
    this.#client = StoreClient.of(address, this.#security);
    this.mayBatch = mayBatch;
  }

  /** Waits for the gate, at most so long. */
  async lease(timeoutMs: number): Promise<Lease> {
    for (const until = Date.now() + timeoutMs; this.#gate !== undefined;) {
      await within(this.#gate, Math.max(0, until - Date.now()), waiting);
    }
    return { client: this.#client, lost: this.#lost };
  }

  /** One attempt at an append. Rejects with `GivenUp` after so long, and with what the client says otherwise. */
  async append(
    name: string,
    expectedRevision: "no_stream" | bigint,
    events: EventData[],
    timeoutMs: number,
  ): Promise<AppendResult> {
    const until = Date.now() + timeoutMs;
    const lease = await this.lease(timeoutMs);
    try {
      const batches = this.#batches.get(lease.client) ?? (await this.#takesBatches(lease, until - Date.now()));
      // The gate may have closed meanwhile.
      if (lease.lost.isOver) throw waiting();
      const left = Math.max(1, until - Date.now());
      const options = batches ? { deadline: serverDeadlineMs } : { deadline: left, ...this.#credentialsOfOneAppend() };
      const work = lease.client.appendToStream(name, events, { expectedRevision, requiresLeader: true, ...options });
      return await within(
        lease.lost.orEnd(work),
        left,
        () => new GivenUp("there is no answer", { sent: true, broken: true }),
      );
    } catch (error) {
      this.report(lease, error);
      throw error;
    }
  }

  /** Closes the gate where an error on the lease's client says that its connection is not to be used any more. */
  report(lease: Lease, error: unknown): void {
    const failure = failureOf(error);
    if (failure.kind !== "passing" || !failure.broken || lease.lost.isOver || this.#gate !== undefined) return;
    if (this.#closed) return;
    const isNews = failure.text !== this.#told.reason || Date.now() - this.#told.at >= sameReasonMs;
    if (isNews) this.#told = { reason: failure.text, at: Date.now() };
    const fields = { store: this.name, reason: failure.text };
    this.#logger[isNews ? "warn" : "debug"]("the connection to the event store is made anew", fields);
    const told = error instanceof Error ? convertToCommandError(error) : undefined;
    this.#gate = this.#renew(failure.text, {
      leader: told instanceof NotLeaderError ? told.leader : undefined,
      isDying: told instanceof UnavailableError || told instanceof CancelledError,
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#gate;
    this.#lost.end(new GivenUp("the event log is closed", { sent: true, broken: false }));
    await this.#client.retire({ isDying: false });
  }

  async #renew(
    reason: string,
    { leader, isDying }: { readonly leader: Host | undefined; readonly isDying: boolean },
  ): Promise<void> {
    this.#lost.end(new GivenUp(reason, { sent: true, broken: false }));
    await this.#client.retire({ isDying });
    this.#client = StoreClient.of(this.#address, this.#security, leader);
    this.#lost = new Ending();
    this.#gate = undefined;
  }

  /** Rejects a server that does not tell a subscriber when it has caught up, as those before 23.10. */
  async assertNewEnough(timeoutMs: number): Promise<void> {
    const lease = await this.lease(timeoutMs);
    const version = await this.#ask(lease, lease.client.serverVersion(), timeoutMs);
    const [, major = "0", minor = "0"] = /^([0-9]+)[.]([0-9]+)/.exec(version) ?? [];
    if (Number(major) > 23 || (major === "23" && Number(minor) >= 10)) return;
    throw new FetchImageError("FI_STORE_UNAVAILABLE", {
      message: `${this.name} is of version ${version}; 23.10 or newer is needed`,
      hint: "Upgrade the server.",
      retryable: false,
    });
  }

  /** Asked here and with a limit: the client asks without one, before its first append, and keeps the answer. */
  async #takesBatches(lease: Lease, timeoutMs: number): Promise<boolean> {
    const batches = this.mayBatch && (await this.#ask(lease, lease.client.takesBatches(), timeoutMs));
    this.#batches.set(lease.client, batches);
    return batches;
  }

  async #ask<T>(lease: Lease, answer: Promise<T>, timeoutMs: number): Promise<T> {
    try {
      const late = () => new GivenUp("there is no answer", { sent: false, broken: true });
      return await within(lease.lost.orEnd(answer), timeoutMs, late);
    } catch (error) {
      const failure = failureOf(error);
      // Nothing of the append has left the process.
      const unsent =
        failure.kind === "passing" ? new GivenUp(failure.text, { sent: false, broken: failure.broken }) : error;
      this.report(lease, unsent);
      throw unsent;
    }
  }

  /** Credentials given with an append make the client send it in a call of its own; without TLS they are not sent. */
  #credentialsOfOneAppend(): { readonly credentials?: { username: string; password: string } } {
    if (this.mayBatch) return {};
    return { credentials: this.#address.credentials ?? { username: "none", password: "none" } };
  }
}

function waiting(): GivenUp {
  return new GivenUp("the connection is being made anew", { sent: false, broken: false });
}
