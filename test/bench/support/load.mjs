import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Starts the stub registry; gives its host. `tell` gives how often it was asked since it was last told something. */
export async function startStubRegistry() {
  const child = fork(fileURLToPath(new URL("stub-registry.mjs", import.meta.url)), {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  if (child.stdout === null) throw new Error("the stub registry's output is not piped");
  const [port] = await once(child.stdout, "data");
  return {
    host: `127.0.0.1:${String(port).trim()}`,
    /** @param {"count" | "hold" | "answer"} what */
    async tell(what) {
      child.send(what);
      const [requests] = await once(child, "message");
      return Number(requests);
    },
    stop() {
      child.disconnect();
    },
  };
}

/**
 * Runs `work(n)` for `seconds`, `inFlight` of them at a time.
 * @returns {Promise<{perSecond: number, p50: number, p99: number, count: number}>} latencies in ms
 */
export async function closedLoop(inFlight, seconds, work) {
  const latencies = [];
  const begin = performance.now();
  const until = begin + seconds * 1000;
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let now = performance.now(); now < until;) {
        await work(next++);
        const end = performance.now();
        latencies.push(end - now);
        now = end;
      }
    }),
  );
  const elapsed = (performance.now() - begin) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return { perSecond: latencies.length / elapsed, p50: at(0.5), p99: at(0.99), count: latencies.length };
}

/** The median, and the spread around it: (largest − smallest) / median. */
export function summary(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.floor(sorted.length / 2)];
  return { value, runs: sorted.length, spread: (sorted.at(-1) - sorted[0]) / value };
}
