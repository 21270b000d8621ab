import { describe, expect, test } from "vitest";
import { checkMode } from "./check-mode.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";

const hub = { repository: "busybox", tag: "1.36" };

describe("a tag is checked natively", () => {
  const harmless: readonly Partial<RegistryImageSource>[] = [
    {},
    { username: "u", password: "p" },
    { insecure: true },
    { ca_certs: ["-----BEGIN CERTIFICATE-----"] },
    { tag_regex: ".*", created_at_sort: true },
    { variant: "alpine", semver_constraint: ">= 1", pre_releases: true, pre_release_prefixes: ["rc"] },
    { platform: { architecture: "arm64" } },
    { label_regex: "x", annotation_regex: "x" },
    { content_trust: { server: "x" } },
    { debug: true },
    { azure_acr: false, aws_role_arns: [], aws_region: "" },
    { repository: "ghcr.io/acme/app", registry_mirror: { host: "mirror.example.com" } },
  ];
  test.each(harmless.map((fields) => [JSON.stringify(fields), fields] as const))("with %s", (_, fields) => {
    expect(checkMode({ ...hub, ...fields })).toEqual({ mode: "tag", tag: "1.36" });
  });
});

describe("what cannot be answered faithfully is left to the resource, by the name of the field", () => {
  const unsupported: readonly (readonly [field: string, source: RegistryImageSource])[] = [
    ["tag", { repository: "busybox" }],
    ["tag", { repository: "busybox", tag: "" }],
    ["tag_regex", { repository: "busybox", tag_regex: "^v" }],
    ["tag_regex", { repository: "busybox", tag_regex: "^v", created_at_sort: true, variant: "alpine" }],
    ["semver_constraint", { repository: "busybox", semver_constraint: ">= 1", variant: "alpine" }],
    ["variant", { repository: "busybox", variant: "alpine" }],
    ["pre_releases", { repository: "busybox", pre_releases: true }],
    ["pre_release_prefixes", { repository: "busybox", pre_release_prefixes: ["rc"] }],
    ["registry_mirror", { ...hub, registry_mirror: { host: "mirror.example.com" } }],
    ["registry_mirror", { ...hub, repository: "index.docker.io/a/b", registry_mirror: { host: "m" } }],
    ["aws_access_key_id", { ...hub, aws_access_key_id: "x", aws_region: "eu-west-1" }],
    ["aws_secret_access_key", { ...hub, aws_secret_access_key: "x" }],
    ["aws_session_token", { ...hub, aws_session_token: "x" }],
    ["aws_region", { ...hub, aws_region: "eu-west-1" }],
    ["aws_role_arn", { ...hub, aws_role_arn: "x" }],
    ["aws_role_arns", { ...hub, aws_role_arns: ["x"] }],
    ["aws_account_id", { ...hub, aws_account_id: "x" }],
    ["aws_ecr_registry_id", { ...hub, aws_ecr_registry_id: "x" }],
    ["azure_acr", { ...hub, azure_acr: true, azure_client_id: "x" }],
    ["azure_client_id", { ...hub, azure_client_id: "x" }],
    ["azure_tenant_id", { ...hub, azure_tenant_id: "x" }],
    ["azure_environment", { ...hub, azure_environment: "x" }],
  ];
  test.each(unsupported.map(([field, source]) => [field, JSON.stringify(source), source] as const))(
    "%s in %s",
    (field, _, source) => {
      const mode = checkMode(source);
      expect(mode).toMatchObject({ mode: "unsupported", field });
      expect(mode.mode === "unsupported" && mode.reason).toMatch(/\w+ \w+/);
    },
  );
});
