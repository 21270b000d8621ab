import { describe, expect, test } from "vitest";
import type { JsonObject } from "../json.ts";
import { publicSourceSuffices, sourceHasCredentials } from "./credential.ts";
import { publicSource } from "./public-source.ts";
import { parseRegistryImageSource, type RegistryImageSource } from "./registry-image-source.ts";
import { scopeOf } from "./scope.ts";
import { secretsOf } from "./secrets-of.ts";
import { sourceFields } from "./source-fields.ts";

const canary = "CANARY-hunter2";

/** One source per field that may hold a credential, each valid but for nothing. */
const sources: readonly (readonly [field: string, fields: Omit<RegistryImageSource, "repository">])[] = [
  ["username", { username: canary, password: "x" }],
  ["password", { username: "x", password: canary }],
  ["aws_access_key_id", { aws_access_key_id: canary }],
  ["aws_secret_access_key", { aws_secret_access_key: canary }],
  ["aws_session_token", { aws_session_token: canary }],
  ["aws_role_arn", { aws_role_arn: canary }],
  ["aws_role_arns", { aws_role_arns: [canary] }],
  ["azure_client_id", { azure_client_id: canary }],
  ["azure_tenant_id", { azure_tenant_id: canary }],
  ["registry_mirror.username", { registry_mirror: { host: "m", username: canary, password: "x" } }],
  ["registry_mirror.password", { registry_mirror: { host: "m", username: "x", password: canary } }],
];
const contentTrust = ["server", "repository_key_id", "repository_key", "repository_passphrase"]
  .concat(["tls_key", "tls_cert", "scopes", "username", "password"])
  .map((field) => [`content_trust.${field}`, { content_trust: { [field]: canary } }] as const);
const accounts = [
  ["aws_account_id", { aws_account_id: canary }],
  ["aws_ecr_registry_id", { aws_ecr_registry_id: canary }],
] as const;

/** Gives nothing away of the text, as any hash; that is all that matters here. */
const hash = {
  sha1Hex: () => "0".repeat(40),
  sha256Hex: (text: string) => text.length.toString(16).padStart(64, "0"),
};

describe.each([...sources, ...contentTrust, ...accounts])("a secret in %s", (field, fields) => {
  const source: RegistryImageSource = { repository: "busybox", tag: "1", ...fields };

  test("is accepted, and stands in neither the public source nor the scope", () => {
    expect(parseRegistryImageSource(json(source))).toEqual({ ok: true, source });
    expect(JSON.stringify(publicSource(source))).not.toMatch(/CANARY|hunter2/);
    expect(JSON.stringify(scopeOf("registry-image", source, hash))).not.toMatch(/CANARY|hunter2/);
  });

  test("stands in no error, whatever is wrong with its own field or another", () => {
    const [name = "", part] = field.split(".");
    const ownField = [{ [canary]: 1 }, [[canary]], { a: canary }].map((wrong) =>
      part === undefined ? { [name]: wrong } : { [name]: { [part]: wrong } },
    );
    const another = [
      { [name]: canary, debug: "x" },
      { repository: "Foo/bar" },
      { repository: "busybox:1" },
      { repository: `https://me:${canary}@ghcr.io/a` },
      { unknown_field: canary },
      { tag: `${canary} x` },
      { ca_certs: [canary] },
    ];
    for (const wrong of [...ownField, ...another]) {
      expect(everythingSaid({ ...source, ...wrong })).not.toMatch(/CANARY|hunter2/);
    }
  });
});

test.each([...sources, ...contentTrust])("what %s holds is among the secrets to cut", (_, fields) => {
  expect(secretsOf(json({ repository: "busybox", ...fields }))).toContain(canary);
});

test.each(sources)("a source with %s has credentials, and cannot be asked again from its public form", (_, fields) => {
  expect(sourceHasCredentials({ repository: "busybox", ...fields })).toBe(true);
  expect(publicSourceSuffices({ repository: "busybox", ...fields })).toBe(false);
});

test.each(accounts.slice(0, 1))("a source with %s cannot be asked again from its public form", (_, fields) => {
  expect(publicSourceSuffices({ repository: "busybox", aws_region: "eu-west-1", ...fields })).toBe(false);
});

test("a source without credentials can be asked again from its public form, but for its certificates", () => {
  const open = { repository: "busybox", tag: "1", insecure: true, registry_mirror: { host: "m" }, username: "" };
  expect(sourceHasCredentials(open)).toBe(false);
  expect(publicSourceSuffices(open)).toBe(true);
  const trusting = { ...open, ca_certs: ["-----BEGIN CERTIFICATE-----"] };
  expect(sourceHasCredentials(trusting)).toBe(false);
  expect(publicSourceSuffices(trusting)).toBe(false);
});

test("the public source has a fixed order, leaves out what says nothing, and counts certificates", () => {
  const shown = publicSource({
    debug: true,
    platform: { os: "linux", architecture: "" },
    ca_certs: ["a", "b"],
    registry_mirror: { password: "p", host: "https://me:hunter2@mirror.example.com", username: "u" },
    pre_release_prefixes: ["rc"],
    insecure: false,
    aws_region: "",
    tag: "1",
    repository: "busybox",
  });
  expect(JSON.stringify(shown)).toBe(
    JSON.stringify({
      repository: "busybox",
      tag: "1",
      pre_release_prefixes: ["rc"],
      ca_certs: 2,
      registry_mirror: { host: "***@mirror.example.com" },
      platform: { os: "linux" },
      debug: true,
    }),
  );
});

test("every field of the table says why", () => {
  for (const [name, field] of Object.entries(sourceFields)) {
    expect(`${name}: ${field.why}`).toMatch(/: .{15,}/);
  }
});

function json(source: object): JsonObject {
  return JSON.parse(JSON.stringify(source));
}

/** All the words of the error that a source is refused with. */
function everythingSaid(source: object): string {
  const parsed = parseRegistryImageSource(json(source));
  if (parsed.ok) throw new Error(`accepted: ${JSON.stringify(Object.keys(source))}`);
  const { error } = parsed;
  return `${error.stack}${error.hint}${JSON.stringify(error)}${String(error.cause)}`;
}
