// Every field of a source: what is shown of it, whether it tells scopes apart, and what a get makes of it. What a check
// makes of it stands in check-fields.test.ts.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync } from "node:fs";
import {
  type Json,
  parseRegistryImageSource,
  publicSource,
  type RegistryImageSource,
  scopeOf,
  secretsOf,
  sourceFields,
} from "@fetch-image/core";
import {
  createImageRegistry,
  getImage,
  imageGet,
  type MetadataField,
  type RegistryOptions,
} from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeAuthority, makeServerCertificate } from "../support/certificates.ts";
import { type Scratch, scratch } from "../support/scratch.ts";
import { memoryArtifacts } from "./memory-artifacts.ts";
import { failureOf, patient } from "./support.ts";

type Fields = Partial<RegistryImageSource>;

interface Row {
  readonly fields: Fields;
  /** What a public source holds of the field; undefined: nothing. */
  readonly shown: Json | undefined;
  /** Whether the fields tell a scope of their own: of a source with a tag, of one without. */
  readonly ownScope: readonly [tagged: boolean, untagged: boolean];
  /** What must be cut from whatever is printed. */
  readonly secret?: string;
  /** What they do to a get; a promise that fails where they do not. */
  readonly get: (fields: Fields) => Promise<void>;
}

const authority = makeAuthority();
const pem = authority.cert;
let peer: EmbeddedRegistry;
let mirror: EmbeddedRegistry;
let secure: EmbeddedRegistry;
let place: Scratch;
let digest: string;
let single: string;

beforeAll(async () => {
  place = scratch("source-fields");
  peer = await startEmbeddedRegistry({
    users: { alice: "s3cret" },
    private: [{ prefix: "private/", scheme: "basic" }],
  });
  mirror = await startEmbeddedRegistry();
  secure = await startEmbeddedRegistry({ tls: makeServerCertificate(authority, ["127.0.0.1"]) });
  const recipe = { layers: ["app"], annotations: { team: "red" }, config: { Labels: { team: "blue" } } };
  const both = { ...recipe, platforms: ["linux/amd64", "linux/arm64"] };
  for (const registry of [peer, mirror, secure]) ({ digest } = await registry.push("acme/app:1", both));
  for (const repository of ["acme/other", "private/app"]) await peer.push(`${repository}:1`, both);
  // An index has annotations of its own: those of the image count.
  ({ digest: single } = await peer.push("acme/single:1", recipe));
});
afterAll(async () => {
  for (const registry of [peer, mirror, secure]) await registry.close();
  place[Symbol.dispose]();
});

interface Got {
  readonly metadata: readonly MetadataField[];
  readonly platform: string | undefined;
  readonly requests: readonly string[];
}

async function get(fields: Fields = {}, options: RegistryOptions = {}): Promise<Got> {
  const source = { repository: `${peer.host}/acme/app`, tag: "1", ...fields };
  const directory = place.path(String(readdirSync(place.directory).length));
  mkdirSync(directory);
  for (const registry of [peer, mirror, secure]) registry.clearRequests();
  await using registry = createImageRegistry({ proxy: {}, ...options });
  const version = { tag: "1", digest: source.repository.endsWith("/acme/single") ? single : digest };
  const wanted = imageGet(source, version, { format: "oci" });
  const { metadata, image } = await getImage(wanted, directory, { registry, store: memoryArtifacts(), ...patient });
  return { metadata, platform: image?.image.platform.architecture, requests: peer.requests.map(({ path }) => path) };
}

const nothing = async (fields: Fields): Promise<void> => expect(await get(fields)).toEqual(await get());
const refused = (field: string) => async (fields: Fields) =>
  expect(await failureOf(get(fields))).toMatchObject({ code: "FI_SOURCE_UNSUPPORTED", details: { field } });
const tells = (name: string, value: string) => async (fields: Fields) =>
  expect((await get({ ...fields, repository: `${peer.host}/acme/single` })).metadata).toContainEqual({ name, value });
