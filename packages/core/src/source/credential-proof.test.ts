import { describe, expect, test } from "vitest";
import type { Hash } from "../ports/hash.ts";
import { credentialProof } from "./credential-proof.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";

/** Not SHA-256, which core does not bring; spreads as well. */
const hash: Hash = {
  sha1Hex: () => {
    throw new Error("proofs need no SHA-1");
  },
  sha256Hex: (text) =>
    Array.from({ length: 8 }, (_, seed) => {
      let value = 0x811c9dc5;
      for (const letter of `${seed}${text}`) value = Math.imul(value ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0;
      return value.toString(16).padStart(8, "0");
    }).join(""),
};
const key = "a key that nobody knows";
const hub = { repository: "busybox", tag: "1.36" };
const ghcr = { repository: "ghcr.io/acme/app", tag: "1" };
const ci = { username: "ci", password: "one" };
const aws = { ...hub, aws_region: "eu-west-1", aws_access_key_id: "AKIA", aws_secret_access_key: "s1" };
const mirrored = (password: string) => ({ ...hub, registry_mirror: { host: "mirror.test", username: "m", password } });

test("a proof is 16 hex digits, the same each time", () => {
  expect(proof({ ...ghcr, ...ci })).toMatch(/^[0-9a-f]{16}$/);
  expect(proof({ ...ghcr, ...ci })).toBe(proof({ ...ghcr, ...ci, debug: true }));
});

describe("a proof differs with", () => {
  test.each<[what: string, one: RegistryImageSource, other: RegistryImageSource]>([
    ["the password", { ...ghcr, ...ci }, { ...ghcr, ...ci, password: "two" }],
    ["a mirror's password", mirrored("one"), mirrored("two")],
    ["an AWS secret", aws, { ...aws, aws_secret_access_key: "s2" }],
    ["an AWS session", { ...aws, aws_session_token: "t1" }, { ...aws, aws_session_token: "t2" }],
    ["which of two secrets it is", { ...hub, ...ci }, mirrored("one")],
  ])("%s", (_, one, other) => {
    expect(proof(one)).not.toBeNull();
    expect(proof(other)).not.toBeNull();
    expect(proof(one)).not.toBe(proof(other));
  });

  test("the scope and the key, so that it tells nothing of what else has the password", () => {
    const source = { ...ghcr, ...ci };
    const proofs = [proof(source), proof(source, "another scope"), proof(source, "scope", "another key, as unknown")];
    expect(new Set(proofs).size).toBe(3);
  });
});

test.each<[what: string, source: RegistryImageSource]>([
  ["nothing at all", ghcr],
  ["half a login", { ...ghcr, username: "ci" }],
  ["a role that the node takes on", { ...hub, aws_region: "eu-west-1", aws_role_arn: "arn:aws:iam::1:role/ci" }],
  ["a mirror's login where no mirror is asked", { ...ghcr, registry_mirror: { host: "m.test", ...ci } }],
])("who shows %s proves nothing by it", (_, source) => {
  expect(proof(source)).toBeNull();
});

function proof(source: RegistryImageSource, scope = "scope", withKey = key): string | null {
  return credentialProof(source, scope, withKey, hash);
}
