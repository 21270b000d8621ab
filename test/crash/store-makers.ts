import { rmSync } from "node:fs";
import { embeddedDirectory } from "../support/embedded.ts";
import { startPeerProcess } from "../support/eventstoredb-peer/start-process.ts";
import { postgresMissing, startPostgres } from "../support/postgres.ts";
import type { DatabaseAddress, StoreAddress, StoreKind } from "./stores.ts";

/** Makes empty stores of one kind. Whatever serves them is a process of its own, or nobody. */
export interface StoreMaker<Address extends StoreAddress = StoreAddress> extends AsyncDisposable {
  make(): Promise<MadeStore<Address>>;
}

/** An empty store, until it is disposed of. */
interface MadeStore<Address extends StoreAddress = StoreAddress> extends AsyncDisposable {
  readonly address: Address;
}

export const storeMakers: { readonly [Kind in StoreKind]: () => Promise<StoreMaker> } = {
  postgres: () => postgresMaker("postgres"),
  "postgres-pipeline": () => postgresMaker("postgres-pipeline"),
  pglite: pgliteMaker,
  async eventstoredb() {
    const databases: StoreMaker<DatabaseAddress> =
      postgresMissing() === undefined ? await postgresMaker("postgres") : await pgliteMaker();
    return {
      async make() {
        const [peer, database] = await Promise.all([startPeerProcess(), databases.make()]);
        return {
          address: { kind: "eventstoredb", url: peer.url, readModel: database.address },
          async [Symbol.asyncDispose]() {
            await peer[Symbol.asyncDispose]();
            await database[Symbol.asyncDispose]();
          },
        };
      },
      [Symbol.asyncDispose]: () => databases[Symbol.asyncDispose](),
    };
  },
};

async function postgresMaker(kind: "postgres" | "postgres-pipeline"): Promise<StoreMaker<DatabaseAddress>> {
  const server = await startPostgres();
  return {
    make: async () => ({
      address: { kind, url: await server.createDatabase() },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

function pgliteMaker(): Promise<StoreMaker<DatabaseAddress>> {
  return Promise.resolve({
    async make() {
      const directory = await embeddedDirectory();
      const dispose = (): void => rmSync(directory, { recursive: true, force: true });
      return { address: { kind: "pglite", directory }, [Symbol.asyncDispose]: () => Promise.resolve(dispose()) };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

/** Why a store of this kind cannot be made here; undefined where it can. */
export function storeMissing(kind: StoreKind): string | undefined {
  return kind === "postgres" || kind === "postgres-pipeline" ? postgresMissing() : undefined;
}
