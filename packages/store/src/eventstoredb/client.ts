import { readFileSync } from "node:fs";
import { EventStoreDBClient } from "@eventstore/db-client";
import services from "@eventstore/db-client/generated/streams_grpc_pb.js";
import { type Address, invalid } from "./connection-string.ts";

type Channel = Awaited<ReturnType<StoreClient["getChannel"]>>;

/** The client as published, opened up just so far that what it can do is known beforehand, and its connection closed. */
export class StoreClient extends EventStoreDBClient {
  #channel: Channel | undefined;

  static of(address: Address): StoreClient {
    const { hosts, discover, settings } = address;
    const { tls, tlsCAFile, userCertFile, userKeyFile, nodePreference: _leader, ...timing } = settings;
    const [first] = hosts;
    if (first === undefined) throw invalid("it names no host");
    // Of a cluster, always the leader: only there a read sees every acknowledged append.
    const where = discover ? { discover: first } : hosts.length > 1 ? { endpoints: [...hosts] } : { endpoint: first };
    const security = {
      insecure: !tls,
      ...(tls && tlsCAFile !== undefined ? { rootCertificate: file("tlsCAFile", tlsCAFile) } : {}),
      ...(tls && userCertFile !== undefined ? { userCertFile: file("userCertFile", userCertFile) } : {}),
      ...(tls && userKeyFile !== undefined ? { userKeyFile: file("userKeyFile", userKeyFile) } : {}),
    };
    if ((userCertFile === undefined) !== (userKeyFile === undefined)) {
      throw invalid("userCertFile and userKeyFile go together");
    }
    return new StoreClient(where, timing, security, address.credentials);
  }

  private constructor(
    where: { endpoint: Endpoint } | { endpoints: Endpoint[] } | { discover: Endpoint },
    timing: Omit<Address["settings"], "tls">,
    ...rest: [ConstructorParameters<typeof EventStoreDBClient>[1], Address["credentials"]]
  ) {
    // The constructor is overloaded by the kind of address; all three are taken by one body.
    super({ ...timing, ...where } as { endpoint: Endpoint }, ...rest);
    const open = this.getChannel;
    this.getChannel = async () => (this.#channel = await open());
  }

  /** Whether the server takes batches. Once this is known, an append needs nothing else from it. */
  takesBatches(): Promise<boolean> {
    return this.supports(services.StreamsService.batchAppend);
  }

  /** As the server says; `unknown` where it does not. */
  async serverVersion(): Promise<string> {
    return (await this.capabilities).serverVersion;
  }

  /** Ends everything under way, then the connection, which the client leaves open. */
  async close(): Promise<void> {
    await this.dispose();
    this.#channel?.close();
  }
}

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

function file(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw invalid(`${setting} names ${path}, which cannot be read`);
  }
}
