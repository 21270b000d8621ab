import type { JsonObject, RegistryCheck, RegistryImageSource } from "@fetch-image/core";
import { parseRegistryImageSource, sourceFields } from "@fetch-image/core";
import { createImageRegistry, type OciRegistry } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failureOf, patient } from "./support.ts";

/** What a field makes of the check of a repository with the tags below. */
interface Example {
  readonly source: JsonObject;
  /** The tags of the versions; `refused` where another than our own client must answer. */
  readonly gives: string;
}

const tags = ["0.9.0", "1.0.0", "1.1.0", "2.0.0-dev.1", "2.0.0-rc.1", "1.0.0-slim", "latest", "nightly"];
const all = "0.9.0 1.0.0 1.1.0 latest";

const examples: { readonly [Name in keyof Required<RegistryImageSource>]: readonly Example[] } = {
  repository: [{ source: {}, gives: all }],
  tag: [
    { source: { tag: "nightly" }, gives: "nightly" },
    { source: { tag: "none" }, gives: "" },
    { source: { tag: "nightly", tag_regex: "^1", variant: "slim", semver_constraint: "0.x" }, gives: "nightly" },
    { source: { tag: "" }, gives: all },
  ],
  tag_regex: [
    { source: { tag_regex: "^1" }, gives: "1.0.0 1.0.0-slim 1.1.0" },
    { source: { tag_regex: "^n", semver_constraint: "1.x" }, gives: "nightly" },
  ],
  created_at_sort: [
    { source: { tag_regex: "^1", created_at_sort: true }, gives: "1.0.0-slim 1.1.0 1.0.0" },
    { source: { created_at_sort: true }, gives: all },
  ],
  variant: [{ source: { variant: "slim" }, gives: "1.0.0-slim" }],
  semver_constraint: [{ source: { semver_constraint: ">= 1.0, < 2" }, gives: "1.0.0 1.1.0" }],
  pre_releases: [{ source: { pre_releases: true }, gives: "0.9.0 1.0.0 1.1.0 2.0.0-rc.1 latest" }],
  pre_release_prefixes: [
    {
      source: { pre_releases: true, pre_release_prefixes: ["dev"] },
      gives: "0.9.0 1.0.0 1.1.0 2.0.0-dev.1 2.0.0-rc.1 latest",
    },
    { source: { pre_release_prefixes: ["dev"] }, gives: all },
  ],
  username: [{ source: { username: "alice" }, gives: all }],
  password: [{ source: { username: "alice", password: "s3cret" }, gives: all }],
  insecure: [{ source: { insecure: true }, gives: all }],
  ca_certs: [{ source: { ca_certs: [] }, gives: all }],
  registry_mirror: [
    { source: { registry_mirror: { host: "mirror.example.com" } }, gives: all },
    { source: { repository: "acme/app", registry_mirror: { host: "127.0.0.1:1" } }, gives: all },
  ],
  platform: [{ source: { platform: { os: "plan9", architecture: "pdp11" } }, gives: all }],
  aws_region: [{ source: { aws_region: "eu-west-1" }, gives: "refused" }],
  // Without a region these turn nothing on.
  aws_access_key_id: [{ source: { aws_access_key_id: "x" }, gives: all }],
  aws_secret_access_key: [{ source: { aws_secret_access_key: "x" }, gives: all }],
  aws_session_token: [{ source: { aws_session_token: "x" }, gives: all }],
  aws_role_arn: [{ source: { aws_role_arn: "x" }, gives: all }],
  aws_role_arns: [{ source: { aws_role_arns: ["x"] }, gives: all }],
  aws_account_id: [{ source: { aws_account_id: "x" }, gives: all }],
  aws_ecr_registry_id: [{ source: { aws_ecr_registry_id: "x" }, gives: all }],
  azure_acr: [
    { source: { azure_acr: true }, gives: "refused" },
    { source: { azure_acr: false }, gives: all },
  ],
  // Nor do these without azure_acr.
  azure_client_id: [{ source: { azure_client_id: "x" }, gives: all }],
  azure_tenant_id: [{ source: { azure_tenant_id: "x" }, gives: all }],
  azure_environment: [{ source: { azure_environment: "x" }, gives: all }],
  azure_auth_type: [{ source: { azure_auth_type: "workload_identity" }, gives: all }],
  label_regex: [{ source: { label_regex: "x" }, gives: all }],
  annotation_regex: [{ source: { annotation_regex: "x" }, gives: all }],
  content_trust: [{ source: { content_trust: { server: "https://notary.example.com" } }, gives: all }],
  debug: [{ source: { debug: true }, gives: all }],
};

let peer: EmbeddedRegistry;
let registry: OciRegistry;

beforeAll(async () => {
  peer = await startEmbeddedRegistry();
  registry = createImageRegistry({ endpoints: { "docker.io": peer.origin } });
  for (const [at, tag] of tags.entries()) {
    await peer.push(`acme/app:${tag}`, {
      layers: [tag],
      created: `2024-01-${28 - (tag === "1.0.0" ? 0 : at + 1)}T00:00:00Z`,
    });
  }
});

afterAll(async () => {
  await registry.close();
  await peer.close();
});

async function check(source: JsonObject): Promise<RegistryCheck> {
  const parsed = parseRegistryImageSource({ repository: `${peer.host}/acme/app`, ...source });
  if (!parsed.ok) throw parsed.error;
  return await registry.check(parsed.source, patient);
}

const table = Object.entries(examples).flatMap(([field, list]) =>
  list.map(({ source, gives }) => ({ field, source, gives })),
);

describe("a check is answered here", () => {
  test.each(table.filter(({ gives }) => gives !== "refused"))(
    "with $field: $source gives $gives",
    async ({ source, gives }) => {
      const { versions } = await check(source);
      expect(versions.map(({ tag }) => tag).join(" ")).toBe(gives);
    },
  );
});

describe("a check is left to others, by the name of the field", () => {
  test.each(table.filter(({ gives }) => gives === "refused"))("with $field: $source", async ({ field, source }) => {
    peer.clearRequests();
    expect(await failureOf(check(source))).toMatchObject({ code: "FI_SOURCE_UNSUPPORTED", details: { field } });
    expect((await failureOf(check({ ...source, tag: "1.0.0" }))).code).toBe("FI_SOURCE_UNSUPPORTED");
    expect(peer.requests).toHaveLength(0);
  });
});

test("every field has an example", () => {
  expect(Object.keys(examples).toSorted()).toEqual(Object.keys(sourceFields).toSorted());
});

test.each([
  [{ tag_regex: "(" }, "tag_regex"],
  [{ semver_constraint: "not a version" }, "semver_constraint"],
])("%j is refused before anything is asked, by the name of the field", async (source, field) => {
  peer.clearRequests();
  expect(await failureOf(check(source))).toMatchObject({ details: { field } });
  expect(peer.requests).toHaveLength(0);
});
