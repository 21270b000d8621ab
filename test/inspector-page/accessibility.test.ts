// For everybody: roles and names, contrast, keys alone, narrow screens; and nothing from anywhere else.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { addressOf, describePage } from "./support/describe-page.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const fetch = addressOf("1042", "2/image-get", 11);
const views = {
  "a fetch": fetch,
  "a build": "/?build=1042",
  tags: "/?view=tags&ref=docker.io/library/golang:1.23",
  registries: "/?view=registries",
};

describePage("accessibility", ({ open }) => {
  test("axe finds nothing in any view", async () => {
    await using opened = await open("/");
    const { page } = opened;
    for (const [view, path] of Object.entries(views)) {
      await page.goto(new URL(path, page.url()).href);
      await settled(page);
      expect({ view, violations: await violations(page) }).toEqual({ view, violations: [] });
    }
    expect(opened.complaints).toEqual([]);
  });

  test.each([
    ["light", false],
    ["dark", true],
  ])("text stands out from its ground wherever it stands, %s", async (_name, dark) => {
    await using opened = await open(fetch, { dark });
    const { page } = opened;
    await settled(page);
    for (const tab of ["State", "Facts", "Log", "Sequence"]) {
      await page.getByRole("tab", { name: tab }).click();
      if (tab !== "State") await page.locator(".tab-panel [role=option]").first().waitFor();
      expect({ tab, violations: await violations(page, contrast) }).toEqual({ tab, violations: [] });
    }
    // The axe of the test before looked at the light ones.
    for (const path of dark ? [views.tags, views.registries] : []) {
      await page.goto(new URL(path, page.url()).href);
      await settled(page);
      expect({ path, violations: await violations(page, contrast) }).toEqual({ path, violations: [] });
    }
  });

  test("the main path needs no pointer: find a fetch, step through it, read its log", async () => {
    await using opened = await open("/");
    const { page } = opened;
    await page.locator(".fetch-list [role=option]").first().waitFor();
    const tabTo = async (name: string): Promise<void> => {
      for (let presses = 0; presses < 40; presses++) {
        await page.keyboard.press("Tab");
        if ((await focused(page)) === name) return;
      }
      throw new Error(`${name} is not reached by Tab; the last is ${await focused(page)}`);
    };
    await tabTo("Search builds, images and digests");
    await page.keyboard.type("build-tools:v3");
    await tabTo("Builds and fetches");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.getByRole("heading", { name: "ghcr.io/acme/build-tools:v3" }).waitFor();
    await tabTo("State");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await focused(page)).toBe("Log");
    await tabTo("Build log");
    await page.keyboard.press("Home");
    await page.getByText("in the past").waitFor();
    await tabTo("Fact");
    await page.keyboard.press("End");
    await page.getByText("newest", { exact: true }).waitFor();
  });

  test("on a phone nothing stands beside the screen, and the way back is there", async () => {
    await using opened = await open("/", { width: 390, height: 844 });
    const { page } = opened;
    await page.getByRole("option", { name: /build-tools:v3/ }).click();
    await page.getByRole("heading", { name: "ghcr.io/acme/build-tools:v3" }).waitFor();
    await settled(page);
    const wide = await page.locator("body").evaluate((body: { readonly scrollWidth: number }) => body.scrollWidth);
    expect(wide).toBeLessThanOrEqual(390);
    await page.getByRole("button", { name: "Back to the list" }).click();
    await page.getByRole("option", { name: /build-tools:v3/ }).waitFor();
  });
});

/** Waits until what was asked for is shown. */
async function settled(page: Page): Promise<void> {
  await page.locator("#main :is(.tab-panel, .stays, .uplot)").first().waitFor();
}

const contrast = ["color-contrast"];

async function violations(page: Page, rules?: readonly string[]): Promise<readonly string[]> {
  // Not by a script element: the page's policy allows none.
  await page.evaluate(axe);
  // The picture is one image with words for it; axe would look at each of its lines.
  const chart = JSON.stringify({ exclude: [".machine-chart > *"] });
  const options = JSON.stringify({ resultTypes: ["violations"], ...(rules === undefined ? {} : { runOnly: rules }) });
  const { violations } = await page.evaluate<AxeResults>(`axe.run(${chart}, ${options})`);
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, any }) => `${id}: ${html} ${any[0]?.message ?? ""}`));
}

async function focused(page: Page): Promise<string> {
  const name = "document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? ''";
  return await page.evaluate<string>(name);
}
