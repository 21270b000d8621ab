// A registry in a process of its own, so that its work is not counted as the engine's. Every tag of every repository
// exists. Prints its port. Answers every message with how often it was asked since the last one; told to "hold", it
// leaves whoever asks from then on without an answer, until it is told to "answer".
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const digest = `sha256:${createHash("sha256").update("image").digest("hex")}`;
let requests = 0;
let holds = false;
const server = createServer((request, response) => {
  requests++;
  if (holds) return;
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
process.on("message", (what) => {
  if (what === "hold" || what === "answer") holds = what === "hold";
  process.send?.(requests);
  requests = 0;
});
process.on("disconnect", () => process.exit());
