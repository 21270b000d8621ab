// Beside the chart: the build's log, the sequence of messages, a tag's history, the registries' budgets.
import type { Locator } from "playwright-core";
import { expect, test } from "vitest";
import { addressOf, describePage } from "./support/describe-page.ts";

describePage("around a fetch", ({ sample, open }) => {
  const build = sample.builds.find(({ buildId }) => buildId === "1042");

  test("each line of the log leads to its fact, and the fact to its line", async () => {
    await using opened = await open("/?build=1042");
    const { page } = opened;
    await page.getByRole("tab", { name: "Log" }).click();
    const log = page.getByRole("listbox", { name: "Build log" });
    await log.getByRole("option", { name: "acme.example/shop/mail" }).click();
    const fact = build?.facts.find(({ data }) => JSON.stringify(data).includes("shop/mail"));
    await page.waitForURL((url) => url.searchParams.get("at") === String(fact?.revision));
    expect(await log.locator("[aria-selected=true]").innerText()).toContain("shop/mail");
    await page.keyboard.press("ArrowUp");
    expect(await log.locator("[aria-selected=true]").innerText()).toContain("shop/billing");
    await page.getByRole("tab", { name: "State" }).click();
    expect(await page.getByRole("region", { name: "Fact" }).innerText()).toMatch(
      /log: ok\s+acme.example\/shop\/billing/,
    );
  });

  test("the sequence tells who said what to whom, as far as the fact that is looked at", async () => {
    const timer = build?.facts.find(({ type }) => type === "TimerFired");
    await using opened = await open(addressOf("1042", "2/image-get", timer?.revision));
    const { page } = opened;
    await page.getByRole("tab", { name: "Sequence" }).click();
    const rows = page.getByRole("listbox", { name: "Sequence of messages" }).getByRole("option");
    await rows.first().waitFor();
    const texts = (await rows.allInnerTexts()).map((text) => text.trim());
    expect(texts.slice(0, 9)).toEqual([
      "FetchRequested",
      "authorizing",
      "ask policy on the request",
      "ImageCheck",
      "ImageGet",
      "PolicyDecided",
      "checking",
      "check image, attempt 1",
      "ImageCheckFailed, FI_REGISTRY_UNAVAILABLE",
    ]);
    const later = page.locator(".message-row.later");
    expect((await later.allInnerTexts()).map((text) => text.trim())).toContain("ImageShortCircuited");
    expect((await later.allInnerTexts()).map((text) => text.trim())).not.toContain("after backoff");
  });

  test("an arrow of the sequence runs from the lane of who says it to the lane of who is told", async () => {
    await using opened = await open(addressOf("1042", "2/image-get"));
    const { page } = opened;
    await page.getByRole("tab", { name: "Sequence" }).click();
    const middle = async (lane: string): Promise<number> => {
      const { x, width } = await box(page.locator(".lanes").getByText(lane, { exact: true }));
      return x + width / 2;
    };
    const told = { ImageVersionResolved: ["machine", "store"], "pulls by digest": ["scheduler", "kubelet"] } as const;
    for (const [text, [from, to]] of Object.entries(told)) {
      const arrow = await box(page.locator(".message-row .arrow").filter({ hasText: text }));
      expect({ text, starts: Math.round(Math.abs(arrow.x - (await middle(from)))) }).toEqual({ text, starts: 0 });
      expect({ text, ends: Math.round(Math.abs(arrow.x + arrow.width - (await middle(to)))) }).toEqual({
        text,
        ends: 0,
      });
    }
  });

  test("at a fetch's newest fact no line of its build's log is told as one that is still to come", async () => {
    await using opened = await open(addressOf("1042", "2/image-get"));
    const { page } = opened;
    await page.getByRole("tab", { name: "Log" }).click();
    const log = page.getByRole("listbox", { name: "Build log" });
    await log.locator("[aria-selected=true]").getByText("finish get: exit status 0").waitFor();
    expect(await log.locator(".later").count()).toBe(0);
    await page.getByRole("button", { name: "Previous fact" }).click();
    await log.locator(".later").first().waitFor();
  });

  test("a tag's history marks where it moved and where it was gone, and tells who ran which digest", async () => {
    await using opened = await open(addressOf("1042", "4/image-get"));
    const { page } = opened;
    await page.getByRole("button", { name: "History of this tag" }).click();
    const history = page.getByRole("region", { name: "docker.io/library/golang:1.23" });
    await history.getByText("moved 3 times").waitFor();
    expect(await history.locator(".mark.drift").allInnerTexts()).toEqual(["moved", "vanished", "moved"]);
    const line = history.getByRole("img");
    expect(await line.getAttribute("aria-label")).toMatch(/^In \d+h.*: sha256:\w{64} from .*; no such tag from /);
    expect(await line.locator(".failure-mark").count()).toBe(1);
    await history.getByRole("button", { name: "Who ran it" }).first().click();
    expect(await history.getByRole("row").nth(1).innerText()).toMatch(/^1042\s+ci \/ unit\s+package\s+2026-/);

    await page.goto(new URL("/?view=tags&ref=ghcr.io/acme/build-tools:v3", page.url()).href);
    await page.getByText("Nothing was observed.").waitFor();
  });

  test("a registry's budget is a plot, and a table for those who see none", async () => {
    await using opened = await open("/?view=registries");
    const { page } = opened;
    const registry = page.getByRole("region", { name: "registry-1.docker.io" });
    await registry.getByText("of 100 requests left per 6h").waitFor();
    await registry.locator("canvas").waitFor();
    await registry.getByText("The same as a table").click();
    expect(await registry.getByRole("row").count()).toBeGreaterThan(10);
    expect(opened.complaints).toEqual([]);
  });

  test("a registry that tells no limit is said to tell none", async () => {
    await using opened = await open("/");
    const { page } = opened;
    const silent = { host: "registry.test", observedAt: "2026-11-22T04:40:00.000Z", points: [] };
    await page.route("**/registries", (route) => route.fulfill({ json: { registries: [silent] } }));
    await page.getByRole("link", { name: "Registries" }).click();
    const registry = page.getByRole("region", { name: "registry.test" });
    await registry.getByText("It tells no rate limit as of 2026-11-22T04:40:00.000Z").waitFor();
    expect(await registry.getByRole("table", { includeHidden: true }).count()).toBe(0);
  });
});

async function box(locator: Locator): Promise<{ x: number; y: number; width: number; height: number }> {
  const found = await locator.boundingBox();
  if (found === null) throw new Error("it is not shown");
  return found;
}
