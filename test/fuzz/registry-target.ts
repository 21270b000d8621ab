import { createImageRegistry, type OciRegistry, type RegistryOptions } from "@fetch-image/registry";
import { rawAnswer, type RawRequest, type RawServer, startRawServer } from "./raw-registry.ts";
import { expectOurs, type FuzzTarget, must } from "./target.ts";

// What a tag of the list, say, must never make of a request.
const ownRepository =
  /^\/v2\/acme\/app\/(tags\/list\?n=1000|(manifests|blobs)\/sha\d+:[0-9a-f]{64,128}|manifests\/\w[\w.-]{0,127})$/;
export const anyPath = /^\/[\x21-\x7e]*$/;

/** `OWN` in a header of an answer becomes the registry's own origin. */
export interface Scene {
  /** The requests that may be sent; whatever the input, nothing else is. */
  readonly asks?: RegExp;
  /** Of a client that is not as usual. */
  options?(input: Buffer): RegistryOptions;
  /** What the registry answers; undefined says that it has no such thing. */
  answer(request: RawRequest, input: Buffer, evil: RawServer): Uint8Array | undefined;
  ask(registry: OciRegistry, input: Buffer): Promise<void>;
  /** Puts away what `options` has left. */
  end?(): void;
}

/** What the client is asked about. The password must never be seen again. */
export const source = {
  repository: "registry.example.com/acme/app",
  username: "fuzzer",
  password: "canary-password",
} as const;

/** A client that is asked `scene.ask`, and a registry that answers as the scene makes it of the input. */
export function registryTarget(name: string, material: Pick<FuzzTarget, "seeds" | "words">, scene: Scene): FuzzTarget {
  return {
    name,
    ...material,
    async open() {
      let input: Buffer = Buffer.alloc(0);
      const evil = await startRawServer(() => rawAnswer(200, []));
      // Whoever else is named is asked through this proxy, so that no name is looked up and nobody outside is met.
      const outside = await startRawServer(() => rawAnswer(502, []));
      const server: RawServer = await startRawServer((request) => {
        const bytes = scene.answer(request, input, evil) ?? rawAnswer(404, [], "{}");
        return replaced(bytes, "OWN", server.origin);
      });
      return {
        async take(given) {
          input = Buffer.from(given);
          for (const { requests } of [server, outside]) requests.length = 0;
          try {
            // A client of its own: nothing that an earlier input taught it decides about this one.
            await using registry = createImageRegistry({
              endpoints: { "registry.example.com": server.origin },
              proxy: { httpProxy: outside.origin, httpsProxy: outside.origin, noProxy: "127.0.0.1" },
              timeouts,
              limits,
              clock: hurriedClock(),
              ...scene.options?.(input),
            });
            await scene.ask(registry, input);
          } catch (error) {
            // The scene itself reads JSON to know what is in it.
            if (!(error instanceof SyntaxError)) {
              must(!JSON.stringify(expectOurs(error)).includes(source.password), "the error shows the password");
            }
          }
          must(evil.requests.length === 0, `it asked another host for ${evil.requests[0]?.target ?? ""}`);
          must(!outside.requests.some(({ authorization }) => authorization), "it gave a login to another host");
          for (const { target: path } of server.requests)
            must((scene.asks ?? ownRepository).test(path), `it asked for ${path}`);
        },
        async [Symbol.asyncDispose]() {
          scene.end?.();
          await Promise.all([server, evil, outside].map((each) => each[Symbol.asyncDispose]()));
        },
      };
    },
  };
}

/** Whoever waits has waited at once. */
function hurriedClock() {
  let ahead = 0;
  return {
    now: () => Date.now() + ahead,
    after(ms: number, callback: () => void) {
      const timer = setImmediate(() => {
        ahead += ms;
        callback();
      });
      return () => clearImmediate(timer);
    },
  };
}

const timeouts = { connectMs: 5000, headersMs: 5000, bodyMs: 5000, exchangeMs: 10_000, downloadPatienceMs: 10_000 };
const limits = { tagPages: 5, tagListBytes: 200_000 };

function replaced(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const text = Buffer.from(bytes).toString("latin1");
  if (!text.includes(from)) return bytes;
  const [head = "", ...body] = text.split("\r\n\r\n");
  return Buffer.from([head.replaceAll(from, to), ...body].join("\r\n\r\n"), "latin1");
}
