import { matchingCredentials, type PullSecret, pullSecretWarning } from "@fetch-image/kubernetes";
import { describe, expect, test } from "vitest";

/** A Secret with a login for each key, whose user is called as the key. */
function secretFor(name: string, ...keys: readonly string[]): PullSecret {
  const auths = Object.fromEntries(keys.map((key) => [key, { username: key, password: "hunter2" }]));
  return rawSecret(name, JSON.stringify({ auths }));
}

function rawSecret(name: string, config: string, type = "kubernetes.io/dockerconfigjson"): PullSecret {
  const key = type === "kubernetes.io/dockercfg" ? ".dockercfg" : ".dockerconfigjson";
  return { metadata: { name }, type, data: { [key]: Buffer.from(config).toString("base64") } };
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("a kubelet's choice of login", () => {
  test.each([
    // A key, an image it fits or does not, and why.
    ["ghcr.io", "ghcr.io/acme/app", true, "a host"],
    ["https://ghcr.io", "ghcr.io/acme/app", true, "its scheme aside"],
    ["https://ghcr.io/v2/", "ghcr.io/acme/app", true, "and the API's path"],
    ["https://ghcr.io/v1/acme", "ghcr.io/acme/app", true, "also before a path of its own"],
    ["ghcr.io/v2", "ghcr.io/acme/app", false, "but not without its slash"],
    ["ghcr.io/acme", "ghcr.io/acme/app", true, "a path"],
    ["ghcr.io/acme", "ghcr.io/acmeville/app", true, "as plain text"],
    ["ghcr.io/other", "ghcr.io/acme/app", false, "another path"],
    ["example.com", "registry.example.com/app", false, "a host's beginning is no host"],
    ["*.example.com", "registry.example.com/app", true, "a glob for one part"],
    ["*.example.com", "a.b.example.com/app", false, "never for two"],
    ["*.dkr.ecr.*.amazonaws.com", "123.dkr.ecr.eu-west-1.amazonaws.com/app", true, "several"],
    ["reg?stry.example.com", "registry.example.com/app", false, "a question mark ends a URL's host"],
    ["r[a-e]gistry.example.com", "registry.example.com/app", true, "one of some"],
    ["r[f-z]gistry.example.com", "registry.example.com/app", false, "none of some"],
    ["r[a-.example.com", "ra.example.com/app", false, "a glob that never ends"],
    ["127.0.0.1:5000", "127.0.0.1:5000/app", true, "a port"],
    ["127.0.0.1", "127.0.0.1:5000/app", false, "no port is not any port"],
    ["127.0.0.1:*", "127.0.0.1:5000/app", false, "and a port is no glob"],
    ["ghcr.io/*", "ghcr.io/acme/app", false, "nor is a path"],
    ["https://index.docker.io/v1/", "docker.io/library/busybox", true, "Docker Hub, as kubectl writes it"],
    ["index.docker.io", "busybox", true, "an image without a host is Docker Hub's"],
    ["docker.io", "busybox", true, "whose name fits by itself"],
    ["registry-1.docker.io", "busybox", false, "its API's host does not"],
    ["hub.docker.com", "busybox", false, "nor does its site"],
    ["user:pass@ghcr.io", "ghcr.io/acme/app", true, "a user in the key aside"],
    ["gh cr.io", "ghcr.io/acme/app", false, "what is no address is passed over"],
    ["", "ghcr.io/acme/app", false, "nothing is no address"],
  ])("%j for %s: %s (%s)", (key, image, fits) => {
    const digest = `sha256:${"d".repeat(64)}`;
    for (const reference of [image, `${image}:1.0`, `${image}:1.0@${digest}`]) {
      expect(matchingCredentials(reference, [secretFor("a", key)])).toHaveLength(fits ? 1 : 0);
    }
  });

  test("tries the longest path first, and of one key the pod's first secret", () => {
    const secrets = [secretFor("one", "ghcr.io", "ghcr.io/acme"), secretFor("two", "ghcr.io/acme/app", "ghcr.io/acme")];
    const tried = matchingCredentials("ghcr.io/acme/app:1", secrets).map(({ secret, key }) => `${secret} ${key}`);
    expect(tried).toEqual(["two ghcr.io/acme/app", "one ghcr.io/acme", "two ghcr.io/acme", "one ghcr.io"]);
  });

  test("takes Docker Hub's old key only where nothing fits by name", () => {
    const secrets = [secretFor("old", "https://index.docker.io/v1/"), secretFor("new", "docker.io")];
    expect(matchingCredentials("busybox", secrets).map(({ secret }) => secret)).toEqual(["new"]);
  });

  test("reads `auth` before the fields it is made of, up to the first colon, padded or not", () => {
    const login = (entry: object) =>
      matchingCredentials("ghcr.io/a", [rawSecret("s", JSON.stringify({ auths: { "ghcr.io": entry } }))])[0];
    const stale = { username: "old", password: "old" };
    expect(login({ ...stale, auth: base64("me:a:b") })).toMatchObject({ username: "me", password: "a:b" });
    expect(login({ ...stale, auth: base64("me:abc").replace(/=+$/, "") })).toMatchObject({ password: "abc" });
    expect(login({ username: "me", password: "x", identitytoken: "t" })).toMatchObject({ password: "x" });
  });

  test("reads the older form of Secrets too, and passes others over", () => {
    const older = rawSecret("old", JSON.stringify({ "ghcr.io": { auth: base64("a:b") } }), "kubernetes.io/dockercfg");
    expect(matchingCredentials("ghcr.io/a", [older])).toMatchObject([{ secret: "old", username: "a" }]);
    expect(matchingCredentials("ghcr.io/a", [{ ...older, type: "Opaque" }, { metadata: { name: "none" } }])).toEqual(
      [],
    );
  });

  test.each([
    ["no JSON", "{hunter2"],
    ["JSON of something else", `["hunter2"]`],
    ["an entry that is none", `{"auths":{"ghcr.io":"hunter2"}}`],
    ["a password that is no text", `{"auths":{"ghcr.io":{"password":{"hunter2":1}}}}`],
    ["an `auth` that is no base64", `{"auths":{"ghcr.io":{"auth":"hunter2!"}}}`],
    ["an `auth` without a colon", `{"auths":{"ghcr.io":{"auth":"${base64("hunter2")}"}}}`],
  ])("fails every pull for a Secret that holds %s; the error names it and nothing of it", (_what, config) => {
    const secrets = [secretFor("good", "ghcr.io"), rawSecret("broken", config)];
    const error = refusalOf(() => matchingCredentials("ghcr.io/a", secrets));
    expect(error).toMatchObject({ code: "FI_PULL_SECRET_INVALID", message: expect.stringContaining(`"broken"`) });
    expect(`${error.stack}${JSON.stringify(error)}`).not.toContain("hunter2");
  });
});

describe("a warning", () => {
  test("names the image, the secrets and their keys where none fits, and nothing that is secret", () => {
    const opaque = { metadata: { name: "tls" }, type: "kubernetes.io/tls" };
    const secrets = [secretFor("one", "ghcr.io", "*.example.com"), opaque, rawSecret("empty", "{}")];
    expect(pullSecretWarning("quay.io/acme/app:1", secrets)).toBe(
      "no pull secret fits quay.io/acme/app:1, so a kubelet pulls it anonymously: one has ghcr.io, *.example.com; " +
        `tls is of type "kubernetes.io/tls"; empty has no key`,
    );
  });

  test("is not given where one fits, and not where none is configured", () => {
    expect(pullSecretWarning("ghcr.io/acme/app:1", [secretFor("one", "ghcr.io")])).toBeUndefined();
    expect(pullSecretWarning("ghcr.io/acme/app:1", [])).toBeUndefined();
  });
});

function refusalOf(ask: () => unknown): Error {
  try {
    ask();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it was not refused");
}
