// A process that reads event streams to their end and tells how long the first byte and the last took: in the server's own
// process it would wait for the server.
import { get } from "node:http";

process.on("message", ({ url, lastId }) => void read(url, lastId).then((answer) => process.send?.(answer)));
process.on("disconnect", () => process.exit());
process.send?.("ready");

/** @returns {Promise<{ firstMs: number, wholeMs: number }>} */
function read(url, lastId) {
  return new Promise((resolve, reject) => {
    const headers = lastId === undefined ? {} : { "last-event-id": String(lastId) };
    const begin = performance.now();
    let firstMs = 0;
    let tail = "";
    const asked = get(url, { agent: false, headers }, (response) => {
      response.setEncoding("latin1").on("data", (part) => {
        if (firstMs === 0) firstMs = performance.now() - begin;
        tail = (tail + part).slice(-40);
        if (!tail.endsWith("event: end\ndata\n\n")) return;
        resolve({ firstMs, wholeMs: performance.now() - begin });
        asked.destroy();
      });
      response.on("error", () => undefined);
    });
    asked.on("error", reject);
  });
}