const logsIn = async (fields: Fields): Promise<void> => {
  const repository = `${peer.host}/private/app`;
  expect((await failureOf(get({ repository }))).code).toBe("FI_UNAUTHORIZED");
  expect((await get({ repository, username: "alice", password: "s3cret", ...fields })).requests).not.toEqual([]);
};
const own = [true, true] as const;
const untagged = [false, true] as const;
const shared = [false, false] as const;

const rows: { readonly [Name in keyof Required<RegistryImageSource>]: Row } = {
  repository: {
    fields: { repository: "ghcr.io/acme/other" },
    shown: "ghcr.io/acme/other",
    ownScope: own,
    get: async () => {
      const { requests } = await get({ repository: `${peer.host}/acme/other` });
      expect(requests.every((path) => path.startsWith("/v2/acme/other/"))).toBe(true);
    },
  },
  tag: { fields: { tag: "2" }, shown: "2", ownScope: own, get: nothing },
  tag_regex: { fields: { tag_regex: "^v" }, shown: "^v", ownScope: untagged, get: nothing },
  created_at_sort: { fields: { created_at_sort: true }, shown: true, ownScope: untagged, get: nothing },
  variant: { fields: { variant: "slim" }, shown: "slim", ownScope: untagged, get: nothing },
  semver_constraint: { fields: { semver_constraint: "1.x" }, shown: "1.x", ownScope: untagged, get: nothing },
  pre_releases: { fields: { pre_releases: true }, shown: true, ownScope: untagged, get: nothing },
  pre_release_prefixes: { fields: { pre_release_prefixes: ["dev"] }, shown: ["dev"], ownScope: untagged, get: nothing },
  username: {
    fields: { username: "alice-CANARY", password: "s3cret" },
    shown: undefined,
    ownScope: own,
    secret: "alice-CANARY",
    get: () => logsIn({}),
  },
  // Half a login is none.
  password: { fields: { password: "CANARY" }, shown: undefined, ownScope: shared, secret: "CANARY", get: nothing },
  insecure: {
    fields: { insecure: true },
    shown: true,
    ownScope: own,
    get: async (fields) => {
      // By way of a proxy every name leads to the peer, and there no TLS is spoken.
      const proxy = { httpProxy: peer.origin, httpsProxy: peer.origin };
      const repository = "registry.test/acme/app";
      expect((await failureOf(get({ repository }, { proxy }))).code).toBe("FI_REGISTRY_UNREACHABLE");
      expect((await get({ repository, ...fields }, { proxy })).platform).toBeDefined();
    },
  },
  ca_certs: {
    fields: { ca_certs: [pem] },
    shown: 1,
    ownScope: own,
    get: async (fields) => {
      const repository = `${secure.host}/acme/app`;
      expect((await failureOf(get({ repository }))).code).toBe("FI_REGISTRY_TLS");
      expect((await get({ repository, ...fields })).platform).toBeDefined();
    },
  },
  registry_mirror: {
    fields: { registry_mirror: { host: "mirror.example.com", username: "u", password: "mirror-CANARY" } },
    shown: { host: "mirror.example.com" },
    ownScope: own,
    secret: "mirror-CANARY",
    get: async () => {
      const source = { repository: "acme/app", registry_mirror: { host: mirror.host } };
      expect((await get(source, { endpoints: { "docker.io": peer.origin } })).requests).toEqual([]);
      expect(mirror.requests.length).toBeGreaterThan(0);
    },
  },
  platform: {
    fields: { platform: { os: "linux", architecture: "arm64" } },
    shown: { architecture: "arm64", os: "linux" },
    ownScope: untagged,
    get: async (fields) => expect((await get(fields)).platform).toBe("arm64"),
  },
  aws_access_key_id: {
    fields: { aws_access_key_id: "AKIACANARY" },
    shown: undefined,
    ownScope: own,
    secret: "AKIACANARY",
    get: nothing,
  },
  aws_secret_access_key: {
    fields: { aws_secret_access_key: "CANARY" },
    shown: undefined,
    ownScope: shared,
    secret: "CANARY",
    get: nothing,
  },
  aws_session_token: {
    fields: { aws_session_token: "CANARY" },
    shown: undefined,
    ownScope: shared,
    secret: "CANARY",
    get: nothing,
  },
  aws_region: { fields: { aws_region: "eu-west-1" }, shown: "eu-west-1", ownScope: own, get: refused("aws_region") },
  aws_role_arn: { fields: { aws_role_arn: "CANARY" }, shown: undefined, ownScope: own, secret: "CANARY", get: nothing },
  aws_role_arns: {
    fields: { aws_role_arns: ["CANARY"] },
    shown: undefined,
    ownScope: own,
    secret: "CANARY",
    get: nothing,
  },
  aws_account_id: { fields: { aws_account_id: "123456789012" }, shown: undefined, ownScope: own, get: nothing },
  aws_ecr_registry_id: {
    fields: { aws_ecr_registry_id: "123456789012" },
    shown: undefined,
    ownScope: own,
    get: nothing,
  },
  azure_acr: { fields: { azure_acr: true }, shown: true, ownScope: own, get: refused("azure_acr") },
  azure_client_id: {
    fields: { azure_client_id: "CANARY" },
    shown: undefined,
    ownScope: own,
    secret: "CANARY",
    get: nothing,
  },
  azure_tenant_id: {
    fields: { azure_tenant_id: "CANARY" },
    shown: undefined,
    ownScope: own,
    secret: "CANARY",
    get: nothing,
  },
  azure_environment: { fields: { azure_environment: "AzureChina" }, shown: "AzureChina", ownScope: own, get: nothing },
  azure_auth_type: {
    fields: { azure_auth_type: "workload_identity" },
    shown: "workload_identity",
    ownScope: own,
    get: nothing,
  },
  label_regex: { fields: { label_regex: "^team$" }, shown: "^team$", ownScope: shared, get: tells("team", "blue") },
  annotation_regex: {
    fields: { annotation_regex: "^team$" },
    shown: "^team$",
    ownScope: shared,
    get: tells("team", "red"),
  },
  content_trust: {
    fields: { content_trust: { server: "https://notary.example.com", repository_passphrase: "CANARY" } },
    shown: undefined,
    ownScope: shared,
    secret: "CANARY",
    get: nothing,
  },
  debug: { fields: { debug: true }, shown: true, ownScope: shared, get: nothing },
};

