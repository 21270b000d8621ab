// The registry of the demo: the images that examples/ name, made on the spot. The same recipe gives the same digests on
// any machine, so a second run finds what the first one saw.
import { startEmbeddedRegistry } from "../../packages/registry/dist/embedded/index.js";

const defaultPort = 5151;
const portsToTry = 20;

/** Who may pull `acme/private-tools`. Known to everybody, and still never stored or shown. */
export const login = { username: "demo", password: "demo-password" };

const images = {
  "acme/github-pr-resource:v0.23.0": ["/opt/resource/check", "/opt/resource/in", "/opt/resource/out"],
  "acme/slack-notification-resource:v1.7.0": ["/opt/resource/check", "/opt/resource/in", "/opt/resource/out"],
  "acme/registry-image-resource:1.13": ["/opt/resource/check", "/opt/resource/in", "/opt/resource/out"],
  "acme/golang:1.22": ["/usr/local/go/bin/go"],
  "acme/private-tools:2.3": ["/usr/local/bin/smoke-test"],
};

/**
 * Starts it on the port it had before, so that what was asked of it is still the same question.
 * @param {number | undefined} port
 * @returns {Promise<{registry: import("../../packages/registry/dist/embedded/index.js").EmbeddedRegistry, port: number, pinnedDigest: string}>}
 */
export async function startDemoRegistry(port = defaultPort) {
  const registry = await listen([port, ...Array.from({ length: portsToTry }, (_, more) => defaultPort + more)]);
  let pinnedDigest = "";
  for (const [reference, files] of Object.entries(images)) {
    const layer = Object.fromEntries(files.map((file) => [file, `#!/bin/sh\necho ${reference}\n`]));
    const image = await registry.push(reference, { layers: [layer], platforms: ["linux/amd64", "linux/arm64"] });
    if (reference === "acme/golang:1.22") pinnedDigest = image.digest;
  }
  return { registry, port: Number(registry.host.split(":").at(-1)), pinnedDigest };
}

/** @param {readonly number[]} ports */
async function listen([port, ...others]) {
  try {
    return await startEmbeddedRegistry({
      port,
      users: { [login.username]: login.password },
      private: [{ prefix: "acme/private-tools", scheme: "bearer" }],
    });
  } catch (error) {
    if (error.code !== "EADDRINUSE" || others.length === 0) throw error;
    return await listen(others);
  }
}
