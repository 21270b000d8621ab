// A registry in a process of its own, so that its work is not counted as the engine's. Every tag of every repository
// exists. Prints its port.
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const digest = `sha256:${createHash("sha256").update("image").digest("hex")}`;
const server = createServer((request, response) => {
  response.writeHead(request.url?.startsWith("/v2/") === true ? 200 : 404, {
    "content-type": "application/vnd.oci.image.manifest.v1+json",
    "content-length": "2",
    "docker-content-digest": digest,
  });
  response.end(request.method === "HEAD" ? undefined : "{}");
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`${typeof address === "object" && address !== null ? address.port : ""}\n`);
});
process.on("disconnect", () => process.exit());