const hash = {
  sha1Hex: () => "0".repeat(40),
  sha256Hex: (text: string) => createHash("sha256").update(text).digest("hex"),
};
const scope = (source: RegistryImageSource): string => scopeOf("registry-image", source, hash).id;
const table = Object.entries(rows).map(([field, row]) => ({ field, ...row }));

test("every field has a row", () => {
  expect(Object.keys(rows).toSorted()).toEqual(Object.keys(sourceFields).toSorted());
});

describe("of a source with the field", () => {
  test.each(table)("$field is shown what may be shown", ({ field, fields, shown, secret }) => {
    const source = { repository: "ghcr.io/acme/app", ...fields };
    expect(parseRegistryImageSource(JSON.parse(JSON.stringify(source)))).toEqual({ ok: true, source });
    expect(publicSource(source)[field]).toEqual(shown);
    if (secret === undefined) return;
    expect(JSON.stringify(publicSource(source))).not.toContain(secret);
    expect(secretsOf(JSON.parse(JSON.stringify(source)))).toContain(secret);
  });

  test.each(table)(
    "$field tells scopes apart where it can change the answer, or who may see it",
    ({ fields, ownScope }) => {
      // Only images of Docker Hub are mirrored.
      const repository = "registry_mirror" in fields ? "acme/app" : "ghcr.io/acme/app";
      const bases: readonly RegistryImageSource[] = [{ repository, tag: "1" }, { repository }];
      expect(bases.map((base) => scope({ ...base, ...fields }) !== scope(base))).toEqual([...ownScope]);
    },
  );

  test.each(table)("$field does to a get what it does in the resource", async ({ fields, get: proof }) => {
    await expect(proof(fields).then(() => "held")).resolves.toBe("held");
  });
});
