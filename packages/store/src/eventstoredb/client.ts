import { readFileSync } from "node:fs";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { EventStoreDBClient } from "@eventstore/db-client";
import services from "@eventstore/db-client/generated/streams_grpc_pb.js";
import { type Address, type Host, invalid } from "./connection-string.ts";
import { within } from "./ending.ts";

type Channel = Awaited<ReturnType<StoreClient["getChannel"]>>;
type Security = NonNullable<ConstructorParameters<typeof EventStoreDBClient>[1]>;

/** Longer than ending calls ever takes; a call that cannot be ended must not hold up everything for good. */
const endingMs = 5_000;
/** How long the calls on a connection that breaks are left alone; nearly always they are gone with it in no time. */
const dyingMs = 3_000;

/** Certificates and key of the address, read. Throws `FI_SETTING_INVALID` where a file cannot be. */
export function securityOf({ settings }: Address): Security {
  const { tls, tlsCAFile, userCertFile, userKeyFile } = settings;
  if ((userCertFile === undefined) !== (userKeyFile === undefined)) {
    throw invalid("userCertFile and userKeyFile go together");
  }
  return {
    insecure: !tls,
    ...(tls && tlsCAFile !== undefined ? { rootCertificate: file("tlsCAFile", tlsCAFile) } : {}),
    ...(tls && userCertFile !== undefined ? { userCertFile: file("userCertFile", userCertFile) } : {}),
    ...(tls && userKeyFile !== undefined ? { userKeyFile: file("userKeyFile", userKeyFile) } : {}),
  };
}

/**
 * The client as published, opened up just so far that what its server can do is known beforehand, and that it can be
 * ended for good: as published, a call that is on its way while the others are ended makes a connection of its own.
 */
export class StoreClient extends EventStoreDBClient {
  #channel: Channel | undefined;
  #isRetired = false;

  /** `leader`: the one node to talk to, where it is known. Else it is found by the address. */
  static of(address: Address, security: Security, leader?: Host): StoreClient {
    const { hosts, discover, settings, credentials } = address;
    const {
      tls: _tls,
      tlsCAFile: _ca,
      userCertFile: _cert,
      userKeyFile: _key,
      nodePreference: _leader,
      ...timing
    } = settings;
    const [first] = hosts;
    if (first === undefined) throw invalid("it names no host");
    // Of a cluster, always the leader: only there a read sees every acknowledged append.
    const cluster = discover ? { discover: first } : { endpoints: [...hosts] };
    const where = leader !== undefined || (!discover && hosts.length === 1) ? { endpoint: leader ?? first } : cluster;
    // The constructor is overloaded by the kind of address; all three are taken by one body.
    return new StoreClient({ ...timing, ...where } as { endpoint: Host }, security, credentials);
  }

  private constructor(...settings: ConstructorParameters<typeof EventStoreDBClient>) {
    super(...settings);
    const open = this.getChannel;
    const openOrClose: typeof open = async () => {
      this.#channel = await open();
      if (!this.#isRetired) return this.#channel;
      this.#channel.close();
      throw new Error("the client has been shut down");
    };
    this.getChannel = openOrClose;
  }

  /** Whether the server takes batches. Once this is known, an append needs nothing else from it. */
  takesBatches(): Promise<boolean> {
    return this.supports(services.StreamsService.batchAppend);
  }

  /** As the server says; `unknown` where it does not. */
  async serverVersion(): Promise<string> {
    return (await this.capabilities).serverVersion;
  }

  /**
   * Ends everything under way, and the connection. From then on no call of this client's is alive, nor will be.
   * Where the server has gone, `isDying`, calls get time to end by themselves: on a connection that the server has said
   * goodbye on, Node's HTTP/2 (20.13 and later) may never return from cancelling one.
   */
  async retire({ isDying }: { readonly isDying: boolean }): Promise<void> {
    this.#isRetired = true;
    const until = Date.now() + (isDying ? dyingMs : 0);
    while (this.#callsUnderWay > 0 && Date.now() < until) await sleep(5);
    this.#channel?.close();
    // A call that was being made the first time round is found the second time.
    for (let round = 0; round < 2; round++) {
      await within(this.dispose(), endingMs, () => new Error("too late")).catch(() => undefined);
      await turn();
    }
  }

  // Kept by the client for `dispose`, and for nobody else.
  get #callsUnderWay(): number {
    return this["disposableStreams"].size;
  }
}

function file(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw invalid(`${setting} names ${path}, which cannot be read`);
  }
}
