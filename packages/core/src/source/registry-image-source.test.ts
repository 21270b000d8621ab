import { describe, expect, test } from "vitest";
import type { FetchImageError } from "../errors/fetch-image-error.ts";
import type { JsonObject } from "../json.ts";
import { parseRegistryImageSource, type RegistryImageSource } from "./registry-image-source.ts";

const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

describe("what the resource accepts is accepted", () => {
  test("a repository alone", () => {
    expect(read({ repository: "busybox" })).toEqual({ repository: "busybox" });
  });

  test("every field that there is", () => {
    const source: JsonObject & RegistryImageSource = {
      repository: "ghcr.io/acme/app",
      tag: "1.4",
      tag_regex: "^v",
      created_at_sort: true,
      variant: "alpine",
      semver_constraint: ">= 1",
      pre_releases: true,
      pre_release_prefixes: ["rc"],
      username: "u",
      password: "p",
      insecure: true,
      ca_certs: [pem],
      registry_mirror: { host: "mirror.example.com", username: "u", password: "p" },
      platform: { architecture: "arm64", os: "linux" },
      aws_access_key_id: "id",
      aws_secret_access_key: "key",
      aws_session_token: "token",
      aws_region: "eu-west-1",
      aws_role_arns: ["arn:aws:iam::1:role/a"],
      aws_account_id: "1",
      aws_ecr_registry_id: "1",
      azure_acr: true,
      azure_client_id: "c",
      azure_tenant_id: "t",
      azure_environment: "AzurePublic",
      azure_auth_type: "workload_identity",
      label_regex: "^x",
      annotation_regex: "^x",
      content_trust: {
        server: "https://notary.example.com",
        repository_key_id: "id",
        repository_key: "key",
        repository_passphrase: "pass",
        tls_key: "key",
        tls_cert: "cert",
        scopes: "pull",
        username: "u",
        password: "p",
      },
      debug: true,
    };
    expect(read(source)).toEqual(source);
  });

  test("one role and a list of roles, where no region makes the resource look at them", () => {
    const source = {
      repository: "app",
      aws_role_arn: "arn:aws:iam::1:role/a",
      aws_role_arns: ["arn:aws:iam::1:role/b"],
    };
    expect(read(source)).toEqual(source);
    expect(() => read({ ...source, aws_region: "eu-west-1" })).toThrow("aws_role_arn and source.aws_role_arns");
  });

  // The resource looks at them when it checks; a get by digest never does.
  test.each([{ tag_regex: "(" }, { semver_constraint: "newest" }])("%j, which only a check cannot take", (fields) => {
    expect(read({ repository: "app", ...fields })).toEqual({ repository: "app", ...fields });
  });

  test.each([
    [42.1, "42.1"],
    [7, "7"],
    [20_240_102, "20240102"],
  ])("the number %s as a tag", (tag, text) => {
    expect(read({ repository: "busybox", tag }).tag).toBe(text);
  });

  test("null and empty text as a field that is not there", () => {
    const source = { repository: "busybox", tag: null, username: "", registry_mirror: { host: "m", username: null } };
    expect(read(source)).toEqual({ repository: "busybox", registry_mirror: { host: "m" } });
  });

  test.each(["localhost:5000/app", "[::1]:5000/app", "ghcr.io/acme/app"])(
    "%s, whose colon begins no tag",
    (repository) => {
      expect(read({ repository }).repository).toBe(repository);
    },
  );
});

