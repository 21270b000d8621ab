// What comes from pipelines, registries and steps is text; what is long stays usable; what is sent first is small.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { BuildHistory } from "../support/stream-histories.ts";
import { openPage } from "./support/browser.ts";
import { addressOf, describePage } from "./support/describe-page.ts";
import { hostileBuild, longBuild, manyBuilds, markup } from "./support/large-facts.ts";
import { servePage } from "./support/page-server.ts";

const built = new URL("../../packages/inspector/dist-web/", import.meta.url);

describePage("what is hostile, and what is large", ({ browser, sample }) => {
  test("markup in names, logs and errors is shown as text and does nothing", async () => {
    const build = hostileBuild();
    await using server = await servePage({ builds: [build], scopes: [], now: sample.now });
    const path = addressOf(build.buildId, "1/image-get");
    await using opened = await openPage(browser(), { origin: server.origin, path });
    const { page } = opened;
    await page.locator(".heading-state").waitFor();
    for (const tab of ["State", "Facts", "Sequence", "Log"]) {
      await page.getByRole("tab", { name: tab }).click();
      await page.locator(".tab-panel").getByText(markup).first().waitFor();
    }
    expect(await page.locator("img, iframe, object, #inspector script").count()).toBe(0);
    expect(await page.evaluate("window.owned")).toBeUndefined();
    // A cell that clears the screen, or turns what follows round, is spelt out.
    const log = await page.getByRole("listbox", { name: "Build log" }).innerText();
    expect(log).toContain("\\u{1b}[2J");
    expect(log).toContain("\\u{202e}");
    expect(opened.complaints).toEqual([]);
  });

  test("of a build of a hundred steps with ten thousand lines only what is in sight is in the document", async () => {
    const build = longBuild({ steps: 100, lines: 10_000 });
    await using server = await servePage({ builds: [build], scopes: [], now: sample.now });
    await using opened = await openPage(browser(), { origin: server.origin, path: `/?build=${build.buildId}` });
    const { page } = opened;
    await page.getByRole("tab", { name: "Log" }).click();
    const lines = page.getByRole("listbox", { name: "Build log" }).getByRole("option");
    await lines.last().getByText("build succeeded").waitFor();
    expect(Number(await lines.last().getAttribute("aria-setsize"))).toBeGreaterThan(10_000);
    expect(await lines.count()).toBeLessThan(100);
    await lines.last().click();
    await page.keyboard.press("Home");
    await lines.first().getByText("build started").waitFor();
    expect(await page.getByRole("list", { name: "Fetches of this build" }).getByRole("button").count()).toBe(100);
  });

  test.each([1280, 390])("a long line of a log is broken and shown whole, %d pixels wide", async (width) => {
    const build = new BuildHistory("888");
    const long = [
      "x".repeat(500),
      "words and words ".repeat(30),
      "\tbehind\ttabs".repeat(20),
      "漢字かな".repeat(40),
      "🚀".repeat(90),
    ];
    for (const text of long) {
      build.wait(1).save({ event: "log", data: { origin: { id: "1", source: "stderr" }, payload: `${text}\n` } });
    }
    await using server = await servePage({ builds: [build], scopes: [], now: sample.now });
    const path = `/?build=${build.buildId}&at=0`;
    await using opened = await openPage(browser(), { origin: server.origin, path, width, height: 1400 });
    const { page } = opened;
    await page.getByRole("tab", { name: "Log" }).click();
    const rows = page.getByRole("listbox", { name: "Build log" }).getByRole("option");
    await rows.nth(long.length - 1).waitFor();
    const room = await rows.evaluateAll(
      (elements: readonly { clientHeight: number; scrollHeight: number; clientWidth: number; scrollWidth: number }[]) =>
        elements.map(({ clientHeight, scrollHeight, clientWidth, scrollWidth }) => {
          return { lines: clientHeight / 20, above: scrollHeight - clientHeight, beside: scrollWidth - clientWidth };
        }),
    );
    expect(room.map(({ above, beside }) => ({ above, beside }))).toEqual(room.map(() => ({ above: 0, beside: 0 })));
    expect(Math.min(...room.map(({ lines }) => lines))).toBeGreaterThan(1);
  });

  test("two thousand fetches are listed, searched and gone through by keys", async () => {
    await using server = await servePage({
      builds: manyBuilds({ builds: 200, fetches: 10 }),
      scopes: [],
      now: sample.now,
    });
    await using opened = await openPage(browser(), { origin: server.origin });
    const { page } = opened;
    await page.getByText("2000 fetches, 2000 active").waitFor();
    const rows = page.locator(".fetch-list [role=option]");
    expect(await rows.count()).toBeLessThan(60);
    await page.getByRole("listbox", { name: "Builds and fetches" }).press("End");
    await page.locator(".fetch-list [role=option][aria-selected=true][aria-posinset='2200']").waitFor();
    await page.getByRole("searchbox").fill("app-7:v2 many-150");
    await page.locator(".fetch-list [role=option]").getByText("registry.test/app-7:v2").waitFor();
    expect(await rows.count()).toBe(2);
  });

  test("the first view needs less than 100 kB of script, gzipped, and no inline script or style", () => {
    const html = readFileSync(new URL("index.html", built), "utf8");
    const scripts = [...html.matchAll(/<script[^>]* src="([^"]+)"|rel="modulepreload"[^>]* href="([^"]+)"/g)];
    const sizes = scripts.map(([, source, preloaded]) => {
      return gzipSync(readFileSync(new URL(source ?? preloaded ?? "", built)), { level: 9 }).length;
    });
    expect(sizes.length).toBeGreaterThan(0);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(100_000);
    expect(html).not.toMatch(/<style|style=|<script>|\son\w+=/);
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
  });
});
