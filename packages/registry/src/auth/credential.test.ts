import { expect, test } from "vitest";
import { credentialOf, secretsOf } from "./credential.ts";

test("without both a username and a password the registry is asked anonymously", () => {
  expect(credentialOf({})).toBeUndefined();
  expect(credentialOf({ username: "alice" })).toBeUndefined();
  expect(credentialOf({ username: "", password: "s3cret" })).toBeUndefined();
});

test("a credential is told from another by a key that holds neither name nor password", () => {
  const one = credentialOf({ username: "alice", password: "s3cret" });
  expect(one?.key).toMatch(/^[0-9a-f]{64}$/);
  expect(one?.key).toBe(credentialOf({ username: "alice", password: "s3cret" })?.key);
  expect(one?.key).not.toBe(credentialOf({ username: "alice:s3", password: "cret" })?.key);
});

test("names and passwords beyond ASCII travel as UTF-8", () => {
  const basic = credentialOf({ username: "zoë", password: "pässword" })?.basic ?? "";
  expect(Buffer.from(basic.slice(6), "base64").toString("utf8")).toBe("zoë:pässword");
});

test("a name that stands in the repository is no secret, its password is", () => {
  const credential = credentialOf({ username: "acme", password: "s3cret" });
  expect(secretsOf(credential, "ghcr.io/acme/app")).not.toContain("acme");
  expect(secretsOf(credential, "ghcr.io/other/app")).toContain("acme");
  expect(secretsOf(credential, "ghcr.io/acme/app")).toEqual(expect.arrayContaining(["s3cret", "acme:s3cret"]));
});
