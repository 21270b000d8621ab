import { rmSync } from "node:fs";
import { embeddedDirectory } from "../support/embedded.ts";
import { postgresMissing, startPostgres } from "../support/postgres.ts";
import type { StoreAddress, StoreKind } from "./stores.ts";

/** Makes empty stores of one kind. */
export interface StoreMaker extends AsyncDisposable {
  /** An empty store, and how to be rid of it. */
  make(): Promise<{ readonly address: StoreAddress; remove(): void }>;
}

export const storeMakers: { readonly [Kind in StoreKind]: () => Promise<StoreMaker> } = {
  async postgres() {
    const server = await startPostgres();
    return {
      make: async () => ({ address: { kind: "postgres", url: await server.createDatabase() }, remove: () => {} }),
      [Symbol.asyncDispose]: () => server.stop(),
    };
  },
  async pglite() {
    return {
      async make() {
        const directory = await embeddedDirectory();
        const remove = (): void => rmSync(directory, { recursive: true, force: true });
        return { address: { kind: "pglite", directory }, remove };
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  },
};

/** Why a store of this kind cannot be made here; undefined where it can. */
export function storeMissing(kind: StoreKind): string | undefined {
  return kind === "postgres" ? postgresMissing() : undefined;
}
