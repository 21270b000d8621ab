import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fetchImageInHost } from "../support/command-host.ts";
import { type DockerRegistry, dockerRegistryMissing, startDockerRegistry } from "../support/docker-registry.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";

const missing = dockerRegistryMissing("htpasswd");
const images = [
  "acme/github-pr-resource:v0.23.0",
  "acme/golang:1.22",
  "acme/private-tools:2.3",
  "acme/registry-image-resource:1.13",
  "acme/slack-notification-resource:v1.7.0",
];

/** Each set-up of Debian's registry that the examples must resolve against. Credentials go only where they are asked for. */
describe.skipIf(missing !== undefined).each([{ auth: "none" }, { auth: "htpasswd" }] as const)(
  `the examples against docker-registry (auth: $auth)${missing === undefined ? "" : ` (${missing})`}`,
  ({ auth }) => {
    let registry: DockerRegistry;
    let data: string;
    const digests = new Map<string, string>();
    beforeAll(async () => {
      data = mkdtempSync(join(tmpdir(), "fetch-image-examples-"));
      await makeEmbeddedStore(data);
      registry = await startDockerRegistry({ auth });
      for (const image of images) digests.set(image, (await registry.push(image, { layers: [image] })).digest);
    });
    afterAll(async () => {
      await registry.close();
      rmSync(data, { recursive: true, force: true });
    });

    // A registry that asks everybody to log in serves only the examples that bring credentials.
    const examples = auth === "htpasswd" ? ["private"] : ["custom-type", "nested-types", "task-image", "pinned", "ci"];

    test.each(examples)("%s.yml resolves to the digests that were pushed", async (example) => {
      const vars = {
        registry: registry.host,
        pinned_digest: digests.get("acme/golang:1.22"),
        username: "alice",
        password: "s3cret",
      };
      const given = Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}=${value}`]);
      const run = await fetchImageInHost(["run", `examples/${example}.yml`, "--json", "--data", data, ...given]);
      if (run.status !== 0) throw new Error(`exit ${run.status}: ${run.stderr}`);
      const lines: readonly { image?: string; via: string }[] = run.json();
      const pulled = lines.filter(({ via }) => via !== "base-type").map(({ image }) => image ?? "");
      expect(pulled.length).toBeGreaterThan(0);
      for (const image of pulled) {
        const [reference = "", digest] = image.split("@");
        expect(digest).toBe(digests.get(reference.slice(registry.host.length + 1)));
      }
    });
  },
);
