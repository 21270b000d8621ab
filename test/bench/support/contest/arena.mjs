import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { startPeerProcess } from "../../../support/eventstoredb-peer/start-process.ts";
import { startPostgres } from "../../../support/postgres.ts";
import { startStubRegistry } from "../load.mjs";

/**
 * Who takes part. Its module exports `prepare(place)` and `recorded(place)`, which run here, and `open(place)`, which
 * runs in a process of the contestant's own and gives `{run(workflow), resume(workflows), close()}`.
 * @typedef {{
 *   name: string,
 *   module: string,
 *   store: "postgres" | "pglite" | "eventstoredb",
 *   options?: object,
 *   flags?: readonly string[],
 * }} Contestant `module` is relative to `contestants/`, or a URL; `options` are handed over as part of the place, `flags` are
 *   Node's
 */

/** The servers that contestants need, and a place for each. */
export class Arena {
  #stub;
  #postgres;
  #undo = [];

  /** @param {readonly Contestant[]} contestants */
  static async open(contestants) {
    const arena = new Arena();
    try {
      arena.#stub = await startStubRegistry();
      arena.#undo.push(() => arena.#stub.stop());
      if (contestants.some(({ store }) => store === "postgres")) await arena.#startPostgres();
      return arena;
    } catch (error) {
      await arena.close();
      throw error;
    }
  }

  get registry() {
    return this.#stub;
  }

  async #startPostgres() {
    // Each contestant brings its own pool, and all of them stay connected.
    this.#postgres = await startPostgres({ settings: ["max_connections=400"] });
    this.#undo.push(() => this.#postgres.stop());
    const { rows } = await this.#ask(
      "select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes')",
    );
    for (const { name, setting } of rows) {
      if (setting !== "on") throw new Error(`PostgreSQL's ${name} is ${setting}: nothing would be durable`);
    }
  }

  /**
   * Makes a store for a contestant.
   * @param {Contestant} contestant
   * @returns {Promise<{place: object, serverPids: number[], settle: () => Promise<void>, close: () => Promise<void>}>}
   *   `settle` has the server write what it owes to others before somebody is measured
   */
  async place({ store, options }) {
    const common = { registry: this.#stub.host, ...options };
    const nothing = async () => {};
    if (store === "postgres") {
      const databaseUrl = await this.#postgres.createDatabase();
      const settle = async () => void (await this.#ask("checkpoint"));
      return { place: { ...common, databaseUrl }, serverPids: [this.#postgres.pid], settle, close: nothing };
    }
    if (store === "pglite") {
      const directory = mkdtempSync(join(tmpdir(), "fetch-image-bench-"));
      const close = async () => rmSync(directory, { recursive: true, force: true });
      return { place: { ...common, directory: join(directory, "data") }, serverPids: [], settle: nothing, close };
    }
    const peer = await startPeerProcess();
    const close = async () => await peer[Symbol.asyncDispose]();
    return { place: { ...common, eventStoreUrl: peer.url }, serverPids: [peer.pid], settle: nothing, close };
  }

  async close() {
    for (const undo of this.#undo.splice(0).reverse()) await undo();
  }

  async #ask(sql) {
    const client = new Client({ connectionString: this.#postgres.url });
    await client.connect();
    try {
      return await client.query(sql);
    } finally {
      await client.end();
    }
  }
}
