// The inspector's page in Chromium: a step of the scrubber over a stream of 50,000 facts, and frames while a list of
// 10,000 fetches scrolls. Measured in the page: from the change of the address to the frame in which everything stands.
import { chromiumPath, launchBrowser, openPage } from "../inspector-page/support/browser.ts";
import { longBuild, manyBuilds } from "../inspector-page/support/large-facts.ts";
import { servePage } from "../inspector-page/support/page-server.ts";

export const name = "inspector";

const steps = 120;

export async function run(emit) {
  if (chromiumPath === undefined) throw new Error("chromium is missing (apt-get install chromium)");
  const browser = await launchBrowser();
  try {
    await measureSteps(browser, emit);
    await measureScrolling(browser, emit);
  } finally {
    await browser.close();
  }
}

async function measureSteps(browser, emit) {
  const build = longBuild({ steps: 100, lines: 49_300 });
  const server = await servePage({ builds: [build], scopes: [], now: 0 });
  const opened = await openPage(browser, { origin: server.origin, path: `/?build=${build.buildId}` });
  const { page } = opened;
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.enable", { timeDomain: "threadTicks" });
  const before = performance.now();
  await page
    .locator(".scrubber output strong")
    .getByText(`${build.facts.length} of ${build.facts.length}`)
    .waitFor({ timeout: 120_000 });
  emit({ name: "inspector-open-50000-facts", unit: "ms", samples: [performance.now() - before] });
  for (const tab of ["State", "Log"]) {
    await page.getByRole("tab", { name: tab }).click();
    await processorTime(client);
    const times = await page.evaluate(stepTimes, { count: build.facts.length, steps });
    const which = `inspector-scrub-50000-${tab.toLowerCase()}`;
    emit({ name: which, unit: "ms", samples: times });
    emit({ name: `${which}-cpu`, unit: "ms", value: (await processorTime(client)) / steps, runs: steps, spread: 0 });
  }
  await opened[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
}

async function measureScrolling(browser, emit) {
  const server = await servePage({ builds: manyBuilds({ builds: 1000, fetches: 10 }), scopes: [], now: 0 });
  const opened = await openPage(browser, { origin: server.origin });
  const { page } = opened;
  await page.getByText("10000 fetches, 10000 active").waitFor({ timeout: 120_000 });
  const frames = await page.evaluate(scrollFrames, { seconds: 4 });
  emit({
    name: "inspector-scroll-10000-frames",
    unit: "frames",
    per: "s",
    value: frames.rate,
    runs: frames.count,
    spread: 0,
  });
  emit({ name: "inspector-scroll-10000-work", unit: "ms", value: frames.work, runs: frames.count, spread: 0 });
  await opened[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
}

/** Milliseconds that the page's main thread has worked since the last call: other programs do not count. */
const lastTimes = new WeakMap();
async function processorTime(client) {
  const { metrics } = await client.send("Performance.getMetrics");
  const now = 1000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN);
  const passed = now - (lastTimes.get(client) ?? now);
  lastTimes.set(client, now);
  return passed;
}

/** In the page: far jumps and single steps by turns, each with what it costs to compute, render and lay out. */
async function stepTimes({ count, steps }) {
  const { document, requestAnimationFrame } = /** @type {any} */ (globalThis);
  const slider = document.querySelector("input[type=range]");
  const times = [];
  for (let step = 0; step < steps; step++) {
    const to = step % 2 === 0 ? Math.floor((count * ((step * 37) % steps)) / steps) : Number(slider.value) + 1;
    const started = performance.now();
    slider.value = String(to);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    // Renders are queued as microtasks and animation frames: what they made is laid out by asking for a size.
    await new Promise((resolve) => requestAnimationFrame(resolve));
    document.body.getBoundingClientRect();
    times.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return times;
}

/** In the page: the list moves by several rows a frame. */
async function scrollFrames({ seconds }) {
  const { document, requestAnimationFrame } = /** @type {any} */ (globalThis);
  const list = document.querySelector(".fetches");
  const started = performance.now();
  let [count, work] = [0, 0];
  while (performance.now() - started < seconds * 1000) {
    const time = await new Promise((resolve) => requestAnimationFrame(resolve));
    list.scrollTop += 260;
    await new Promise((resolve) => setTimeout(resolve, 0));
    document.body.getBoundingClientRect();
    work += performance.now() - time;
    count++;
  }
  return { count, rate: count / ((performance.now() - started) / 1000), work: work / count };
}
