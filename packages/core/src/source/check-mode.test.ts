import { describe, expect, test } from "vitest";
import { checkMode } from "./check-mode.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";

const hub = { repository: "busybox", tag: "1.36" };

describe("a source is checked natively", () => {
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
    expect(checkMode({ ...hub, ...fields })).toEqual({ mode: "native", rule: "tag" });
  });

  const untagged: readonly (readonly [rule: string, source: RegistryImageSource])[] = [
    ["semver", { repository: "busybox" }],
    ["semver", { repository: "busybox", tag: "" }],
    ["tag_regex", { repository: "busybox", tag_regex: "^v" }],
    ["tag_regex", { repository: "busybox", tag_regex: "^v", created_at_sort: true, variant: "alpine" }],
    ["semver", { repository: "busybox", semver_constraint: ">= 1", variant: "alpine" }],
    ["semver", { repository: "busybox", variant: "alpine" }],
    ["semver", { repository: "busybox", pre_releases: true }],
    ["semver", { repository: "busybox", pre_release_prefixes: ["rc"] }],
    ["tag", { ...hub, registry_mirror: { host: "mirror.example.com" } }],
    ["tag", { ...hub, repository: "index.docker.io/a/b", registry_mirror: { host: "m" } }],
  ];
  test.each(untagged.map(([rule, source]) => [rule, JSON.stringify(source), source] as const))(
    "by %s in %s",
    (rule, _, source) => {
      expect(checkMode(source)).toEqual({ mode: "native", rule });
    },
  );
});

describe("what cannot be answered faithfully is left to the resource, by the name of the field", () => {
  const unsupported: readonly (readonly [field: string, source: RegistryImageSource])[] = [
    ["tag_regex", { repository: "busybox", tag_regex: "(a|b)".repeat(2000) }],
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
    ["azure_auth_type", { ...hub, azure_auth_type: "workload_identity" }],
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

describe("where the registry has a word on clouds' logins, it decides", () => {
  const cloudy = { ...hub, aws_region: "eu-west-1", aws_access_key_id: "x" };

  test("what it can answer is native, whatever the cloud", () => {
    expect(checkMode(cloudy, { unanswerable: () => undefined })).toEqual({ mode: "native", rule: "tag" });
  });

  test("what it cannot answer is left to the resource, in the registry's words", () => {
    const cannot = { field: "aws_region", reason: "nobody may log in" } as const;
    expect(checkMode(cloudy, { unanswerable: () => cannot })).toEqual({ mode: "unsupported", ...cannot });
  });

  test("it is not asked of what nobody can check", () => {
    const registry = {
      unanswerable: () => {
        throw new Error("asked");
      },
    };
    expect(checkMode({ repository: "busybox", tag_regex: "(" }, registry)).toMatchObject({ mode: "invalid" });
  });
});

describe("a pattern or constraint that is none", () => {
  const invalid: readonly (readonly [field: string, source: RegistryImageSource])[] = [
    ["tag_regex", { repository: "busybox", tag_regex: "(" }],
    ["semver_constraint", { repository: "busybox", semver_constraint: "newest" }],
  ];
  test.each(invalid)("is refused by the name of %s", (field, source) => {
    const mode = checkMode(source);
    expect(mode).toMatchObject({ mode: "invalid", error: { code: "FI_SOURCE_INVALID", details: { field } } });
  });

  test("does not matter where a tag wins over it", () => {
    expect(checkMode({ ...hub, tag_regex: "(" })).toEqual({ mode: "native", rule: "tag" });
  });
});
