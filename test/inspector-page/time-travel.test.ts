// A fetch in its state machine, at any of its facts: what the page shows is what core's fold says.
import { fetchImageMachine, type FetchState, replayBuild, stateName } from "@fetch-image/core";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { openPage } from "./support/browser.ts";
import { addressOf, describePage } from "./support/describe-page.ts";

const task = "2/image-get";

describePage("time travel", ({ sample, browser, server, open }) => {
  const build = sample.builds.find(({ buildId }) => buildId === "1042");
  const own = (build?.facts ?? []).filter(({ data }) => "fetchId" in data && data.fetchId === task);
  /** The fetch's state behind each of its facts. */
  const states: FetchState[] = [];
  replayBuild(build?.facts ?? [], ({ fact, after }) => {
    if (own.includes(fact) && after !== undefined) states.push(after);
  });

  test("a link shows a fetch at its newest fact: its state, the way there, its digest and why", async () => {
    await using opened = await open(addressOf("1042", task));
    const { page } = opened;
    await page.getByRole("heading", { name: "ghcr.io/acme/build-tools:v3" }).waitFor();
    await where(page, "10 of 10");
    expect(await lit(page)).toEqual({
      active: ["short-circuited"],
      visited: ["authorizing", "backing-off", "checking", "resolving"],
      taken: ["fetchImage.resolving/event/PolicyDecided/2"],
      possible: [],
    });
    const reference = states.at(-1)?.resolved?.reference ?? "no reference";
    const why = page.getByRole("region", { name: "Digest, and why" });
    expect(await why.innerText()).toContain(reference);
    expect(await why.getByRole("listitem").first().innerText()).toMatch(/^taken[^]+ghcr.io answered a HEAD request/);
    expect(await page.getByRole("list", { name: "Warnings" }).innerText()).toBe("ghcr.io has 14 of 100 requests left.");
    expect(opened.complaints).toEqual([]);
  });

  test("each step shows the state that the fold has there, and what may come next", async () => {
    await using opened = await open(addressOf("1042", task));
    const { page } = opened;
    await where(page, "10 of 10");
    await page.keyboard.press("Home");
    for (const [step, state] of states.entries()) {
      await where(page, `${step + 1} of 10`);
      const { active, possible } = await lit(page);
      expect({ step, active }).toEqual({ step, active: [stateName(state)] });
      expect(possible).toEqual(mayCome(state));
      const fact = page.getByRole("region", { name: "Fact" });
      expect(await fact.locator("code").first().innerText()).toBe(own[step]?.type);
      await page.keyboard.press("ArrowRight");
    }
    expect(new Set(states.map(stateName))).toEqual(
      new Set(["authorizing", "checking", "backing-off", "resolving", "short-circuited"]),
    );
  });

  test("keys, buttons and the slider lead to the same facts, and the address says where one is", async () => {
    await using opened = await open(addressOf("1042", task));
    const { page } = opened;
    await where(page, "10 of 10");
    await page.keyboard.press("ArrowLeft");
    await where(page, "9 of 10");
    await page.getByRole("button", { name: "Previous fact" }).click();
    await where(page, "8 of 10");
    const slider = page.getByRole("slider", { name: "Fact" });
    await slider.focus();
    await page.keyboard.press("Home");
    await where(page, "1 of 10");
    expect(await slider.getAttribute("aria-valuetext")).toMatch(/^1 of 10: FetchRequested, authorizing, /);
    const { x, y, width, height } = (await slider.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await page.mouse.move(x + 10, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width / 2, y + height / 2, { steps: 4 });
    await page.mouse.up();
    const dragged = Number(await slider.inputValue());
    expect([5, 6]).toContain(dragged + 1);
    await where(page, `${dragged + 1} of 10`);
    await page.waitForURL((url) => url.searchParams.get("at") === String(own[dragged]?.revision));

    await page.reload();
    await where(page, `${dragged + 1} of 10`);
    await page.keyboard.press("End");
    await where(page, "10 of 10");
    await page.waitForURL((url) => !url.searchParams.has("at"));
  });

  test("a step shows what it changed, what the registry answered, what it caused, and what is owed", async () => {
    const failed = own.find(({ type }) => type === "ImageCheckFailed");
    await using opened = await open(addressOf("1042", task, failed?.revision));
    const { page } = opened;
    const fact = await page.getByRole("region", { name: "Fact" }).innerText();
    expect(fact).toContain("ghcr.io answered 503 to HEAD");
    expect(fact).toMatch(/retry after\s+500ms/);
    expect(await page.getByRole("region", { name: "Change of context" }).innerText()).toMatch(
      /~\s*retryAfterMs\s+0\s*500/,
    );
    const now = page.getByRole("region", { name: "State" });
    expect(await now.innerText()).toMatch(/timer backoff\s+in 700ms|timer backoff\s+in 800ms/);
    expect(await now.innerText()).toMatch(/attempt\s+1 of 3/);

    await page.keyboard.press("Home");
    await where(page, "1 of 10");
    const caused = page.getByRole("list", { name: "What it caused" });
    expect(await caused.getByRole("listitem").allInnerTexts()).toEqual(["says ImageCheck", "says ImageGet"]);
    expect(await now.innerText()).toMatch(/owes\s+ask the policy on the request/);
  });

  test("a click on a state leads to the last time that the fetch came there", async () => {
    await using opened = await open(addressOf("1042", task));
    const { page } = opened;
    await where(page, "10 of 10");
    await page.locator('[id="state-fetchImage.resolving"] .body').dispatchEvent("click");
    await where(page, "7 of 10");
    expect((await lit(page)).active).toEqual(["resolving"]);
  });

  test.each([
    [1280, 720],
    [1000, 700],
    [390, 844],
  ])("the state that is followed is seen whole, at %d × %d", async (width, height) => {
    await using opened = await open(addressOf("1041", "3/image-get"), { width, height });
    const { page } = opened;
    const state = page.locator('[id="state-fetchImage.failed"].is-active > .border').first();
    await state.waitFor();
    const [box, frame, foot] = await Promise.all(
      [state, page.locator(".chart-frame"), page.locator(".chart-foot")].map((each) => each.boundingBox()),
    );
    if (!box || !frame || !foot) throw new Error("the chart is not shown");
    expect(box.y).toBeGreaterThanOrEqual(frame.y);
    expect(box.y + box.height).toBeLessThanOrEqual(frame.y + frame.height);
    // The legend and the tools stand below the picture, not on it.
    expect(frame.y + frame.height).toBeLessThanOrEqual(foot.y);
  });

  test("where motion is welcome the picture travels to the same place, through views that can be drawn", async () => {
    const whole = async (page: Page): Promise<void> => {
      await where(page, "10 of 10");
      await page.getByRole("button", { name: "Show all of the chart" }).click();
    };
    await using still = await open(addressOf("1042", task));
    await whole(still.page);
    const options = { origin: server().origin, path: addressOf("1042", task), motion: true };
    await using opened = await openPage(browser(), options);
    const { page } = opened;
    // A busy browser hands out frames that began before they were asked for.
    await page.evaluate(
      "{ const frame = requestAnimationFrame; window.requestAnimationFrame = (then) => frame((t) => then(t - 100)); }",
    );
    await whole(page);
    const view = (page: Page): Promise<string | null> => page.locator(".machine-chart").getAttribute("viewBox");
    await expect.poll(() => view(page)).toBe(await view(still.page));
    expect(opened.complaints).toEqual([]);
  });

  test("all of a build's facts can be stepped through, each fetch lit as its facts come", async () => {
    await using opened = await open("/?build=1042&at=0");
    const { page } = opened;
    const count = build?.facts.length ?? 0;
    await where(page, `1 of ${count}`);
    expect((await lit(page)).active).toEqual([]);
    const joined = (build?.facts ?? []).findIndex(({ type }) => type === "CheckJoined");
    await page.getByRole("slider", { name: "Fact" }).fill(String(joined));
    await where(page, `${joined + 1} of ${count}`);
    expect((await lit(page)).active).toEqual(["waiting"]);
    await page.getByRole("button", { name: /waiting.*slack/ }).click();
    await page.getByRole("heading", { name: "ghcr.io/acme/slack-resource:latest" }).waitFor();
    expect((await lit(page)).active).toEqual(["waiting"]);
    await page.getByRole("button", { name: "build 1041, e1/image-get" }).waitFor();
  });
});

/** Waits until the scrubber says so. */
async function where(page: Page, text: string): Promise<void> {
  await page.locator(".scrubber output strong").getByText(text, { exact: true }).waitFor();
}

async function lit(page: Page): Promise<{ active: string[]; visited: string[]; taken: string[]; possible: string[] }> {
  const ids = async (selector: string, name: string): Promise<string[]> => {
    const found = await page
      .locator(`.machine-chart ${selector}`)
      .evaluateAll(
        (elements: readonly { getAttribute(name: string): string | null }[], name) =>
          elements.map((element) => element.getAttribute(name) ?? ""),
        name,
      );
    return [...new Set(found)].sort();
  };
  const key = (id: string): string => id.split(".").at(-1) ?? id;
  return {
    active: (await ids("g.is-active", "data-state")).map(key),
    visited: (await ids("g.is-visited", "data-state")).map(key),
    taken: await ids("g.edge.is-taken", "data-edge"),
    possible: await ids("g.edge.is-possible", "data-edge"),
  };
}

/** Read off the machine's config: what waits for an event or a timer, in the state or anywhere. */
function mayCome(state: FetchState): string[] {
  if (state.snapshot.status !== "active") return [];
  const name = stateName(state);
  const config: StateConfig = fetchImageMachine.config.states?.[name] ?? {};
  const { on = {}, after = {} } = config;
  const edges = (kind: string, events: { readonly [event: string]: unknown }): string[] =>
    Object.entries(events).flatMap(([event, to]) =>
      [to].flat().map((_, index) => `fetchImage.${name}/${kind}/${event}/${index + 1}`),
    );
  return ["fetchImage/event/FetchAborted/1", ...edges("event", on), ...edges("after", after)].sort();
}

interface StateConfig {
  readonly on?: { readonly [event: string]: unknown };
  readonly after?: { readonly [delay: string]: unknown };
}
