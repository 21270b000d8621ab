import { execFileSync, spawnSync } from "node:child_process";
import type { PullCredential } from "@fetch-image/core";
import {
  credentialForImage,
  matchingCredentials,
  pullSecret,
  pullSecretName,
  pullSecretNames,
} from "@fetch-image/kubernetes";
import { describe, expect, test } from "vitest";
import { manifestProblems } from "./manifest-problems.ts";

const build = { team: "main", pipeline: "ci", job: "unit", buildId: "4711", buildName: "42" };
const purpose = { build, registry: "ghcr.io", of: "my-type" };
const login: PullCredential = { registry: "ghcr.io", username: "me", password: "hunter2" };
const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0;

describe("a pull secret", () => {
  test("is named for what it is for: a rotated password is new data under the same name", () => {
    const [before, after] = [pullSecret(login, purpose), pullSecret({ ...login, password: "rotated" }, purpose)];
    expect(after.metadata).toEqual(before.metadata);
    expect(after.data).not.toEqual(before.data);
    expect(before.metadata.name).toMatch(/^ci-unit-b42-pull-[0-9a-f]{8}$/);
    expect(manifestProblems(before)).toEqual([]);
  });

  test("is another for another registry, image, build or team", () => {
    const others = [
      { ...purpose, registry: "quay.io" },
      { ...purpose, of: "other-type" },
      { ...purpose, build: { ...build, buildId: "4712" } },
      { ...purpose, build: { ...build, team: "other" } },
    ];
    expect(new Set([purpose, ...others].map(pullSecretName)).size).toBe(5);
  });

  test("says whose it is, goes with the pods that use it, and shows nothing of the login", () => {
    const owner = { apiVersion: "v1", kind: "Pod", name: "ci-unit-b42-task-1", uid: "u1" };
    const secret = pullSecret(login, purpose, { namespace: "ci", owners: [owner] });
    expect(secret.metadata).toMatchObject({
      namespace: "ci",
      labels: {
        "app.kubernetes.io/managed-by": "fetch-image",
        "concourse.ci/type": "pull-secret",
        "concourse.ci/build-id": "4711",
        "concourse.ci/registry": "ghcr.io",
        "concourse.ci/image-of": "my-type",
      },
      ownerReferences: [owner],
    });
    expect(JSON.stringify({ ...secret, data: {} })).not.toMatch(/hunter2|"me"/);
  });

  test("is what a kubelet finds for the registry's images", () => {
    for (const [registry, image] of [
      ["ghcr.io", "ghcr.io/acme/app:1"],
      ["docker.io", "busybox"],
      ["127.0.0.1:5000", "127.0.0.1:5000/a"],
    ] as const) {
      const secret = pullSecret({ ...login, registry }, { ...purpose, registry });
      expect(matchingCredentials(image, [secret])).toMatchObject([{ username: "me", password: "hunter2" }]);
    }
  });

  test("is not made of a username with a colon, which no kubelet reads as it was meant", () => {
    const make = () => pullSecret({ ...login, username: "me:hunter2" }, purpose);
    const error = expect.objectContaining({ code: "FI_PULL_SECRET_INVALID", retryable: false });
    expect(make).toThrow(error as Error);
    expect(make).toThrow(/username for ghcr\.io has a colon/);
    expect(make).not.toThrow(/hunter2/);
  });

  test.skipIf(!hasKubectl).each([
    ["ghcr.io", "ghcr.io", "me", "hunter2"],
    ["docker.io", "https://index.docker.io/v1/", "me", "hunter2"],
    [
      "registry.example.com:5000",
      "registry.example.com:5000",
      "_json_key",
      `{"type": "service_account", "a": "<&>"}\n`,
    ],
    ["quay.io", "quay.io", "ünï@example.com", "p\\a\"s's\t\u2028\u{1f680}="],
  ])("for %s is byte for byte what kubectl makes", (registry, server, username, password) => {
    const { data } = pullSecret({ registry, username, password }, purpose);
    const flags = [`--docker-server=${server}`, `--docker-username=${username}`, `--docker-password=${password}`];
    const made = execFileSync("kubectl", [
      "create",
      "secret",
      "docker-registry",
      "x",
      ...flags,
      "--dry-run=client",
      "-o",
      "json",
    ]);
    const theirs: { readonly data: object; readonly type: string } = JSON.parse(made.toString());
    expect(data).toEqual(theirs.data);
    expect(pullSecret({ registry, username, password }, purpose).type).toBe(theirs.type);
  });
});

test("a login is given only for the registry that nodes pull from", () => {
  const mirror = { registry: "mirror.example.com", username: "m", password: "m" };
  const hub = { registry: "docker.io", username: "h", password: "h" };
  expect(credentialForImage("mirror.example.com/library/busybox:1", [hub, mirror])).toBe(mirror);
  expect(credentialForImage("busybox", [mirror, hub])).toBe(hub);
  expect(credentialForImage("other.example.com/library/busybox:1", [hub, mirror])).toBeUndefined();
});

test("pull secrets are named once each: the source's own, the configured ones, the registry's", () => {
  expect(pullSecretNames({ own: ["own"], configured: ["a", "b", "a"], registry: "b" })).toEqual(["own", "a", "b"]);
  expect(pullSecretNames({ configured: ["a"], registry: "r" })).toEqual(["a", "r"]);
  expect(pullSecretNames({})).toEqual([]);
});