describe("what the resource refuses is refused, by name", () => {
  const refusals: readonly (readonly [source: JsonObject, field: string, says: RegExp, hint: RegExp])[] = [
    [{}, "repository", /^source\.repository is required$/, /./],
    [{ repository: "" }, "repository", /^source\.repository is required$/, /./],
    [{ repository: null }, "repository", /^source\.repository is required$/, /./],
    [{ repository: 3 }, "repository", /source\.repository must be a string, not a number/, /quotes/],
    [{ repository: "Foo/bar" }, "repository", /"Foo\/bar" is not an image reference.*lower case/, /lower case/],
    [{ repository: "((repo))" }, "repository", /is not an image reference/, /\(\(var\)\) has no value/],
    [
      { repository: "busybox:1.36" },
      "repository",
      /"busybox:1\.36" has a tag/,
      /`tag`: repository: "busybox", tag: "1\.36"/,
    ],
    [
      { repository: "busybox:1", tag: "2" },
      "repository",
      /has a tag/,
      /`tag`, which is set too: repository: "busybox"/,
    ],
    [{ repository: `busybox@sha256:${"a".repeat(64)}` }, "repository", /has a digest/, /version: \{digest/],
    [{ repository: "busybox", tag: true }, "tag", /source\.tag must be a string, not a boolean/, /quotes/],
    [{ repository: "busybox", tag: ["1"] }, "tag", /source\.tag must be a string, not a list/, /./],
    [{ repository: "busybox", tag: "a b" }, "tag", /the tag holds a space \(at character 2\)/, /128/],
    [{ repository: "busybox", tag: -1 }, "tag", /the tag begins with "-"/, /128/],
    [{ repository: "busybox", tag: "t".repeat(129) }, "tag", /129 characters, more than 128/, /128/],
    [{ repository: "busybox", tag: "((tag))" }, "tag", /source\.tag is not a tag/, /\(\(var\)\) has no value/],
    [{ repository: "busybox", insecure: "true" }, "insecure", /must be true or false, not a string/, /without quotes/],
    [{ repository: "busybox", debug: 1 }, "debug", /source\.debug must be true or false, not a number/, /./],
    [{ repository: "busybox", aws_account_id: 123 }, "aws_account_id", /must be a string, not a number/, /quotes/],
    [{ repository: "busybox", ca_certs: pem }, "ca_certs", /source\.ca_certs must be a list, not a string/, /./],
    [{ repository: "busybox", ca_certs: [pem, 3] }, "ca_certs[1]", /source\.ca_certs\[1\] must be a string/, /./],
    [{ repository: "busybox", ca_certs: [pem, "ca.pem"] }, "ca_certs[1]", /ca_certs\[1\] holds no PEM/, /BEGIN CERT/],
    [{ repository: "busybox", registry_mirror: "m" }, "registry_mirror", /must be an object, not a string/, /./],
    [{ repository: "busybox", registry_mirror: {} }, "registry_mirror.host", /registry_mirror\.host is required/, /./],
    [{ repository: "busybox", platform: { arch: "x" } }, "platform.arch", /platform has no field "arch"/, /./],
    [
      { repository: "busybox", usernme: "u" },
      "usernme",
      /no field "usernme" \(did you mean "username"\?\)/,
      /`username`/,
    ],
    [{ repository: "busybox", Tag: "u" }, "Tag", /no field "Tag" \(did you mean "tag"\?\)/, /`tag`/],
    [{ repository: "busybox", "ca-certs": [] }, "ca-certs", /\(did you mean "ca_certs"\?\)/, /`ca_certs`/],
    [
      { repository: "busybox", insecure_registries: [] },
      "insecure_registries",
      /did you mean "insecure"/,
      /`insecure`/,
    ],
    [{ repository: "busybox", zzz: 1 }, "zzz", /^source has no field "zzz"$/, /Remove it/],
    [
      { repository: "busybox", registry_mirror: { host: "m", pasword: "x" } },
      "registry_mirror.pasword",
      /"password"/,
      /./,
    ],
    [{ repository: "busybox", content_trust: { sever: "x" } }, "content_trust.sever", /no field "sever"/, /./],
    [JSON.parse('{"repository": "busybox", "__proto__": {"tag": "1"}}'), "__proto__", /"__proto__"/, /./],
    [{ repository: "busybox", constructor: "x" }, "constructor", /no field "constructor"/, /./],
    [{ repository: "busybox", "a\u0000b": 1 }, String.raw`a\u{0}b`, /no field "a\\u\{0\}b"/, /./],
  ];
  test.each(refusals.map((row) => [JSON.stringify(row[0]).slice(0, 80), ...row] as const))(
    "%s",
    (_, source, field, says, hint) => {
      const error = refuse(source);
      expect(error.code).toBe("FI_SOURCE_INVALID");
      expect(error.message).toMatch(says);
      expect(error.hint).toMatch(hint);
      expect(error.details["field"]).toBe(field);
    },
  );

  test.each(["null", "[]", '"busybox"', "3"])("a source that is %s", (text) => {
    expect(refuse(JSON.parse(text)).message).toMatch(/^source must be an object, not /);
  });

  test("several faults, the first three in full", () => {
    const error = refuse({ repository: 1, tag: true, debug: "x", username: 3, password: 4 });
    expect(error.message.split("; ")).toHaveLength(4);
    expect(error.message).toMatch(/and 2 more$/);
  });
});

test("a source nested a hundred thousand deep is refused, not overflowed", () => {
  const deep = `{"repository":"busybox","x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  expect(refuse(JSON.parse(deep)).message).toBe(`source has no field "x"`);
  const nested = `{"repository":"busybox","platform":${`{"os":`.repeat(50_000)}1${"}".repeat(50_000)}}`;
  expect(refuse(JSON.parse(nested)).message).toBe("source.platform.os must be a string, not an object");
});

function read(source: JsonObject): RegistryImageSource {
  const parsed = parseRegistryImageSource(source);
  if (!parsed.ok) throw parsed.error;
  return parsed.source;
}

function refuse(source: JsonObject): FetchImageError {
  const parsed = parseRegistryImageSource(source);
  if (parsed.ok) throw new Error(`accepted as ${JSON.stringify(parsed.source)}`);
  return parsed.error;
}
