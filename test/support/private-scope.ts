import { decodeScopeFact, FetchImageError, type RecordedScopeFact, scopeStreamPrefix } from "@fetch-image/core";
import { createFetchImageEngine, type EngineOptions, type FetchImageEngine } from "@fetch-image/engine";
import { type Scene, scene, typePlans } from "./engine.ts";

export const repository = "registry.example.com/acme/private";
export const host = "registry.example.com";
const credentialKey = "a key that all nodes have, and nobody else";

/** A private repository, and who was asked for it. */
export interface PrivateGround extends Scene {
  readonly digest: string;
  /** The passwords that are taken. */
  readonly taken: Set<string>;
  /** The passwords that the registry was shown, in order. */
  readonly shown: string[];
}

/** A registry that gives its one image to user `ci`, by a password that is taken. */
export function privateGround(options: Partial<EngineOptions> = {}): PrivateGround {
  const made = scene({ node: "a", soleNode: false, credentialKey, ...options });
  const { registry } = made;
  const taken = new Set(["right"]);
  const shown: string[] = [];
  const check = registry.check.bind(registry);
  registry.check = async (source, asked) => {
    const { username, password = "" } = source;
    shown.push(password);
    const found = await check(source, asked);
    if (username === "ci" && taken.has(password)) return found;
    throw new FetchImageError("FI_UNAUTHORIZED", { message: `${host} answered 401`, details: { host, status: 401 } });
  };
  return { ...made, digest: registry.push(`${repository}:v1`, "one"), taken, shown };
}

/** Another node on the same store. */
export function node({ eventLog, registry, clock }: Scene, name: string, options: Partial<EngineOptions> = {}) {
  const own = { nativeImageFetch: true, node: name, credentialKey, ...options };
  return createFetchImageEngine({ eventLog, registry, clock, ...own });
}

/** Fetches the image as user `ci`, with the password. */
export function fetchBy(engine: FetchImageEngine, buildId: string, password: string, options: { skip?: boolean } = {}) {
  const plans = typePlans("2", { repository, tag: "v1", username: "ci", password }, options);
  const fetching = engine
    .openBuild({ id: buildId })
    .then((build) => build.fetchImage({ ...plans, privileged: false }))
    .then(({ imageURL }) => imageURL);
  fetching.catch(() => {});
  return fetching;
}

/** What stands in the scopes' streams. */
export async function scopeFactsOf({ eventLog }: Scene): Promise<readonly RecordedScopeFact[]> {
  const { facts } = await eventLog.readAll({ limit: 10_000, filter: { streamPrefixes: [scopeStreamPrefix] } });
  return facts.map((fact) => {
    const decoded = decodeScopeFact(fact);
    if (!decoded.known) throw new Error(`unknown fact ${fact.type}`);
    return decoded.fact;
  });
}
