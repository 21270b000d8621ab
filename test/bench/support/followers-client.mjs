// A process of clients that follow builds: it opens connections, and tells its parent how late the events came.
import { connect } from "node:net";

/** @typedef {{kind: "open", port: number, builds: string[], count: number} | {kind: "told"}} FollowersCommand */
/** @typedef {{kind: "opened"} | {kind: "told", latencies: number[], connections: number}} FollowersReport */

/** @type {number[]} milliseconds, of each event at each connection */
let latencies = [];
let connections = 0;

process.on("message", (/** @type {FollowersCommand} */ command) => {
  if (command.kind === "open") {
    void open(command);
    return;
  }
  tell({ kind: "told", latencies, connections });
  latencies = [];
});
process.on("disconnect", () => process.exit());
tell({ kind: "opened" });

/** @param {Extract<FollowersCommand, {kind: "open"}>} command */
async function open({ port, builds, count }) {
  for (let at = 0; at < count; at += 100) {
    const some = Math.min(100, count - at);
    await Promise.all(Array.from({ length: some }, (_, n) => follow(port, builds[(at + n) % builds.length] ?? "")));
  }
  tell({ kind: "opened" });
}

/** Resolves with the first bytes. */
function follow(port, build) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.write(`GET /api/v1/builds/${build}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    socket.setEncoding("latin1");
    socket.once("data", () => {
      connections++;
      resolve(undefined);
    });
    socket.on("data", (text) => {
      for (let at = text.indexOf("sent="); at >= 0; at = text.indexOf("sent=", at + 5)) {
        latencies.push(now() - Number.parseFloat(text.slice(at + 5, at + 25)));
      }
    });
    socket.on("close", () => connections--);
    socket.on("error", reject);
  });
}

/** The clock that all processes of a machine share, in milliseconds. */
function now() {
  return performance.timeOrigin + performance.now();
}

/** @param {FollowersReport} report */
function tell(report) {
  process.send?.(report);
}
