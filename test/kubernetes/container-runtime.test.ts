import { type JsonObject, referenceOfImageURL } from "@fetch-image/core";
import { createFetchImageEngine } from "@fetch-image/engine";
import { pullSecret, type Secret } from "@fetch-image/kubernetes";
import { createImageRegistry } from "@fetch-image/registry";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Containerd, containerdMissing } from "../support/cri/containerd.ts";
import { imageThatPrints } from "../support/cri/images.ts";
import { pullAsKubelet, type PullSecret } from "../support/cri/kubelet.ts";
import { startNode } from "../support/cri/node.ts";
import { type DockerRegistry, dockerRegistryMissing, startDockerRegistry } from "../support/docker-registry.ts";
import { typePlans } from "../support/engine.ts";

const missing = containerdMissing() ?? dockerRegistryMissing("htpasswd");

describe.skipIf(missing !== undefined)(
  `E4: containerd pulls and runs${missing === undefined ? "" : ` (${missing})`}`,
  () => {
    let node: Containerd;
    beforeAll(async () => {
      node = await startNode();
    });
    afterAll(async () => {
      await node.close();
    });

    /** Pulled as a kubelet pulls it, and run: what it prints. */
    async function ran(image: string, secrets: readonly PullSecret[] = []): Promise<string> {
      await pullAsKubelet(node, { image, secrets });
      const { output, exitStatus, imageRef } = await node.run({ image });
      expect(exitStatus).toBe(0);
      // The runtime tells the repository and the digest; the tag was for people.
      expect(imageRef).toBe(image.replace(/:[^:/@]+@/, "@"));
      return output;
    }

    test("from a registry that anybody may read", async () => {
      await using hub = await startDockerRegistry();
      await hub.push("acme/open:1.0", imageThatPrints("an open image\n"));
      const image = await resolved(hub, { repository: `${hub.host}/acme/open`, tag: "1.0" });
      expect(await ran(image)).toBe("an open image\n");
    });

    test("by the digest alone: the tag may have moved, or be gone", async () => {
      await using hub = await startDockerRegistry();
      await hub.push("acme/moving:1.0", imageThatPrints("what was resolved\n"));
      const image = await resolved(hub, { repository: `${hub.host}/acme/moving`, tag: "1.0" });
      await hub.push("acme/moving:1.0", imageThatPrints("what came after\n"));
      expect(await ran(image)).toBe("what was resolved\n");
      expect(await ran(image.replace(":1.0@", ":no-such-tag@"))).toBe("what was resolved\n");
      await expect(node.pull(image.replace(/.{8}$/, "00000000"))).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    test.each(["htpasswd", "token"] as const)(
      "from a private registry (%s), with the secret's login and not without",
      async (auth) => {
        await using hub = await startDockerRegistry({ auth });
        const text = `a private image behind ${auth}\n`;
        await hub.push("acme/tools:2.3", imageThatPrints(text));
        const login = { username: "alice", password: "s3cret" };
        const image = await resolved(hub, { repository: `${hub.host}/acme/tools`, tag: "2.3", ...login });
        await expect(pullAsKubelet(node, { image, secrets: [] })).rejects.toThrow(/401|denied|authoriz/i);
        expect(await ran(image, [secretFor(hub.host, login)])).toBe(text);
      },
    );

    test("with the second of two secrets for one registry, where the first is wrong", async () => {
      await using hub = await startDockerRegistry({ auth: "htpasswd" });
      const login = { username: "alice", password: "s3cret" };
      await hub.push("acme/second:1", imageThatPrints("by the second secret\n"));
      const image = await resolved(hub, { repository: `${hub.host}/acme/second`, tag: "1", ...login });
      const secrets = [secretFor(hub.host, { ...login, password: "wrong" }), secretFor(hub.host, login)];
      expect((await pullAsKubelet(node, { image, secrets })).tries).toBe(2);
      expect(await ran(image, secrets)).toBe("by the second secret\n");
    });

    test("after a password was changed, with the secret that was written anew and not with the old one", async () => {
      await using hub = await startDockerRegistry({ auth: "htpasswd" });
      const before = { username: "alice", password: "s3cret" };
      const after = { username: "alice", password: "chang3d" };
      await hub.push("acme/rotated:1", imageThatPrints("before the change\n"));
      const source = { repository: `${hub.host}/acme/rotated`, tag: "1" };
      expect(await ran(await resolved(hub, { ...source, ...before }), [secretFor(hub.host, before)])).toBe(
        "before the change\n",
      );
      hub.changeUsers({ alice: "chang3d" });
      await hub.push("acme/rotated:1", imageThatPrints("after the change\n"));
      const image = await resolved(hub, { ...source, ...after });
      expect(secretFor(hub.host, after).metadata).toEqual(secretFor(hub.host, before).metadata);
      await expect(pullAsKubelet(node, { image, secrets: [secretFor(hub.host, before)] })).rejects.toThrow(/401/);
      expect(await ran(image, [secretFor(hub.host, after)])).toBe("after the change\n");
    });

    test("over TLS with a certificate of a private authority, which node and source both name", async () => {
      await using hub = await startDockerRegistry({ tls: true });
      const ca = hub.ca ?? "";
      await hub.push("acme/inside:1", imageThatPrints("over TLS\n"));
      const image = await resolved(hub, { repository: `${hub.host}/acme/inside`, tag: "1", ca_certs: [ca] });
      await expect(node.pull(image)).rejects.toThrow(/certificate|http|400/i);
      const directory = node.configureRegistry(hub.host, "", { "ca.crt": ca });
      node.configureRegistry(hub.host, `[host."${hub.origin}"]\n  ca = "${directory}/ca.crt"\n`);
      expect(await ran(image)).toBe("over TLS\n");
    });

    test("from the mirror of Docker Hub that source and node both have: the reference stays Docker Hub's", async () => {
      await using mirror = await startDockerRegistry();
      await mirror.push("library/busybox:1.36", imageThatPrints("from the mirror\n"));
      const image = await resolved(mirror, {
        repository: "busybox",
        tag: "1.36",
        registry_mirror: { host: mirror.host },
      });
      expect(image).toMatch(/^docker\.io\/library\/busybox:1\.36@sha256:/);
      node.configureRegistry("docker.io", `[host."${mirror.origin}"]\n  capabilities = ["pull", "resolve"]\n`);
      expect(await ran(image)).toBe("from the mirror\n");
    });
  },
);

/** What a pod's `image:` is for a type with this source. */
async function resolved({ tokens }: DockerRegistry, source: JsonObject): Promise<string> {
  await using registry = createImageRegistry({ allowedRealms: tokens ? [tokens.origin] : [] });
  const eventLog = createMemoryEventLog();
  await using engine = createFetchImageEngine({ eventLog, registry, nativeImageFetch: true, soleNode: true });
  const build = await engine.openBuild({ id: "1" });
  const { imageURL } = await build.fetchImage({ ...typePlans("1", source), privileged: false });
  return referenceOfImageURL(imageURL ?? "") ?? "";
}

/** The Secret that we make of a source's login. */
function secretFor(registry: string, login: { readonly username: string; readonly password: string }): Secret {
  return pullSecret({ registry, ...login }, { build: { buildId: "1" }, registry, of: "my-type" });
}
