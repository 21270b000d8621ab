// Builds and fetches as they come: found, filtered, followed.
import { buildStream, type RecordedFact } from "@fetch-image/core";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { aRequest, inputs } from "../support/fetch-facts.ts";
import { BuildHistory } from "../support/stream-histories.ts";
import { addressOf, describePage } from "./support/describe-page.ts";

describePage("the list", ({ sample, server, open }) => {
  test("builds stand newest first with their fetches, and tell state, image, who waits for whom, and what failed", async () => {
    await using opened = await open("/");
    const rows = await rowsOf(opened.page, 13);
    expect(rows.filter((row) => row.startsWith("build"))).toEqual([
      "build 1043 main / ci / unit · 2 fetches",
      "build 1042 main / ci / unit · 3 fetches",
      "build 1041 main / ci / unit · 2 fetches",
      "build 1040 main / ci / unit · 2 fetches",
    ]);
    const told = [
      /^ghcr.io\/acme\/build-tools:v4 \d+s waiting · waits for build 1042 · step 3$/,
      /^ghcr.io\/acme\/deploy:stable \d+s backing-off · retries · step 2$/,
      /^docker.io\/library\/golang:1.23 \S+ fetching-artifact · stale · step package$/,
      /^registry.internal\/team\/app:v9 \S+ failed · FI_CHECK_FAILED · step 3$/,
    ];
    for (const words of told) expect(rows).toContainEqual(expect.stringMatching(words));
    expect(await opened.page.getByText("9 fetches, 3 active").count()).toBe(1);
  });

  test("a search and a state leave what is meant, and stand in the address", async () => {
    await using opened = await open("/");
    const { page } = opened;
    await page.getByRole("searchbox").fill("acme slack");
    expect(await rowsOf(page, 4)).toHaveLength(4);
    await page.getByRole("combobox", { name: "State" }).selectOption("short-circuited");
    await page.waitForURL((url) => url.search === "?q=acme+slack&state=short-circuited");
    await page.getByRole("searchbox").fill("nothing of this name");
    await page.getByText("None of them matches.").waitFor();
    await page.goto(new URL("/?state=active", page.url()).href);
    expect((await rowsOf(page, 5)).filter((row) => row.startsWith("build"))).toHaveLength(2);
  });

  test("a fetch leads to the one that it waits for, and back to those that wait for it", async () => {
    await using opened = await open(addressOf("1043", "3/image-get"));
    const { page } = opened;
    await page.getByRole("button", { name: "build 1042, 2/image-get" }).click();
    await page.getByRole("heading", { name: "ghcr.io/acme/build-tools:v3" }).waitFor();
    await page.getByRole("button", { name: "build 1043, 3/image-get" }).click();
    await page.getByRole("heading", { name: "ghcr.io/acme/build-tools:v4" }).waitFor();
    await page.goBack();
    await page.getByRole("heading", { name: "ghcr.io/acme/build-tools:v3" }).waitFor();
    expect(new URL(page.url()).search).toBe("?build=1042&fetch=2%2Fimage-get");
  });

  test("a timer counts down while the fetch is looked at as it is", async () => {
    await using opened = await open(addressOf("1043", "2/image-get"));
    const state = opened.page.getByRole("region", { name: "State" });
    const left = async (): Promise<number> =>
      Number(/timer backoff\s+in (\d+)s/.exec(await state.innerText())?.[1] ?? -1);
    await state.getByText("timer backoff").waitFor();
    // The sample's clock is past the timer: an address of the past shows it as it was then.
    expect(await state.innerText()).toMatch(/timer backoff\s+due/);
    const failed = sample.builds.at(-1)?.facts.at(-1);
    await opened.page.clock.setSystemTime(new Date(Date.parse(failed?.metadata.time ?? "") + 10_000));
    await opened.page.clock.runFor(1000);
    const before = await left();
    expect(before).toBeGreaterThan(20);
    await opened.page.clock.runFor(5000);
    expect(await left()).toBeLessThan(before);
  });

  test("what happens is shown as it happens: in the list, in the chart, and as the newest that is followed", async () => {
    const build = new BuildHistory("2000");
    const stored = (): readonly RecordedFact[] => build.facts.splice(0) as unknown as readonly RecordedFact[];
    build.now = sample.now;
    build.request(aRequest({ fetchId: "7/image-get", repository: "registry.test/live", tag: "v1" }));
    await using opened = await open("/");
    const { page } = opened;
    await rowsOf(page, 13);
    await page.getByRole("checkbox", { name: "follow newest" }).check();
    const first = build.facts.length;
    await server().store(stored());
    await page.getByRole("heading", { name: "registry.test/live:v1" }).waitFor();
    await page.locator('[id="state-fetchImage.checking"].is-active').waitFor();

    const before = build.wait(50).state();
    expect(before.snapshot.value).toBe("checking");
    const answered = continued(build, first);
    await server().store(answered);
    await page.locator('[id="state-fetchImage.short-circuited"].is-active').waitFor();
    await page.getByRole("option", { name: /registry.test\/live:v1 .*short-circuited/ }).waitFor();
    expect(opened.complaints).toEqual([]);
  });
});

/** The facts of an answer, behind those that are stored already. */
function continued(build: BuildHistory, stored: number): readonly RecordedFact[] {
  build.take(inputs.checked({ tag: "v1", digest: `sha256:${"c".repeat(64)}` }));
  return build.facts.splice(0).map((fact, index) => {
    return { ...fact, stream: buildStream("2000"), revision: BigInt(stored + index) } as unknown as RecordedFact;
  });
}

/** The rows' texts, once there are so many. */
async function rowsOf(page: Page, count: number): Promise<readonly string[]> {
  const rows = page.locator(".fetch-list [role=option]");
  await rows.nth(count - 1).waitFor();
  return (await rows.allInnerTexts()).map((text) => text.replaceAll(/\s+/g, " "));
}
