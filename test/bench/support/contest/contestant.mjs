// A contestant in a process of its own, so that its CPU and its memory are its own. Opens on the first message, and
// answers each: with what it measured, or why it failed.
import { PerformanceObserver } from "node:perf_hooks";
import { setImmediate as turn } from "node:timers/promises";
import { closedLoop } from "../load.mjs";

const [, , module = "", place = "{}"] = process.argv;
const { open } = await import(module);
const contestant = await open(JSON.parse(place));
const name = `${process.pid}-${Date.now().toString(36)}`;
let next = 0;

/** For how long the thread was stopped to collect garbage. */
let collectedMs = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) collectedMs += duration;
}).observe({ entryTypes: ["gc"] });

async function runNext() {
  const reference = await contestant.run(`${name}-${next++}`);
  if (!/@sha256:[0-9a-f]{64}$/.test(reference)) throw new Error(`${reference} has no digest`);
}

const work = {
  /** Runs so many workflows, or as many as there is time for. */
  async warm({ inFlight, seconds, workflows }) {
    const until = performance.now() + seconds * 1000;
    const begun = next;
    await Promise.all(
      Array.from({ length: inFlight }, async () => {
        while (next - begun < workflows && performance.now() < until) await runNext();
      }),
    );
    return { count: next - begun };
  },
  /** Runs workflows, `inFlight` at a time, for some seconds. */
  async load({ inFlight, seconds }) {
    const before = process.cpuUsage();
    const collectedBefore = collectedMs;
    const begun = performance.now();
    const result = await closedLoop(inFlight, seconds, runNext);
    const { user, system } = process.cpuUsage(before);
    const elapsedMs = performance.now() - begun;
    // The observer is told in a turn of its own.
    await turn();
    const gcShare = (collectedMs - collectedBefore) / elapsedMs;
    return { ...result, cpuSeconds: (user + system) / 1e6, rss: process.memoryUsage.rss(), gcShare };
  },
  /** Begins workflows, and does not wait for them. */
  async begin({ workflows }) {
    let hasFailed = false;
    for (const workflow of workflows) {
      contestant.run(workflow).catch((error) => {
        if (!hasFailed) process.stderr.write(`${workflow} failed: ${error?.stack ?? error}\n`);
        hasFailed = true;
      });
    }
  },
  /** Goes on with them; tells the CPU that this process has used since it started. */
  async resume({ workflows }) {
    await contestant.resume(workflows);
    const { user, system } = process.cpuUsage();
    return { cpuSeconds: (user + system) / 1e6 };
  },
  close: () => contestant.close(),
};

process.on("message", (/** @type {{do: keyof typeof work}} */ { do: what, ...options }) => {
  work[what](options).then(
    (done) => process.send?.({ done }),
    (error) => process.send?.({ failed: error?.stack ?? String(error) }),
  );
});
process.on("disconnect", () => process.exit());
process.send?.({ done: "open" });
