import { describe, expect, test } from "vitest";
import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { Hash } from "../ports/hash.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";
import { type Scope, scopeOf } from "./scope.ts";

/** Not SHA-256, which core does not bring; spreads as well, and remembers what it was given. */
const hashed: string[] = [];
const hash: Hash = {
  sha1Hex: () => {
    throw new Error("scopes need no SHA-1");
  },
  sha256Hex: (text) => {
    hashed.push(text);
    return Array.from({ length: 8 }, (_, seed) => fnv1a(`${seed}${text}`)).join("");
  },
};
const pem = (name: string) => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----`;
const busybox = { repository: "busybox", tag: "1.36" };
const alice = { username: "alice", password: "secret-1" };

test("a scope says what is asked, of whom, and as whom, without a secret", () => {
  expect(scope({ ...busybox, ...alice, ca_certs: [pem("a")] })).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{32}$/),
    repository: "docker.io/library/busybox",
    tag: "1.36",
    source: { repository: "busybox", tag: "1.36", ca_certs: 1 },
    credential: expect.stringMatching(/^cred-[0-9a-f]{12}$/),
  });
});

test("what an id is the hash of never changes: streams are named by it", () => {
  hashed.length = 0;
  const asked = scope({ ...busybox, ...alice, insecure: true, debug: true });
  expect(hashed).toEqual([
    '{"credential":{"basic":{"username":"alice"}},"repository":"docker.io/library/busybox",' +
      '"source":{"insecure":true},"tag":"1.36","type":"registry-image"}',
    '{"basic":{"username":"alice"}}',
  ]);
  expect(asked.id).toBe(hash.sha256Hex(hashed[0] ?? "").slice(0, 32));
  expect(asked.credential).toBe(`cred-${hash.sha256Hex(hashed[1] ?? "").slice(0, 12)}`);
});

describe("these share a scope:", () => {
  const same: readonly (readonly [why: string, RegistryImageSource, RegistryImageSource])[] = [
    ["two spellings of a repository", busybox, { ...busybox, repository: "docker.io/library/busybox" }],
    ["Docker Hub's old name", busybox, { ...busybox, repository: "index.docker.io/busybox" }],
    ["a rotated password", { ...busybox, ...alice }, { ...busybox, ...alice, password: "secret-2" }],
    ["fields that say nothing", busybox, { ...busybox, insecure: false, ca_certs: [], username: "", platform: {} }],
    ["one half of a credential, which is none", busybox, { ...busybox, username: "alice" }],
    ["debug", busybox, { ...busybox, debug: true }],
    ["metadata of a get", busybox, { ...busybox, label_regex: "a", annotation_regex: "b" }],
    ["what a put signs with", busybox, { ...busybox, content_trust: { server: "x" } }],
    ["the platform, with a tag", busybox, { ...busybox, platform: { architecture: "arm64" } }],
    ["everything that a tag wins over", busybox, { ...busybox, tag_regex: "x", created_at_sort: true, variant: "y" }],
    ["semver settings, with a tag", busybox, { ...busybox, semver_constraint: "1", pre_releases: true }],
    [
      "a mirror that only Docker Hub's images use",
      { repository: "ghcr.io/a/b", tag: "1" },
      { repository: "ghcr.io/a/b", tag: "1", registry_mirror: { host: "m", username: "u", password: "p" } },
    ],
    [
      "the same certificates in another order",
      { ...busybox, ca_certs: [pem("a"), pem("b")] },
      { ...busybox, ca_certs: [`${pem("b")}\n`, pem("a"), pem("a")] },
    ],
    [
      "rotated AWS keys of one identity",
      { ...busybox, aws_region: "r", aws_access_key_id: "id", aws_secret_access_key: "1", aws_session_token: "1" },
      { ...busybox, aws_region: "r", aws_access_key_id: "id", aws_secret_access_key: "2", aws_session_token: "2" },
    ],
    [
      "a rotated key file of one service account",
      { ...busybox, username: "_json_key", password: keyFile("a@acme", "1") },
      { ...busybox, username: "_json_key", password: keyFile("a@acme", "2") },
    ],
  ];
  test.each(same)("%s", (_, one, other) => {
    expect(scope(other).id).toBe(scope(one).id);
    expect(scope(other).credential).toBe(scope(one).credential);
  });
});

describe("these are scopes of their own:", () => {
  const different: readonly (readonly [why: string, RegistryImageSource, RegistryImageSource])[] = [
    ["another repository", busybox, { ...busybox, repository: "alpine" }],
    ["another registry", busybox, { ...busybox, repository: "ghcr.io/library/busybox" }],
    ["another tag", busybox, { ...busybox, tag: "1.37" }],
    ["no tag", busybox, { repository: "busybox" }],
    ["somebody instead of nobody", busybox, { ...busybox, ...alice }],
    ["another user", { ...busybox, ...alice }, { ...busybox, ...alice, username: "bob" }],
    ["http, whose answers may be forged", busybox, { ...busybox, insecure: true }],
    ["a CA of one's own", busybox, { ...busybox, ca_certs: [pem("a")] }],
    ["another CA", { ...busybox, ca_certs: [pem("a")] }, { ...busybox, ca_certs: [pem("b")] }],
    ["a mirror", busybox, { ...busybox, registry_mirror: { host: "m" } }],
    [
      "another user of the mirror",
      { ...busybox, registry_mirror: { host: "m", username: "u", password: "p" } },
      { ...busybox, registry_mirror: { host: "m", username: "v", password: "p" } },
    ],
    ["AWS", busybox, { ...busybox, aws_region: "eu-west-1" }],
    ["another region", { ...busybox, aws_region: "a" }, { ...busybox, aws_region: "b" }],
    ["another role", { ...busybox, aws_region: "a" }, { ...busybox, aws_region: "a", aws_role_arn: "r" }],
    ["another account", { ...busybox, aws_region: "a" }, { ...busybox, aws_region: "a", aws_account_id: "1" }],
    [
      "another managed identity",
      { ...busybox, azure_acr: true },
      { ...busybox, azure_acr: true, azure_client_id: "c" },
    ],
    ["another regular expression", { repository: "a", tag_regex: "x" }, { repository: "a", tag_regex: "y" }],
    ["another constraint", { repository: "a" }, { repository: "a", semver_constraint: "1" }],
    ["another platform, without a tag", { repository: "a" }, { repository: "a", platform: { os: "windows" } }],
    [
      "another service account under Google's one user name",
      { ...busybox, username: "_json_key", password: keyFile("a@acme", "1") },
      { ...busybox, username: "_json_key", password: keyFile("b@acme", "1") },
    ],
  ];
  test.each(different)("%s", (_, one, other) => {
    expect(scope(other).id).not.toBe(scope(one).id);
  });

  test("a login that comes from configuration, each, and those without one", () => {
    const logins = [undefined, { docker: { username: "ci" } }, { docker: { username: "other" } }, { aws: {} }];
    for (const source of [busybox, { ...busybox, ...alice }]) {
      const scopes = logins.map((login) => scopeOf("registry-image", source, hash, login));
      expect(new Set(scopes.map(({ id }) => id)).size).toBe(logins.length);
      expect(new Set(scopes.map(({ credential }) => credential)).size).toBe(logins.length);
    }
  });

  test("another type", () => {
    expect(scopeOf("docker-image", busybox, hash).id).not.toBe(scope(busybox).id);
  });
});

test("who asks without proof has no credential; the node's own identity is one", () => {
  expect(scope(busybox).credential).toBeNull();
  expect(scope({ ...busybox, username: "alice" }).credential).toBeNull();
  expect(scope({ ...busybox, password: "x" }).credential).toBeNull();
  expect(scope({ ...busybox, aws_region: "eu-west-1" }).credential).toMatch(/^cred-/);
  expect(scope({ ...busybox, azure_acr: true }).credential).toMatch(/^cred-/);
});

test("the order of fields makes no difference", () => {
  expect(scope({ tag: "1.36", insecure: true, repository: "busybox" }).id).toBe(
    scope({ repository: "busybox", insecure: true, tag: "1.36" }).id,
  );
});

test("an ECR repository is not taken for one of Docker Hub", () => {
  expect(scope({ repository: "app", tag: "1", aws_region: "eu-west-1" }).repository).toBe(
    "dkr.ecr.eu-west-1.amazonaws.com/app",
  );
});

test("a key file that is none is told apart by its user name alone", () => {
  const withPassword = (password: string) => scope({ ...busybox, username: "_json_key", password }).id;
  expect(new Set(["{", "null", "[]", "{}", '{"client_email":3}'].map(withPassword)).size).toBe(1);
});

test("a repository that no parser let through is refused with the one error class", () => {
  expect(() => scope({ repository: "Foo/bar" })).toThrow(FetchImageError);
});

function scope(source: RegistryImageSource): Scope {
  return scopeOf("registry-image", source, hash);
}

function keyFile(account: string, key: string): string {
  return JSON.stringify({ type: "service_account", client_email: account, private_key: key });
}

function fnv1a(text: string): string {
  const value = text.split("").reduce((hash, unit) => Math.imul(hash ^ unit.charCodeAt(0), 0x01000193), 0x811c9dc5);
  return (value >>> 0).toString(16).padStart(8, "0");
}
