// A process that fetches images which nobody has asked for before, reads what it stored of them back, and renders it.
import { createServer } from "node:http";
import { decodeBuildFact, renderBuildLog, replayBuild } from "@fetch-image/core";
import { createFetchImageEngine } from "@fetch-image/engine";
import { createImageRegistry } from "@fetch-image/registry";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { listenOnLoopback } from "../../support/listen.ts";

const fetches = Number(process.argv[2]);
const digest = `sha256:${"6".repeat(64)}`;

const server = createServer((_, response) => {
  const type = "application/vnd.oci.image.manifest.v1+json";
  response.writeHead(200, { "docker-content-digest": digest, "content-type": type, "content-length": 500 }).end();
});
const { host, close } = await listenOnLoopback(server);
const registry = createImageRegistry();
const eventLog = createMemoryEventLog();
const engine = createFetchImageEngine({ eventLog, registry, nativeImageFetch: true });

async function fetchAndReadBack(number: number): Promise<void> {
  const source = { repository: `${host}/acme/app`, tag: `1.${number}` };
  const build = await engine.openBuild({ id: String(number), isNew: true });
  await build.fetchImage({
    getPlan: { id: "1/image-get", get: { name: "image", type: "registry-image", source } },
    checkPlan: { id: "1/image-check", check: { name: "image", type: "registry-image", source } },
    privileged: false,
  });
  await build.close();
  const stored = await eventLog.read(`build-${number}`);
  const facts = stored.flatMap((fact) => {
    const decoded = decodeBuildFact(fact);
    return decoded.known ? [decoded.fact] : [];
  });
  replayBuild(facts);
  renderBuildLog(facts);
}

for (let number = 0; number < fetches; number++) await fetchAndReadBack(number);
await engine.close();
await registry.close();
await close();
