// A registry in a process of its own, so that the soak measures the engine's memory alone. It has every tag that does not
// begin with "missing", each with a digest of its own. Prints its port.
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const server = createServer((request, response) => {
  const path = request.url ?? "";
  const isThere = path.startsWith("/v2/") && !path.includes("/missing");
  const digest = createHash("sha256").update(path).digest("hex");
  response.writeHead(isThere ? 200 : 404, {
    "content-type": isThere ? "application/vnd.oci.image.manifest.v1+json" : "application/json",
    "content-length": "2",
    ...(isThere ? { "docker-content-digest": `sha256:${digest}` } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : "{}");
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`${typeof address === "object" && address !== null ? address.port : ""}\n`);
});
process.on("disconnect", () => process.exit());
