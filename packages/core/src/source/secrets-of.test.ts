import { expect, test } from "vitest";
import { secretsOf } from "./secrets-of.ts";

test("credentials are found in every field that holds one", () => {
  const found = secretsOf({
    repository: "ghcr.io/acme/app",
    tag: "1.4",
    username: "user-1",
    password: "pass-1",
    registry_mirror: { host: "mirror.example.com", username: "user-2", password: "pass-2" },
    aws_access_key_id: "aws-id",
    aws_secret_access_key: "aws-key",
    aws_session_token: "aws-token",
    aws_role_arn: "arn-1",
    aws_role_arns: ["arn-2", "arn-3"],
    azure_client_id: "client",
    azure_tenant_id: "tenant",
    content_trust: { server: "notary", repository_key: "key-1", tls_key: "key-2" },
    ca_certs: ["certificate"],
    platform: { os: "linux" },
  });
  const ofNames = ["user-1", "user-2", "aws-id", "arn-1", "arn-2", "arn-3", "client", "tenant"];
  const ofSecrets = ["pass-1", "pass-2", "aws-key", "aws-token", "notary", "key-1", "key-2"];
  expect(new Set(found)).toEqual(new Set([...ofNames, ...ofSecrets]));
});

test("other types' and mistyped fields are known by their names", () => {
  const source = {
    uri: "https://git.example.com",
    branch: "main",
    private_key: "key-1",
    Password: "pass-1",
    access_token: "token-1",
    nested: [{ api_key: 12_345 }, { deeper: { secret_id: { value: "s3cret" } } }],
  };
  expect(new Set(secretsOf(source))).toEqual(new Set(["key-1", "pass-1", "token-1", "12345", "s3cret"]));
});

test("the longest comes first, so that no part of it is left over", () => {
  expect(secretsOf({ password: "abcd", aws_session_token: "abcdef" })).toEqual(["abcdef", "abcd"]);
});

test("a secret is known in the form that it takes inside JSON, and line by line", () => {
  const key = '-----BEGIN KEY-----\nfirst-line-of-it\nlast "quoted" line\n-----END KEY-----\n';
  const found = secretsOf({ private_key: key });
  const text = `${JSON.stringify({ error: key })}\n${key}`;
  const cut = found.reduce((rest, secret) => rest.replaceAll(secret, "***"), text);
  expect(cut).not.toMatch(/first|quoted/);
  expect(secretsOf({ private_key: "one\nfirst-line-of-it" })).toContain("first-line-of-it");
});

test("a name that the repository shows anyway is no secret, a password is one even then", () => {
  expect(secretsOf({ repository: "acme/app", username: "acme", password: "acme" })).toEqual(["acme"]);
  expect(secretsOf({ repository: "acme/app", username: "acme" })).toEqual([]);
  expect(secretsOf({ repository: "busybox", username: "docker" })).toEqual([]);
  expect(secretsOf({ repository: "busybox", username: "AWS" })).toEqual([]);
});

test("nothing is found where there is nothing", () => {
  expect(secretsOf({})).toEqual([]);
  expect(secretsOf({ repository: "busybox", username: "", password: null, aws_session_token: "  " })).toEqual([]);
});

test("a source nested a hundred thousand deep is searched to its end", () => {
  const text = `{"password":${"[".repeat(100_000)}"s3cret"${"]".repeat(100_000)}}`;
  expect(secretsOf(JSON.parse(text))).toEqual(["s3cret"]);
});
